import { asRecord } from '../../base/json.js';
import { toolNameOf } from '../graph.js';
import { edgelessTypes } from '../graph-checks.js';
import { isNodeType, edgeSchema } from '../schema.js';
import { checkEdgeSupport } from '../support-checks.js';
import { keepClips } from './keep-clips.js';
import { EDITOR_STATE, type ImportContext } from './import-node.js';
import { prune } from './prune.js';

type Data = Record<string, unknown>;

const edgeFields: ReadonlySet<string> = new Set(['id', 'source', 'target', 'data']);

const idOf = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');

/** Why an edge cannot be kept, or null. */
function obstacleOf(source: string, target: string, typesById: ReadonlyMap<string, string>): string | null {
  for (const id of [source, target]) {
    const type = typesById.get(id);
    if (type === undefined) return 'leads from or to a node that is not there, or was dropped';
    if (isNodeType(type) && edgelessTypes.has(type)) return `a ${type} takes no edges`;
  }
  return null;
}

/** One edge of an export as this version writes it; null where it is dropped. `typesById`: the types of the nodes that are kept. */
export function importEdge(given: unknown, index: number, context: ImportContext, typesById: ReadonlyMap<string, string>): Data | null {
  const { report } = context;
  const fields = asRecord(given);
  const [source, target] = [idOf(fields['source']), idOf(fields['target'])];
  const id = idOf(fields['id']) || `edge-${index}`;
  const obstacle = obstacleOf(source, target, typesById);
  if (obstacle !== null) {
    report.add(['edges', index], given, obstacle, id);
    return null;
  }
  for (const key of Object.keys(fields)) if (!edgeFields.has(key)) report.add(['edges', '*', key], fields[key], EDITOR_STATE);
  const data = Object.fromEntries(Object.entries(asRecord(fields['data'])).filter(([, value]) => value !== null && value !== ''));
  keepClips(data, context.known.clipUuids, (field, value, why) => report.add(['edges', index, 'data', field], value, why, id));
  const pruned = prune(edgeSchema, { id, source, target, data }, (path, value, why) => report.add(['edges', index, ...path], value, why, id)) as Data;
  const parsed = edgeSchema.safeParse(pruned);
  const kept = asRecord(pruned['data']) as Data;
  for (const { field, message } of parsed.success ? checkEdgeSupport(parsed.data) : []) {
    const key = field.replace(/^data\./, '');
    if (kept[key] !== undefined) report.add(['edges', index, 'data', key], kept[key], message, id);
    Reflect.deleteProperty(kept, key);
  }
  return pruned;
}

/** An edge that is kept, with its place in the export. */
export interface KeptEdge {
  readonly index: number;
  readonly edge: Record<string, unknown>;
}

/**
 * Gives edges of a node that would become the same function labels that differ: older documents of Dograh hold such, and a model's
 * vendor refuses them.
 */
export function tellApart(edges: readonly KeptEdge[], { report }: ImportContext): void {
  const taken = new Map<string, Set<string>>();
  for (const { index, edge } of edges) {
    const data = asRecord(edge['data']) as Data;
    if (typeof data['label'] !== 'string' || data['when'] !== undefined) continue;
    const source = idOf(edge['source']);
    const names = taken.get(source) ?? new Set<string>();
    taken.set(source, names);
    const label = data['label'].slice(0, 190);
    let number = 1;
    while (names.has(toolNameOf(number === 1 ? data['label'] : `${label} ${number}`))) number += 1;
    if (number > 1) {
      data['label'] = `${label} ${number}`;
      report.add(['edges', index, 'data', 'label'], label, `another edge of its node becomes the same function: “${number}” was put after it`, idOf(edge['id']));
    }
    names.add(toolNameOf(data['label'] as string));
  }
}
