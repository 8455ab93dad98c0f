import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isExpressionTrue, expressionPaths, type Expression } from './expression.js';
import { parseExpression } from './expression-parser.js';

const parsed = (source: string): Expression => {
  const result = parseExpression(source);
  if (!result.ok) throw new Error(`${result.position}: ${result.message}`);
  return result.expression;
};

const variables = {
  name: 'Ada Lovelace',
  age: 36,
  year: '1815',
  empty: '',
  nothing: null,
  isMember: true,
  flag: 'false',
  tags: ['vip', 7],
  order: { total: 99.5, lines: [1] },
  'last-digit': '5',
};

describe('a condition', () => {
  it.each<[string, boolean]>([
    ['age > 18', true],
    ['age >= 36 and age <= 36', true],
    ['age < 36 or age > 36', false],
    ['year == 1815', true],
    ['year > 900', true],
    ['year > "900"', true],
    ['name == "Ada Lovelace"', true],
    ["name == 'ada lovelace'", false],
    ['name matches "ada*"', true],
    ['name matches "*love*ce"', true],
    ['name matches "love*"', false],
    ['name matches "*"', true],
    ['name matches "ada*lace*lace"', false],
    ['name contains "Love"', true],
    ['name contains ""', false],
    ['tags contains "vip"', true],
    ['tags contains 7', true],
    ['tags contains "7"', true],
    ['"vip" in tags', true],
    ['age in [35, 36]', true],
    ['year in ["1815", "1816"]', true],
    ['missing in ["", null]', false],
    ['order.total > 99', true],
    ['initial_context.age == 36', true],
    ['gathered_context.order.total == 99.5', true],
    ['isMember', true],
    ['isMember == true', true],
    ['flag', false],
    ['flag == false', true],
    ['not flag and not empty', true],
    ['exists name and not exists missing', true],
    ['exists empty or exists nothing', false],
    ['missing == null', true],
    ['missing != "x"', true],
    ['missing < 5 or missing > 5', false],
    ['not (age > 1 and (age < 2 or name == "x"))', true],
    ['true or false and false', true],
    ['last-digit == "5"', true],
    ['name > 5', false],
    ['order > 5 or tags == "vip"', false],
    ['"a \\"quoted\\" text" contains "\\""', true],
    ['-3.5 < 0', true],
  ])('%s is %s', (source, expected) => {
    expect(isExpressionTrue(parsed(source), variables)).toBe(expected);
  });

  it.each(['__proto__', 'constructor', 'name.constructor', 'order.__proto__.x', 'order.toString', 'tags.length.constructor', 'prototype'])('finds nothing at %s', (path) => {
    expect(isExpressionTrue(parsed(`exists ${path}`), variables)).toBe(false);
    expect(isExpressionTrue(parsed(path), variables)).toBe(false);
  });

  it('names the variables it reads', () => {
    expect(expressionPaths(parsed('not (a.b > 1 or c in [1]) and d == e and exists f'))).toEqual([['a', 'b'], ['c'], ['d'], ['e']]);
  });

  it.each<[string, number, string]>([
    ['', 1, 'expected a variable'],
    ['   ', 4, 'expected a variable'],
    ['a ==', 5, 'found the end'],
    ['a = 1', 3, 'unexpected "="'],
    ['a > 1 b', 7, 'expected and, or or the end, found "b"'],
    ['(a', 3, 'expected ), found the end'],
    ['a and', 6, 'found the end'],
    ['"open', 1, 'the text has no closing quote'],
    ['a > 1 > 2', 7, 'found ">"'],
    ['exists 5', 8, 'expected a variable, found "5"'],
    ['a in [1, b]', 10, 'found "b"'],
    ['a in [1', 8, 'expected ,, found the end'],
    ['a && b', 3, 'unexpected "&"'],
    ['f(x)', 2, 'found "("'],
    ['1x', 1, 'unexpected "1"'],
    ['in == 1', 1, 'expected a variable, found "in"'],
    [`${'('.repeat(30)}a${')'.repeat(30)}`, 22, 'nested more than 20 deep'],
    [`a in [${'1,'.repeat(150)}1]`, 207, 'at most 100 values'],
  ])('%j is none: character %i', (source, position, message) => {
    expect(parseExpression(source)).toMatchObject({ ok: false, position, message: expect.stringContaining(message) as string });
  });
});

const paths = fc.constantFrom('a', 'b.c', 'd', '__proto__', 'a.constructor', 'initial_context.a');
const literals = fc.oneof(
  fc.integer({ min: -1000, max: 1000 }).map(String),
  fc.string({ maxLength: 8 }).map((text) => JSON.stringify(text.replace(/[^ -~]|["\\]/g, ''))),
  fc.constantFrom('true', 'false', 'null', '"*a*"'),
);
const { source } = fc.letrec<{ source: string; operand: string }>((tie) => ({
  operand: fc.oneof(paths, literals, fc.array(literals, { minLength: 1, maxLength: 3 }).map((values) => `[${values.join(', ')}]`)),
  source: fc.oneof(
    { maxDepth: 4 },
    tie('operand'),
    paths.map((path) => `exists ${path}`),
    fc.tuple(tie('operand'), fc.constantFrom('==', '!=', '<', '<=', '>', '>=', 'in', 'contains', 'matches'), tie('operand')).map((parts) => parts.join(' ')),
    tie('source').map((inner) => `not (${inner})`),
    fc.tuple(tie('source'), fc.constantFrom('and', 'or'), tie('source')).map(([left, word, right]) => `(${left}) ${word} (${right})`),
  ),
}));
const anyVariables = fc.record({ a: fc.jsonValue(), b: fc.jsonValue(), d: fc.oneof(fc.string(), fc.double(), fc.boolean()) });

describe('any condition', () => {
  it('holds or does not: one of it and its negation, whatever the variables', () => {
    fc.assert(
      fc.property(source, source, anyVariables, (first, second, values) => {
        const isFirst = isExpressionTrue(parsed(first), values);
        const isSecond = isExpressionTrue(parsed(second), values);
        expect(isExpressionTrue(parsed(`not (${first})`), values)).toBe(!isFirst);
        expect(isExpressionTrue(parsed(`(${first}) and (${second})`), values)).toBe(isFirst && isSecond);
        expect(isExpressionTrue(parsed(`(${first}) or (${second})`), values)).toBe(isFirst || isSecond);
      }),
      { numRuns: 500 },
    );
  });

  it('is parsed or refused with a place inside it, never thrown', () => {
    const pieces = fc.array(fc.oneof(fc.string({ maxLength: 4 }), fc.constantFrom('and', ' not ', '(', ')', '[', '"', '==', 'a.b', '5', ',', 'exists ')), { maxLength: 12 });
    fc.assert(
      fc.property(pieces, fc.jsonValue(), (parts, value) => {
        const text = parts.join('');
        const result = parseExpression(text);
        if (result.ok) expect(typeof isExpressionTrue(result.expression, { a: value })).toBe('boolean');
        else {
          expect(result.position).toBeGreaterThanOrEqual(1);
          expect(result.position).toBeLessThanOrEqual(text.length + 1);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('takes time in proportion, whatever the pattern', () => {
    const pattern = `${'a*'.repeat(450)}b`;
    const fromMs = performance.now();
    expect(isExpressionTrue(parsed(`text matches "${pattern}"`), { text: 'a'.repeat(16_000) })).toBe(false);
    expect(performance.now() - fromMs).toBeLessThan(200);
  });
});
