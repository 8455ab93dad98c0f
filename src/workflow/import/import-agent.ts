import type { z } from 'zod';
import { asRecord, isRecord, type JsonRecord } from '../../base/json.js';
import { MAX_EDGES, MAX_NODES } from '../nodes/shared.js';
import { clipReferencesIn } from '../clip-references.js';
import { workflowDocumentSchema } from '../schema.js';
import { createDroppedReport, type Dropped } from './dropped.js';
import { readEnvelope, type UnreadableExport } from './envelope.js';
import { importEdge, tellApart, type KeptEdge } from './import-edge.js';
import { importNode, type ImportContext, type KnownReferences } from './import-node.js';
import { importSettings } from './import-settings.js';

/** Name of an agent whose export has none. */
const DEFAULT_NAME = 'Imported agent';

/** An agent as this version has it. It may still have problems: those are validation's to tell. */
export interface ImportedAgent {
  readonly name: string;
  readonly workflow: unknown;
  readonly settings: unknown;
  readonly variables: JsonRecord;
}

/** What became of an export, or why it cannot be read. */
export type ImportResult =
  | { readonly ok: true; readonly agent: ImportedAgent; readonly dropped: readonly Dropped[] }
  | { readonly ok: false; readonly refusal: UnreadableExport };

/** What an import is measured against. */
export interface ImportOptions {
  readonly known: KnownReferences;
  /** Schema of the settings, with the vendors this server has. */
  readonly settingsSchema: z.ZodType;
}

function listAt(document: JsonRecord, field: 'nodes' | 'edges', limit: number, { report }: ImportContext): readonly unknown[] {
  const list = document[field];
  if (!Array.isArray(list)) {
    if (list !== undefined && list !== null) report.add([field], list, 'is no list');
    return [];
  }
  if (list.length > limit) report.add([field, limit], list[limit], `more than ${limit} ${field}: these and what follows`);
  return list.slice(0, limit);
}

function importDocument(document: unknown, context: ImportContext): unknown {
  if (!isRecord(document)) {
    context.report.add(['workflow_definition'], document, 'is no object');
    return { nodes: [], edges: [] };
  }
  for (const [key, value] of Object.entries(document))
    if (!['nodes', 'edges', 'viewport'].includes(key)) context.report.add(['workflow_definition', key], value, 'this version has no such field');
  const nodes = listAt(document, 'nodes', MAX_NODES, context)
    .map((node, index) => importNode(node, index, context))
    .filter((node) => node !== null);
  const typesById = new Map(nodes.map((node) => [String(node['id']), String(node['type'])]));
  const edges = listAt(document, 'edges', MAX_EDGES, context)
    .map((edge, index) => ({ index, edge: importEdge(edge, index, context, typesById) }))
    .filter((entry): entry is KeptEdge => entry.edge !== null);
  tellApart(edges, context);
  const viewport = workflowDocumentSchema.shape.viewport.safeParse(document['viewport']);
  return { nodes, edges: edges.map(({ edge }) => edge), ...(viewport.data === undefined ? {} : { viewport: viewport.data }) };
}

/** Most documents, and most audio clips, that are looked for. */
const MAX_REFERENCES = 1000;
const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** The documents that an export's nodes name, as far as they are UUIDs; at most 1000. */
export function documentUuidsIn(given: JsonRecord): readonly string[] {
  const envelope = readEnvelope(given, createDroppedReport());
  const { nodes } = asRecord('document' in envelope ? envelope.document : null);
  const named = (Array.isArray(nodes) ? nodes : []).flatMap((node: unknown) => {
    const { document_uuids: uuids } = asRecord(asRecord(node)['data']);
    return Array.isArray(uuids) ? uuids.filter((uuid): uuid is string => typeof uuid === 'string' && uuidPattern.test(uuid)) : [];
  });
  return [...new Set(named)].slice(0, MAX_REFERENCES);
}

/** The audio clips that an export names, as far as they are UUIDs; at most 1000. */
export function clipUuidsIn(given: JsonRecord): readonly string[] {
  const envelope = readEnvelope(given, createDroppedReport());
  const named = clipReferencesIn('document' in envelope ? envelope.document : null).map(({ recordingId }) => recordingId);
  return [...new Set(named.filter((uuid) => uuidPattern.test(uuid)))].slice(0, MAX_REFERENCES);
}

/**
 * Reads an exported agent, ours or Dograh's, and reports everything that is not taken over. Pure; never throws for any JSON object.
 * Dograh's defaults hold where its document leaves a field out: `allow_interrupt` is false there.
 */
export function importAgent(given: JsonRecord, { known, settingsSchema }: ImportOptions): ImportResult {
  const report = createDroppedReport();
  const envelope = readEnvelope(given, report);
  if ('message' in envelope) return { ok: false, refusal: envelope };
  const workflow = importDocument(envelope.document, { report, known, isOurs: envelope.isOurs });
  const settings = importSettings(envelope, settingsSchema, report);
  const { name, variables } = envelope;
  return { ok: true, agent: { name: name ?? DEFAULT_NAME, workflow, settings, variables }, dropped: report.entries() };
}
