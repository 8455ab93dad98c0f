import { variableAt } from './template.js';

/** A value that is written down in an expression. */
type Literal = string | number | boolean | null;

/** How two values are compared. */
export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'contains' | 'matches';

/**
 * A parsed condition over a call's variables ({@link parseExpression}): plain data without functions, so that a graph that holds it can
 * be frozen and shared.
 */
export type Expression =
  | { readonly kind: 'literal'; readonly value: Literal }
  | { readonly kind: 'list'; readonly values: readonly Literal[] }
  | { readonly kind: 'variable'; readonly path: readonly string[] }
  | { readonly kind: 'exists'; readonly path: readonly string[] }
  | { readonly kind: 'not'; readonly operand: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'compare'; readonly comparison: Comparison; readonly left: Expression; readonly right: Expression };

type Values = Readonly<Record<string, unknown>>;

/** Numbers as people and vendors write them: `12`, `-3.5`. */
const NUMERIC = /^-?\d{1,15}(\.\d{1,15})?$/;

const isMissing = (value: unknown): boolean => value === undefined || value === null || value === '';

/** False for what is missing, `false`, 0, an empty text, and the texts `false` and `0` that come from a URL. */
const isTruthy = (value: unknown): boolean => !isMissing(value) && value !== false && value !== 0 && value !== 'false' && value !== '0';

/** Both sides as the type of the side that is a number or a truth value, where the other is a text that reads as one. */
function aligned(left: unknown, right: unknown): readonly [unknown, unknown] {
  if (typeof left === 'string' && typeof right !== 'string') return [readAs(left, right), right];
  if (typeof right === 'string' && typeof left !== 'string') return [left, readAs(right, left)];
  return [left, right];
}

function readAs(text: string, other: unknown): unknown {
  if (typeof other === 'number') return NUMERIC.test(text.trim()) ? Number(text) : text;
  if (typeof other === 'boolean') return text === 'true' || (text === 'false' ? false : text);
  return text;
}

function isEqual(left: unknown, right: unknown): boolean {
  if (isMissing(left) && isMissing(right)) return true;
  const [first, second] = aligned(left, right);
  return first === second;
}

/** Numbers by size; two texts that read as numbers too, others by their characters; anything else has no order. */
function isOrdered(left: unknown, right: unknown, holds: (order: number) => boolean): boolean {
  const [first, second] = aligned(left, right);
  if (typeof first === 'number' && typeof second === 'number') return holds(first - second);
  if (typeof first !== 'string' || typeof second !== 'string' || first === '' || second === '') return false;
  if (NUMERIC.test(first) && NUMERIC.test(second)) return holds(Number(first) - Number(second));
  return holds(first < second ? -1 : Number(first > second));
}

const textOf = (value: unknown): string | null =>
  typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : null;

const isMember = (value: unknown, list: unknown): boolean => Array.isArray(list) && !isMissing(value) && list.some((item) => isEqual(value, item));

function isContained(holder: unknown, value: unknown): boolean {
  if (Array.isArray(holder)) return isMember(value, holder);
  const part = textOf(value);
  return typeof holder === 'string' && part !== null && part !== '' && holder.includes(part);
}

/**
 * True where the whole text has the form of the pattern, in which `*` stands for any characters; case does not count. The parts are
 * looked for one after the other and never again, so that no pattern takes more than linear many searches.
 */
function isMatch(value: unknown, pattern: unknown): boolean {
  const text = textOf(value)?.toLowerCase();
  const [first = '', ...parts] = (textOf(pattern) ?? '').toLowerCase().split('*');
  if (text === undefined || textOf(pattern) === null) return false;
  const last = parts.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let from = first.length;
  for (const part of parts) {
    const at = text.indexOf(part, from);
    if (at < 0) return false;
    from = at + part.length;
  }
  return text.length - last.length >= from && text.endsWith(last);
}

function isTrueOf(comparison: Comparison, left: unknown, right: unknown): boolean {
  switch (comparison) {
    case '==':
      return isEqual(left, right);
    case '!=':
      return !isEqual(left, right);
    case '<':
      return isOrdered(left, right, (order) => order < 0);
    case '<=':
      return isOrdered(left, right, (order) => order <= 0);
    case '>':
      return isOrdered(left, right, (order) => order > 0);
    case '>=':
      return isOrdered(left, right, (order) => order >= 0);
    case 'in':
      return isMember(left, right);
    case 'contains':
      return isContained(left, right);
    case 'matches':
      return isMatch(left, right);
  }
}

function valueOf(expression: Expression, variables: Values): unknown {
  switch (expression.kind) {
    case 'literal':
      return expression.value;
    case 'list':
      return expression.values;
    case 'variable':
      return variableAt(variables, expression.path);
    case 'exists':
      return !isMissing(variableAt(variables, expression.path));
    case 'not':
      return !isTruthy(valueOf(expression.operand, variables));
    case 'and':
      return isTruthy(valueOf(expression.left, variables)) && isTruthy(valueOf(expression.right, variables));
    case 'or':
      return isTruthy(valueOf(expression.left, variables)) || isTruthy(valueOf(expression.right, variables));
    case 'compare':
      return isTrueOf(expression.comparison, valueOf(expression.left, variables), valueOf(expression.right, variables));
  }
}

/**
 * Whether a condition holds. Total: nothing a variable can hold makes it throw, and prototype keys find nothing. What is missing, null
 * or an empty text equals only its like, has no order, and is in no list.
 */
export const isExpressionTrue = (expression: Expression, variables: Values): boolean => isTruthy(valueOf(expression, variables));

/** Paths of the variables a condition reads, but for those it only asks the existence of. */
export function expressionPaths(expression: Expression): readonly (readonly string[])[] {
  switch (expression.kind) {
    case 'literal':
    case 'list':
    case 'exists':
      return [];
    case 'variable':
      return [expression.path];
    case 'not':
      return expressionPaths(expression.operand);
    case 'and':
    case 'or':
    case 'compare':
      return [...expressionPaths(expression.left), ...expressionPaths(expression.right)];
  }
}
