import { isPrototypeKey, isRecord } from '../base/json.js';
import type { Variables } from './engine.js';

/** Most variables a run holds. */
export const MAX_VARIABLES = 200;
/** Most bytes of all variables as JSON in UTF-8. */
export const MAX_VARIABLES_BYTES = 16_384;
/** Longest name of a variable, characters. */
export const MAX_VARIABLE_NAME_LENGTH = 128;
/** Deepest nesting that is kept; what lies deeper is dropped. */
const MAX_DEPTH = 6;

const encoder = new TextEncoder();

/** A copy that is plain JSON data without prototypes; undefined for what is none. */
function plainCopy(value: unknown, depth: number): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'object' || depth >= MAX_DEPTH) return undefined;
  if (Array.isArray(value)) return value.slice(0, MAX_VARIABLES).map((item) => plainCopy(item, depth + 1) ?? null);
  const copy = Object.create(null) as Record<string, unknown>;
  for (const key of Object.keys(value).slice(0, MAX_VARIABLES)) {
    if (isPrototypeKey(key)) continue;
    const item = plainCopy((value as Readonly<Record<string, unknown>>)[key], depth + 1);
    if (item !== undefined) copy[key] = item;
  }
  return copy;
}

/** A null-prototype copy as plain JSON data, without caps: for variables that were merged before. */
export function copyVariables(variables: Readonly<Record<string, unknown>>): Variables {
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of Object.entries(variables)) {
    const plain = isPrototypeKey(name) ? undefined : plainCopy(value, 0);
    if (plain !== undefined) copy[name] = plain;
  }
  return copy;
}

/**
 * Lays `extra` over `base` as null-prototype JSON data. `reserved` names of `base` are not overwritten, and such names in `extra` are
 * dropped even where `base` lacks them. Prototype keys, non-JSON values and whatever exceeds the caps ({@link MAX_VARIABLES},
 * {@link MAX_VARIABLES_BYTES}) are dropped too; `base` comes first.
 */
export function mergeVariables(base: unknown, extra: unknown, reserved: Iterable<string> = []): Variables {
  const reservedNames = new Set(reserved);
  const merged = Object.create(null) as Record<string, unknown>;
  const sizes = new Map<string, number>();
  let bytes = 2;
  let count = 0;

  const put = (name: string, value: unknown): void => {
    if (isPrototypeKey(name) || name === '' || name.length > MAX_VARIABLE_NAME_LENGTH) return;
    const copy = plainCopy(value, 0);
    if (copy === undefined) return;
    const former = sizes.get(name);
    const size = encoder.encode(`${JSON.stringify(name)}:${JSON.stringify(copy)},`).length;
    if (former === undefined && count >= MAX_VARIABLES) return;
    if (bytes - (former ?? 0) + size > MAX_VARIABLES_BYTES) return;
    bytes += size - (former ?? 0);
    count += former === undefined ? 1 : 0;
    sizes.set(name, size);
    merged[name] = copy;
  };

  if (isRecord(base)) for (const name of Object.keys(base)) put(name, base[name]);
  if (isRecord(extra)) for (const name of Object.keys(extra)) if (!reservedNames.has(name)) put(name, extra[name]);
  return merged;
}

/** `base` with what was learnt laid over it, as null-prototype JSON data; what was learnt keeps to the caps of {@link mergeVariables}. */
export const overlayVariables = (base: Variables, learnt: unknown): Variables =>
  Object.assign(Object.create(null) as Record<string, unknown>, base, mergeVariables(null, learnt));

/** What a conversation added to or changed of the variables it began with; those named in `secret` are left out. */
export function changedVariables(before: Variables, after: Variables, secret: readonly string[] = []): Variables {
  return Object.fromEntries(Object.entries(after).filter(([name, value]) => before[name] !== value && !secret.includes(name)));
}

/** The variables without some. Null-prototype. */
export function withoutVariables(variables: Variables, names: readonly string[]): Variables {
  const rest = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of Object.entries(variables)) if (!names.includes(name)) rest[name] = value;
  return rest;
}
