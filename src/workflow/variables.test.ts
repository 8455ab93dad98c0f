import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_VARIABLE_NAME_LENGTH, MAX_VARIABLES, MAX_VARIABLES_BYTES, mergeVariables } from './variables.js';

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('mergeVariables', () => {
  it('lays extra over base, but not over reserved names', () => {
    const merged = mergeVariables({ provider: 'cloudonix', name: 'x' }, { provider: 'evil', caller_number: 'evil', name: 'Ada' }, ['provider', 'caller_number']);
    expect(plain(merged)).toEqual({ provider: 'cloudonix', name: 'Ada' });
    expect(Object.getPrototypeOf(merged)).toBeNull();
  });

  it('drops prototype keys at every depth', () => {
    const hostile: unknown = JSON.parse('{"__proto__":{"polluted":1},"constructor":1,"a":{"__proto__":{"polluted":1},"b":[{"prototype":1,"c":2}]}}');
    expect(plain(mergeVariables({}, hostile))).toEqual({ a: { b: [{ c: 2 }] } });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('drops what is no JSON data', () => {
    expect(plain(mergeVariables({}, { fn: () => 1, big: 1n, nan: Number.NaN, none: undefined, ok: null }))).toEqual({ ok: null });
    expect(plain(mergeVariables(null, ['x']))).toEqual({});
    expect(plain(mergeVariables('text', undefined))).toEqual({});
  });

  it('keeps base before extra when the caps are reached', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`extra${index}`, index]));
    const merged = mergeVariables({ kept: true }, many);
    expect(Object.keys(merged)).toHaveLength(MAX_VARIABLES);
    expect(merged.kept).toBe(true);
    const large = mergeVariables({ kept: true }, { large: 'é'.repeat(MAX_VARIABLES_BYTES / 2), small: 1, ['n'.repeat(MAX_VARIABLE_NAME_LENGTH + 1)]: 1 });
    expect(plain(large)).toEqual({ kept: true, small: 1 });
  });

  it('stays within its caps and keeps reserved names, whatever comes', () => {
    const anything = fc.dictionary(fc.oneof(fc.string(), fc.constantFrom('provider', '__proto__')), fc.jsonValue({ maxDepth: 8 }), { maxKeys: 60 });
    fc.assert(
      fc.property(anything, anything, (base, extra) => {
        const merged = mergeVariables({ ...base, provider: 'cloudonix' }, extra, ['provider']);
        expect(new TextEncoder().encode(JSON.stringify(merged)).length).toBeLessThanOrEqual(MAX_VARIABLES_BYTES);
        expect(Object.keys(merged).length).toBeLessThanOrEqual(MAX_VARIABLES);
        expect(merged.provider).toBe('cloudonix');
        expect(Object.keys(merged)).not.toContain('__proto__');
        expect(JSON.stringify(mergeVariables({}, plain(merged)))).toBe(JSON.stringify(merged));
      }),
      { numRuns: 200 },
    );
  });
});
