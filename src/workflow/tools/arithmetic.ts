/** Longest expression, characters. */
const MAX_LENGTH = 500;
/** Deepest nesting of parentheses, signs and powers. */
const MAX_DEPTH = 50;

/** The value, or what is wrong, in words for the model. */
export type ArithmeticResult = { readonly ok: true; readonly value: number } | { readonly ok: false; readonly message: string };

class ArithmeticError extends Error {}

const tokenPattern = /\s*(?:(\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})|(\*\*|[-+*/%^()]))/y;

function tokensOf(text: string): readonly string[] {
  const tokens: string[] = [];
  const end = text.trimEnd().length;
  tokenPattern.lastIndex = 0;
  while (tokenPattern.lastIndex < end) {
    const at = tokenPattern.lastIndex;
    const match = tokenPattern.exec(text);
    if (match === null) throw new ArithmeticError(`"${text.slice(at).trim().slice(0, 10)}" is no number and no operator`);
    tokens.push(match[1] ?? match[2] ?? '');
  }
  return tokens;
}

const apply: Readonly<Record<string, (left: number, right: number) => number>> = {
  '+': (left, right) => left + right,
  '-': (left, right) => left - right,
  '*': (left, right) => left * right,
  '/': (left, right) => left / right,
  '%': (left, right) => left % right,
};

/** Recursive descent: sum, product, sign, power, number or parentheses. */
class Parser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  parse(): number {
    const value = this.#chain(0, ['+', '-'], (depth) => this.#chain(depth, ['*', '/', '%'], (inner) => this.#signed(inner)));
    if (this.#at < this.#tokens.length) throw new ArithmeticError(`"${this.#tokens[this.#at] ?? ''}" is not expected there`);
    return value;
  }

  #chain(depth: number, operators: readonly string[], operand: (depth: number) => number): number {
    let value = operand(depth);
    for (let token = this.#tokens[this.#at] ?? ''; operators.includes(token); token = this.#tokens[this.#at] ?? '') {
      this.#at += 1;
      value = apply[token]?.(value, operand(depth)) ?? Number.NaN;
    }
    return value;
  }

  #signed(depth: number): number {
    if (depth > MAX_DEPTH) throw new ArithmeticError('it is nested too deeply');
    const token = this.#tokens[this.#at];
    if (token === '-' || token === '+') {
      this.#at += 1;
      return (token === '-' ? -1 : 1) * this.#signed(depth + 1);
    }
    return this.#power(depth);
  }

  /** Binds to the right, and tighter than the sign before it: -2 ^ 2 is -4. */
  #power(depth: number): number {
    const base = this.#atom(depth);
    const token = this.#tokens[this.#at];
    if (token !== '^' && token !== '**') return base;
    this.#at += 1;
    return base ** this.#signed(depth + 1);
  }

  #atom(depth: number): number {
    const token = this.#tokens[this.#at] ?? '';
    this.#at += 1;
    if (token !== '(') {
      if (!/^[\d.]/.test(token)) throw new ArithmeticError(token === '' ? 'it ends too early' : `"${token}" is not expected there`);
      return Number(token);
    }
    const value = this.#chain(depth + 1, ['+', '-'], (inner) => this.#chain(inner, ['*', '/', '%'], (deeper) => this.#signed(deeper)));
    if (this.#tokens[this.#at] !== ')') throw new ArithmeticError('a parenthesis is not closed');
    this.#at += 1;
    return value;
  }
}

/** Calculates with `+ - * / % ^` (or `**`), signs and parentheses over decimal numbers: nothing of it is ever run as code. Never throws. */
export function calculate(expression: string): ArithmeticResult {
  if (expression.length > MAX_LENGTH) return { ok: false, message: `an expression has ${MAX_LENGTH} characters at the most` };
  try {
    const value = new Parser(tokensOf(expression)).parse();
    // 0.1 + 0.2 is to be 0.3 for a caller.
    return Number.isFinite(value) ? { ok: true, value: Number(value.toPrecision(12)) } : { ok: false, message: 'it has no finite result' };
  } catch (error) {
    if (error instanceof ArithmeticError) return { ok: false, message: error.message };
    throw error;
  }
}
