import type { Comparison, Expression } from './expression.js';

/** Deepest nesting of brackets and `not`. */
const MAX_DEPTH = 20;
/** Longest list. */
const MAX_LIST_LENGTH = 100;

/** What was parsed, or what is wrong and at which character (1 is the first). */
export type ExpressionResult =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly message: string; readonly position: number };

interface Token {
  readonly kind: 'word' | 'string' | 'number' | 'symbol' | 'end';
  readonly text: string;
  /** Of its first character, counted from 1. */
  readonly position: number;
}

class ExpressionError extends Error {
  constructor(
    message: string,
    readonly position: number,
  ) {
    super(message);
  }
}

/** Sticky, and each without nested repetition: one linear pass. */
const tokenPatterns = [
  ['word', /[A-Za-z_][\w-]*(?:\.[\w-]+)*/y],
  ['number', /-?\d{1,15}(?:\.\d{1,15})?(?![\w.])/y],
  ['string', /"[^"\\]*(?:\\["\\][^"\\]*)*"|'[^'\\]*(?:\\['\\][^'\\]*)*'/y],
  ['symbol', /==|!=|<=|>=|[<>()[\],]/y],
] as const;

const constants: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
]);
const comparisons: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=', 'in', 'contains', 'matches'] satisfies Comparison[]);
const reserved: ReadonlySet<string> = new Set(['and', 'or', 'not', 'exists', 'in', 'contains', 'matches', ...constants.keys()]);

const isComparison = (text: string): text is Comparison => comparisons.has(text);

function tokenAt(source: string, index: number): Token {
  const position = index + 1;
  for (const [kind, pattern] of tokenPatterns) {
    pattern.lastIndex = index;
    const text = pattern.exec(source)?.[0];
    if (text !== undefined) return { kind, text, position };
  }
  const char = source.charAt(index);
  throw new ExpressionError(char === '"' || char === "'" ? 'the text has no closing quote' : `unexpected ${JSON.stringify(char)}`, position);
}

function tokenize(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let index = 0;
  for (;;) {
    while (/\s/.test(source.charAt(index))) index += 1;
    if (index >= source.length) break;
    const token = tokenAt(source, index);
    tokens.push(token);
    index += token.text.length;
  }
  return [...tokens, { kind: 'end', text: '', position: source.length + 1 }];
}

const shown = ({ kind, text }: Token): string => (kind === 'end' ? 'the end' : JSON.stringify(text.slice(0, 40)));

const unquoted = (text: string): string => text.slice(1, -1).replace(/\\(.)/gs, '$1');

class ExpressionParser {
  readonly #tokens: readonly Token[];
  #index = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  whole(): Expression {
    const expression = this.#or();
    const rest = this.#peek();
    if (rest.kind !== 'end') throw new ExpressionError(`expected and, or or the end, found ${shown(rest)}`, rest.position);
    return expression;
  }

  #peek(): Token {
    return this.#tokens[this.#index] ?? { kind: 'end', text: '', position: 1 };
  }

  /** Takes the next token where it is this word or symbol. */
  #take(text: string): boolean {
    const { kind, text: found } = this.#peek();
    const isIt = (kind === 'word' || kind === 'symbol') && found === text;
    if (isIt) this.#index += 1;
    return isIt;
  }

  #expect(text: string): void {
    const token = this.#peek();
    if (!this.#take(text)) throw new ExpressionError(`expected ${text}, found ${shown(token)}`, token.position);
  }

  #nested<Result>(parse: () => Result): Result {
    if (this.#depth >= MAX_DEPTH) throw new ExpressionError(`nested more than ${MAX_DEPTH} deep`, this.#peek().position);
    this.#depth += 1;
    const result = parse();
    this.#depth -= 1;
    return result;
  }

  #or(): Expression {
    let left = this.#and();
    while (this.#take('or')) left = { kind: 'or', left, right: this.#and() };
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.#take('and')) left = { kind: 'and', left, right: this.#not() };
    return left;
  }

  #not(): Expression {
    if (!this.#take('not')) return this.#compared();
    return this.#nested(() => ({ kind: 'not', operand: this.#not() }));
  }

  #compared(): Expression {
    const left = this.#operand();
    const { kind, text } = this.#peek();
    if ((kind !== 'symbol' && kind !== 'word') || !isComparison(text)) return left;
    this.#index += 1;
    return { kind: 'compare', comparison: text, left, right: this.#operand() };
  }

  #operand(): Expression {
    if (this.#take('(')) {
      const inner = this.#nested(() => this.#or());
      this.#expect(')');
      return inner;
    }
    if (this.#take('[')) return { kind: 'list', values: this.#list() };
    if (this.#take('exists')) return { kind: 'exists', path: this.#path() };
    const { kind, text } = this.#peek();
    return kind === 'word' && !constants.has(text) ? { kind: 'variable', path: this.#path() } : { kind: 'literal', value: this.#literal() };
  }

  #path(): readonly string[] {
    const token = this.#peek();
    if (token.kind !== 'word' || reserved.has(token.text)) throw new ExpressionError(`expected a variable, found ${shown(token)}`, token.position);
    this.#index += 1;
    return token.text.split('.');
  }

  #literal(): string | number | boolean | null {
    const token = this.#peek();
    this.#index += 1;
    if (token.kind === 'string') return unquoted(token.text);
    if (token.kind === 'number') return Number(token.text);
    const constant = token.kind === 'word' ? constants.get(token.text) : undefined;
    if (constant === undefined) throw new ExpressionError(`expected a variable, a text, a number, true or false, found ${shown(token)}`, token.position);
    return constant;
  }

  #list(): readonly (string | number | boolean | null)[] {
    const values = [];
    for (;;) {
      const { position } = this.#peek();
      if (values.length >= MAX_LIST_LENGTH) throw new ExpressionError(`a list holds at most ${MAX_LIST_LENGTH} values`, position);
      values.push(this.#literal());
      if (this.#take(']')) return values;
      this.#expect(',');
    }
  }
}

/**
 * Parses a condition over variables: `and`, `or`, `not`, brackets; `==`, `!=`, `<`, `<=`, `>`, `>=`, `in`, `contains`, `matches`; `exists name`;
 * texts in quotes, numbers, `true`, `false`, `null`, lists in square brackets, dotted variables as in templates. Never throws; a parse takes
 * one pass over the source, whose length the schema bounds.
 */
export function parseExpression(source: string): ExpressionResult {
  try {
    return { ok: true, expression: new ExpressionParser(tokenize(source)).whole() };
  } catch (error) {
    if (error instanceof ExpressionError) return { ok: false, message: error.message, position: error.position };
    throw error;
  }
}
