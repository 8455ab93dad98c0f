import type { z } from 'zod';

/** How often a value is looked at again after something was taken out of it: refinements speak up only once the shape is right. */
const MAX_ROUNDS = 8;

type Path = readonly PropertyKey[];
type Schema = z.core.$ZodType;
type Holder = Record<PropertyKey, unknown>;

/** The schema beneath defaults and optionals. */
function unwrapped(schema: Schema): Schema {
  const { def } = schema._zod;
  return 'innerType' in def ? unwrapped(def.innerType as Schema) : schema;
}

/** The schema of one field or entry; undefined where the schema does not tell (unions, unknown keys). */
function childOf(schema: Schema | undefined, key: PropertyKey): Schema | undefined {
  if (schema === undefined) return undefined;
  const { def } = unwrapped(schema)._zod;
  if ('shape' in def) {
    const shape = def.shape as Readonly<Record<PropertyKey, Schema>>;
    return Object.hasOwn(shape, key) ? shape[key] : undefined;
  }
  if ('element' in def) return def.element as Schema;
  return 'valueType' in def ? (def.valueType as Schema) : undefined;
}

const schemaAt = (schema: Schema, path: Path): Schema | undefined => path.reduce<Schema | undefined>(childOf, schema);

const isHolder = (value: unknown): value is Holder => typeof value === 'object' && value !== null;

const valueAt = (root: unknown, path: Path): unknown =>
  path.reduce<unknown>((value, key) => (isHolder(value) && Object.hasOwn(value, key) ? value[key] : undefined), root);

/** True where the value may go without its holder becoming wrong: an entry of a list, a field that need not be there. */
function isRemovable(schema: Schema, path: Path): boolean {
  const holder = schemaAt(schema, path.slice(0, -1));
  if (holder === undefined) return false;
  if (!('shape' in unwrapped(holder)._zod.def)) return true;
  const own = schemaAt(schema, path);
  return own === undefined || own._zod.optin !== undefined;
}

/** The smallest part around an issue that can go; undefined where the whole would be lost. */
function removableAround(schema: Schema, root: unknown, path: Path): Path | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const part = path.slice(0, length);
    if (valueAt(root, part) !== undefined && isRemovable(schema, part)) return part;
  }
  return undefined;
}

/** A value of the right type that says the same; undefined where there is none. */
function sameInType(expected: string, value: unknown): unknown {
  if (expected === 'number' || expected === 'int') return typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : undefined;
  if (expected === 'boolean') return value === 'true' || value === 'false' ? value === 'true' : undefined;
  return expected === 'string' && (typeof value === 'number' || typeof value === 'boolean') ? String(value) : undefined;
}

/** Removes parts; entries of one list together, the innermost first, so that the paths to the others stay right. */
function removeAll(root: unknown, paths: readonly Path[]): void {
  const byHolder = new Map<unknown, Set<PropertyKey>>();
  for (const path of paths.toSorted((left, right) => right.length - left.length)) {
    const holder = valueAt(root, path.slice(0, -1));
    const key = path.at(-1);
    if (key === undefined) continue;
    const keys = byHolder.get(holder);
    if (keys === undefined) byHolder.set(holder, new Set([key]));
    else keys.add(key);
  }
  for (const [holder, keys] of byHolder) {
    if (Array.isArray(holder)) {
      const kept: readonly unknown[] = holder.filter((_entry, index) => !keys.has(index));
      holder.length = 0;
      for (const entry of kept) holder.push(entry);
    } else if (isHolder(holder)) for (const key of keys) Reflect.deleteProperty(holder, key);
  }
}

/** Told of every part that was taken out. */
export type OnRemoved = (path: Path, value: unknown, why: string) => void;

/**
 * Takes out of a JSON value what a schema does not allow, as little as possible; what says the same in another type (`"2"` for 2) is
 * converted, and `null` counts as absent. A required part that is missing or wrong stays as it is: validation tells of it.
 * Returns a copy; defaults are not filled in.
 */
export function prune(schema: z.ZodType, value: unknown, onRemoved: OnRemoved): unknown {
  const root = structuredClone(value);
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const result = schema.safeParse(root);
    if (result.success || !cureAll(schema, root, result.error.issues, onRemoved)) break;
  }
  return root;
}

function cureAll(schema: Schema, root: unknown, issues: readonly z.core.$ZodIssue[], onRemoved: OnRemoved): boolean {
  const paths: Path[] = [];
  let isChanged = false;
  for (const issue of issues) {
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const path = [...issue.path, key];
        paths.push(path);
        onRemoved(path, valueAt(root, path), 'this version has no such field');
      }
      continue;
    }
    const value = valueAt(root, issue.path);
    const same = issue.code === 'invalid_type' ? sameInType(issue.expected, value) : undefined;
    const holder = valueAt(root, issue.path.slice(0, -1));
    if (same !== undefined && isHolder(holder)) {
      Reflect.set(holder, issue.path.at(-1) ?? '', same);
      isChanged = true;
      continue;
    }
    const part = removableAround(schema, root, issue.path);
    if (part === undefined) continue;
    paths.push(part);
    if (value !== null) onRemoved(part, valueAt(root, part), issue.message);
  }
  removeAll(root, paths);
  return isChanged || paths.length > 0;
}
