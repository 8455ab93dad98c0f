import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testWallMs } from '../../test/support/workflow-call.js';
import { invalidExpressions, MAX_RENDERED_LENGTH, parseTemplate, renderTemplate, requiredVariables } from './template.js';

const render = (text: string, variables: Record<string, unknown> = {}) => renderTemplate(parseTemplate(text), variables, testWallMs);

describe('renderTemplate', () => {
  it.each([
    ['plain text', {}, 'plain text'],
    ['Hello {{name}}!', { name: 'Ada' }, 'Hello Ada!'],
    ['{{ customer.address.city }}', { customer: { address: { city: 'Haifa' } } }, 'Haifa'],
    ['{{items.1}}', { items: ['a', 'b'] }, 'b'],
    ['{{count}} {{isOpen}}', { count: 0, isOpen: false }, '0 false'],
    ['{{missing}}', {}, ''],
    ['{{name | friend}}', {}, 'friend'],
    ['{{name | friend}}', { name: '' }, 'friend'],
    ['{{name | fallback:friend}}', {}, 'friend'],
    ['{{name | "dear friend"}}', {}, 'dear friend'],
    ['{{name | a|b}}', {}, 'a|b'],
    ['{{name}}', { name: null }, ''],
    ['{{initial_context.name}}', { name: 'Ada' }, 'Ada'],
    ['{{gathered_context.order.id}}', { order: { id: 7 } }, '7'],
    ['{{order}}', { order: { id: 7 } }, '{"id":7}'],
    ['line\\nbreak', {}, 'line\nbreak'],
    ['{{name}}', { name: 'a\\nb {{other}}' }, 'a\\nb {{other}}'],
    ['{{unclosed', { unclosed: 1 }, '{{unclosed'],
    ['}} {{a}} }}', { a: 1 }, '}} 1 }}'],
    ['{{a b}}', { a: 1 }, ''],
    ['{{current_time}}', {}, '2026-01-01 09:05 UTC'],
    ['{{current_time_America/New_York}}', {}, '2026-01-01 04:05 America/New_York'],
    ['{{current_weekday}}', {}, 'Thursday'],
    ['{{current_weekday_Pacific/Kiritimati}}', {}, 'Thursday'],
    ['{{current_time_Mars/Olympus}}', {}, ''],
  ])('%s', (text, variables, expected) => {
    expect(render(text, variables)).toBe(expected);
  });

  it.each(['__proto__', 'constructor', 'constructor.prototype', '__proto__.polluted', 'a.__proto__', 'a.constructor.name', 'toString', 'a.toString', 'a.length.constructor'])(
    'reaches no prototype by {{%s}}',
    (path) => {
      expect(render(`[{{${path}}}]`, { a: {} })).toBe('[]');
      const hostile = JSON.parse('{"__proto__":"own","constructor":"own","a":{"__proto__":"own"}}') as Record<string, unknown>;
      expect(render(`[{{${path}}}]`, hostile)).toBe('[]');
    },
  );

  it('survives values that are no JSON', () => {
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    expect(render('[{{cyclic}}{{big}}{{fn}}{{symbol}}]', { cyclic, big: { n: 1n }, fn: () => 'called', symbol: Symbol('s') })).toBe('[]');
  });

  it('cuts what is longer than its bound', () => {
    expect(render('{{a}}'.repeat(2000), { a: 'x'.repeat(1000) })).toHaveLength(MAX_RENDERED_LENGTH);
  });

  it('parses hostile braces in linear time', () => {
    expect(render('{{'.repeat(100_000))).toHaveLength(MAX_RENDERED_LENGTH);
    expect(render(`${'{{'.repeat(100_000)}}}`)).toBe('');
    expect(render(`{{${'a.'.repeat(100_000)}}}`)).toBe('');
  });

  it('renders any text with any variables, bounded, and leaves texts without braces alone', () => {
    const names = fc.constantFrom('a', 'b', '__proto__', 'constructor', 'prototype', 'toString', 'current_time', 'current_time_UTC');
    const piece = fc.oneof(fc.string(), names.map((name) => `{{${name}}}`), fc.tuple(names, names).map(([a, b]) => `{{ ${a}.${b} | x }}`), fc.constantFrom('{{', '}}', '|', '\\n'));
    const variables = fc.dictionary(fc.oneof(names, fc.string()), fc.jsonValue());
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), variables, (pieces, values) => {
        const output = render(pieces.join(''), values);
        expect(output.length).toBeLessThanOrEqual(MAX_RENDERED_LENGTH);
        expect(output).not.toContain('[native code]');
        expect(output).not.toContain('[object ');
      }),
      { numRuns: 300 },
    );
    fc.assert(fc.property(fc.string().filter((text) => !text.includes('{{') && !text.includes('\\n')), (text) => render(text) === text));
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('what a template asks for', () => {
  it('names the variables it needs and the expressions that are none', () => {
    const template = parseTemplate('{{a}} {{b | x}} {{c.d}} {{initial_context.e}} {{current_time}} {{1+1}} {{current_time_Nowhere/At_All}}');
    expect(requiredVariables(template)).toEqual(['a', 'c', 'e']);
    expect(invalidExpressions(template)).toEqual(['1+1', 'current_time_Nowhere/At_All']);
  });
});
