/** Most entries of one report; what is beyond is counted in a last one. */
const MAX_DROPPED = 500;

/** What kind of value stood somewhere; never the value itself, which may be a secret. */
export type ValueKind = 'null' | 'boolean' | 'number' | 'string' | 'list' | 'object' | 'nothing';

/** One thing of an export that the imported agent does not have, or has differently. */
export interface Dropped {
  /** Dotted path in the export; `*` stands for every index where all are alike. */
  readonly path: string;
  /** Id of the node or edge; null outside of them. */
  readonly elementId: string | null;
  readonly valueKind: ValueKind;
  /** For people: why it was not taken over, or what it became. */
  readonly why: string;
}

/** The kind of a JSON value. */
function valueKindOf(value: unknown): ValueKind {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'list';
  switch (typeof value) {
    case 'boolean':
    case 'number':
    case 'string':
    case 'object':
      return typeof value as ValueKind;
    default:
      return 'nothing';
  }
}

/** Collects what an import leaves out. */
export interface DroppedReport {
  /** Notes one value. `elementId` null: outside of nodes and edges. */
  add(path: readonly PropertyKey[], value: unknown, why: string, elementId?: string | null): void;
  /** In the order they were noted, one per path, at most 500 and one that counts the rest. */
  entries(): readonly Dropped[];
}

/** Creates an empty report. */
export function createDroppedReport(): DroppedReport {
  const byPath = new Map<string, Dropped>();
  let surplus = 0;
  return {
    add(path, value, why, elementId = null) {
      const key = path.map(String).join('.').slice(0, 300);
      if (byPath.has(key)) return;
      if (byPath.size >= MAX_DROPPED) surplus += 1;
      else byPath.set(key, { path: key, elementId, valueKind: valueKindOf(value), why });
    },
    entries() {
      const all = [...byPath.values()];
      if (surplus > 0) all.push({ path: '', elementId: null, valueKind: 'nothing', why: `${surplus} more are not listed` });
      return all;
    },
  };
}
