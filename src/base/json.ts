/** A JSON object of unknown shape. */
export type JsonRecord = Readonly<Record<string, unknown>>;

const emptyRecord: JsonRecord = Object.freeze({});

function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value as an object, or an empty one: for reading what a peer sent without trusting its shape. */
export function asRecord(value: unknown): JsonRecord {
  return isRecord(value) ? value : emptyRecord;
}

/** Parses a JSON object; null for anything else. Never throws. */
export function parseJsonRecord(text: string | Buffer): JsonRecord | null {
  try {
    const value: unknown = JSON.parse(text.toString());
    return isRecord(value) ? value : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
