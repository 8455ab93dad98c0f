import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { maskSecret, maskSecrets, secretFieldsOf, withoutMasked } from './secret-fields.js';

const schema = z.strictObject({
  domain_id: z.string(),
  bearer_token: z.string().meta({ secret: true }),
  webhook_key: z.string().optional().meta({ secret: true }),
});

describe('secret fields', () => {
  it('are those marked in the schema', () => {
    expect(secretFieldsOf(schema)).toEqual(new Set(['bearer_token', 'webhook_key']));
  });

  it('show their last four characters where they are long', () => {
    const masked = maskSecrets({ domain_id: 'a.cloudonix.net', bearer_token: 'XI-0123456789abcdef' }, secretFieldsOf(schema));
    expect(masked).toEqual({ domain_id: 'a.cloudonix.net', bearer_token: '****cdef' });
  });

  it('show nothing where they are short', () => {
    expect(maskSecret('abcdefgh')).toBe('****');
    expect(maskSecret({ nested: 'secret' })).toBe('****');
  });

  it('are all fields of a schema that tells nothing', () => {
    expect(secretFieldsOf(z.string())).toBeNull();
    expect(maskSecrets({ anything: 'plain' }, null)).toEqual({ anything: '****' });
  });

  it('keep their stored value when they come back masked', () => {
    const stored = { domain_id: 'a', bearer_token: 'XI-0123456789abcdef' };
    expect(withoutMasked({ domain_id: 'b', bearer_token: '****cdef' }, stored)).toEqual({ domain_id: 'b' });
    expect(withoutMasked({ bearer_token: 'new-token-of-it' }, stored)).toEqual({ bearer_token: 'new-token-of-it' });
  });
});
