/** What PostgreSQL's text cannot hold: NUL, and halves of surrogate pairs. Peers send both. */
export function storableText(text: string): string {
  return text.replaceAll('\u0000', '').replace(/\p{Surrogate}/gu, '\ufffd');
}

function storable(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return storableText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return null;
  if ('toJSON' in value && typeof value.toJSON === 'function') return storable((value.toJSON as () => unknown)(), depth + 1);
  if (Array.isArray(value)) return value.map((item) => storable(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [storableText(key), storable(item, depth + 1)]));
}

/** Deeper values, and with them cycles, become null. */
const MAX_DEPTH = 64;

/** JSON text that PostgreSQL takes whatever strings the value holds. `undefined` becomes null. Never throws on plain data. */
export function encodeJson(value: unknown): string {
  return JSON.stringify(storable(value, 0) ?? null);
}
