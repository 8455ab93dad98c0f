import { describe, expect, it } from 'vitest';
import { credentialHeaders, requestCredentialSchema, withoutSecrets } from './request-credential.js';

describe('the credential of a request', () => {
  it.each([
    [{ type: 'bearer', token: 'abc' }, { authorization: 'Bearer abc' }],
    [{ type: 'basic', username: 'Aladdin', password: 'open sesame' }, { authorization: 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==' }],
    [{ type: 'api_key', key: 'k' }, { 'x-api-key': 'k' }],
    [{ type: 'api_key', header: 'Api-Key', key: 'k' }, { 'api-key': 'k' }],
    [{ type: 'custom_header', header: 'X-Auth', value: ' v v\n' }, { 'x-auth': 'v v' }],
    [{ type: 'custom_headers', headers: { 'X-Client': 'c', 'X-Secret': 's' } }, { 'x-client': 'c', 'x-secret': 's' }],
  ])('%j is sent as %j', (credential, headers) => {
    expect(credentialHeaders(credential).headers).toEqual(headers);
  });

  it('is none of another shape, and sets no header that the request sets itself', () => {
    const refused = [
      {},
      { type: 'oauth', token: 'x' },
      { type: 'bearer' },
      { type: 'bearer', token: 'x', scope: 'y' },
      { type: 'bearer', token: 'a\r\nX-Evil: 1' },
      { type: 'custom_header', header: 'a b', value: 'x' },
      { type: 'custom_header', header: 'Host', value: 'x' },
      { type: 'custom_headers', headers: {} },
      { type: 'custom_headers', headers: { 'Webhook-Signature': 'x' } },
      { type: 'custom_headers', headers: { 'X-A': 'x', 'x-a': 'y' } },
      { type: 'custom_headers', headers: Object.fromEntries(Array.from({ length: 11 }, (_, index) => [`x-${index}`, 'v'])) },
    ];
    expect(refused.filter((credential) => requestCredentialSchema.safeParse(credential).success)).toEqual([]);
  });

  it('is cut out of a text, as it is and as JSON writes it', () => {
    const { secrets } = credentialHeaders({ type: 'custom_headers', headers: { a: 'one"two', b: 'three', c: 'in' } });
    expect(withoutSecrets('one"two one\\"two three within', secrets)).toBe('**** **** **** within');
    const basic = credentialHeaders({ type: 'basic', username: 'Aladdin', password: 'open sesame' });
    expect(withoutSecrets(`open sesame ${basic.headers['authorization'] ?? ''}`, basic.secrets)).toBe('**** Basic ****');
    expect(withoutSecrets('secret-and-more', ['secret', 'secret-and-more'])).toBe('****');
    expect(withoutSecrets('as it is', credentialHeaders(null).secrets)).toBe('as it is');
  });
});
