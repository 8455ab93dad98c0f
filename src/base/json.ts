/** A JSON object of unknown shape. */
export type JsonRecord = Readonly<Record<string, unknown>>;

const emptyRecord: JsonRecord = Object.freeze({});

/** True for a JSON object: neither null nor an array. */
export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value as an object, or an empty one: for reading what a peer sent without trusting its shape. */
export function asRecord(value: unknown): JsonRecord {
  return isRecord(value) ? value : emptyRecord;
}

/** Names that reach an object's prototype: nothing a peer sends is stored or looked up under them. */
const prototypeKeys: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** True for a name that reaches an object's prototype. */
export const isPrototypeKey = (key: string): boolean => prototypeKeys.has(key);

/** Parses JSON; undefined for what is none. Never throws. */
export function parseJson(text: string | Buffer): unknown {
  try {
    return JSON.parse(text.toString());
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Parses a JSON object; null for anything else. Never throws. */
export function parseJsonRecord(text: string | Buffer): JsonRecord | null {
  const value = parseJson(text);
  return isRecord(value) ? value : null;
}
