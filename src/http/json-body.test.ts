import type { FastifyRequest } from 'fastify';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseJsonBody } from './json-body.js';
import { problemOf } from './problems.js';

function parse(text: string): { error: Error | null; value: unknown } {
  let result: { error: Error | null; value: unknown } | undefined;
  parseJsonBody({} as FastifyRequest, text, (error, value) => {
    result = { error, value };
  });
  if (result === undefined) throw new Error('parseJsonBody did not answer');
  return result;
}

describe('parseJsonBody', () => {
  it('gives back every JSON document', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: true, maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!text.includes('\\u0000'));
        expect(parse(text)).toEqual({ error: null, value: JSON.parse(text) as unknown });
      }),
    );
  });

  it('takes an empty body as none', () => {
    expect(parse(' \n')).toEqual({ error: null, value: undefined });
  });

  it.each<[string, number]>([
    ['{"a":', 400],
    ['{"a":NaN}', 400],
    ['[1,]', 400],
    ['['.repeat(65) + ']'.repeat(65), 422],
    ['['.repeat(100_000) + ']'.repeat(100_000), 422],
    ['{"name":"a\\u0000b"}', 422],
    ['{"a\\u0000":1}', 422],
    ['{"name":"\\ud800"}', 422],
    ['["\\udc00x"]', 422],
  ])('refuses %.40s with %i', (text, status) => {
    const { error } = parse(text);
    expect(error).not.toBeNull();
    expect(problemOf(error ?? new Error())).toMatchObject({ status, code: 'invalid-request' });
  });

  it('takes an emoji, which is a whole surrogate pair', () => {
    expect(parse('"\\ud83d\\ude00"').value).toBe('😀');
  });
});
