import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtInVariables, isReservedVariable, parseJsonObject, readCustomParameters, readIdentifier, readText } from './wire-text.js';

describe('readText', () => {
  it.each([
    ['+15551234567', '+15551234567'],
    [' anonymous ', 'anonymous'],
    ['+0', '+0'],
    ['Zoë 📞', 'Zoë 📞'],
    ['a\r\nSet-Cookie: x', 'aSet-Cookie: x'],
    ['\u001b[31mred\u001b[0m', 'red'],
    ['\u202egnp.exe\u202c', 'gnp.exe'],
    ['half \ud83d', 'half'],
    ['\u0000\u0007', undefined],
    ['', undefined],
    [4711, '4711'],
    [null, undefined],
    [{}, undefined],
    [['x'], undefined],
  ])('reads %j as %j', (value, text) => expect(readText(value)).toBe(text));

  it('cuts at 256 characters without leaving half of one', () => {
    expect(readText('x'.repeat(5000))).toHaveLength(256);
    expect(readText(`${'x'.repeat(255)}📞`)).toBe('x'.repeat(255));
  });
});

describe('readIdentifier', () => {
  it('takes short printable ASCII only', () => {
    expect(readIdentifier('7a77@10.0.0.4')).toBe('7a77@10.0.0.4');
    for (const value of ['', 'a b', 'a\n', 'é', 'x'.repeat(257), 7, null, {}, undefined]) expect(readIdentifier(value)).toBeUndefined();
  });
});

describe('readCustomParameters', () => {
  it('flattens values to text and drops null', () => {
    const { parameters, dropped } = readCustomParameters({ a: 'x', b: 5, c: true, d: { e: [1] }, f: null, g: '' });
    expect(parameters).toEqual({ a: 'x', b: '5', c: 'true', d: '{"e":[1]}', g: '' });
    expect(dropped).toBe(1);
  });

  it('never takes built-in or prototype names', () => {
    const hostile: unknown = JSON.parse('{"__proto__":{"isAdmin":true},"constructor":"x","prototype":"x","Caller_Number":"+1","tenant":"t"}');
    const { parameters } = readCustomParameters(hostile);
    expect(parameters).toEqual({ tenant: 't' });
    expect(Object.getPrototypeOf(parameters)).toBe(Object.prototype);
    for (const name of builtInVariables) expect(isReservedVariable(name)).toBe(true);
  });

  it('keeps 64 parameters and 8 kB at most', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`k${n}`, 'v']));
    expect(Object.keys(readCustomParameters(many).parameters)).toHaveLength(64);
    expect(readCustomParameters(many).dropped).toBe(36);
    const large = readCustomParameters({ small: 'x', huge: 'é'.repeat(8000), other: 'y' });
    expect(large.parameters).toEqual({ small: 'x', other: 'y' });
  });

  it('is empty for anything that is no object', () => {
    for (const value of [undefined, null, 'x', 5, ['a']]) expect(readCustomParameters(value)).toEqual({ parameters: {}, dropped: 0 });
  });

  it('stays within its bounds for any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), (value) => {
        const { parameters } = readCustomParameters(value);
        expect(Object.keys(parameters).length).toBeLessThanOrEqual(64);
        expect(Buffer.byteLength(Object.entries(parameters).flat().join(''))).toBeLessThanOrEqual(8192);
        for (const [name, text] of Object.entries(parameters)) {
          expect(typeof text).toBe('string');
          expect(`${name}${text}`).not.toMatch(/\p{Cc}/u);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('parseJsonObject', () => {
  it.each(['', '{', 'null', '[]', '5', 'NaN', '"x"', '\ufeff{}', '{"a":NaN}', "{'a':1}", '{"a":1}}', `${'['.repeat(10_000)}`, `{"a":${'['.repeat(33)}${']'.repeat(33)}}`])(
    'refuses %.40s',
    (text) => expect(parseJsonObject(text)).toBeNull(),
  );

  it('takes objects, with brackets in strings, repeated keys and huge numbers', () => {
    expect(parseJsonObject(`{"a":"${'{['.repeat(100)}\\""}`)).toEqual({ a: `${'{['.repeat(100)}"` });
    expect(parseJsonObject('{"a":1,"a":2}')).toEqual({ a: 2 });
    expect(parseJsonObject('{"a":1e400}')).toEqual({ a: Infinity });
  });
});
