import { asRecord, isRecord, type JsonRecord } from '../../base/json.js';
import { credentialFields } from '../node-credentials.js';
import { isNodeType, nodeSchemas, type NodeType } from '../schema.js';
import { checkNodeSupport } from '../support-checks.js';
import type { DroppedReport } from './dropped.js';
import { keepClips } from './keep-clips.js';
import { prune } from './prune.js';

/** What the server that imports has, and an export may refer to. */
export interface KnownReferences {
  readonly toolUuids: ReadonlySet<string>;
  readonly documentUuids: ReadonlySet<string>;
  readonly clipUuids: ReadonlySet<string>;
  readonly credentialUuids: ReadonlySet<string>;
}

/** How nodes and edges are read. */
export interface ImportContext {
  readonly report: DroppedReport;
  readonly known: KnownReferences;
  /** True where the defaults of the format are ours, not Dograh's. */
  readonly isOurs: boolean;
}

type Data = Record<string, unknown>;

const promptedTypes: ReadonlySet<NodeType> = new Set<NodeType>(['startCall', 'agentNode', 'endCall']);
const nodeFields: ReadonlySet<string> = new Set(['id', 'type', 'position', 'data']);

/** Why editors' fields around a node or edge are left out. */
export const EDITOR_STATE = 'state of the editor, without meaning for a call';

/** Integrations of Dograh that are nodes there. */
const integrationTypes: ReadonlySet<string> = new Set(['tuner', 'paygent', 'noveum']);

const keyElsewhere = 'the key and address of a model are stored once per vendor: POST /api/v1/vendor-credentials';

/** Fields of Dograh's nodes that have no place here, with what takes theirs. */
const replacedFields: Readonly<Record<string, string>> = {
  is_start: 'the node’s type says it',
  is_end: 'the node’s type says it',
  qa_provider: keyElsewhere,
  qa_api_key: keyElsewhere,
  qa_endpoint: keyElsewhere,
};

/** Empty references, and `null`, are how editors write that nothing is there. */
const isAbsent = (key: string, value: unknown): boolean => value === null || (value === '' && /_(?:id|uuid|url)$/.test(key) && key !== 'endpoint_url');

function keepKnown(data: Data, field: string, known: ReadonlySet<string>, drop: (field: string, value: unknown, why: string) => void): void {
  const uuids = data[field];
  if (!Array.isArray(uuids)) return;
  data[field] = uuids.filter((uuid: unknown, index) => {
    if (typeof uuid === 'string' && known.has(uuid)) return true;
    drop(`${field}.${index}`, uuid, field === 'tool_uuids' ? 'there is no such tool here: create it, then name it in tool_uuids' : 'there is no such document here: upload it, then name it in document_uuids');
    return false;
  });
}

/** Leaves out credentials that are not here, and tells which to create: for whom, never what they hold. */
function keepKnownCredentials(data: Data, known: ReadonlySet<string>, drop: (field: string, value: unknown, why: string) => void): void {
  for (const [field, addressField] of Object.entries(credentialFields)) {
    const uuid = data[field];
    if (uuid === undefined || (typeof uuid === 'string' && known.has(uuid))) continue;
    const address = data[addressField];
    const host = typeof address === 'string' && URL.canParse(address) ? new URL(address).host : 'its server';
    drop(field, uuid, `credentials are not exported: create the one for ${host} (POST /api/v1/credentials), then name it in ${field}`);
    Reflect.deleteProperty(data, field);
  }
}

function keepKnownFilters(data: Data, known: ReadonlySet<string>, drop: (field: string, value: unknown, why: string) => void): void {
  const filters = data['mcp_tool_filters'];
  if (!isRecord(filters)) return;
  data['mcp_tool_filters'] = Object.fromEntries(
    Object.entries(filters).filter(([uuid, value]) => {
      if (known.has(uuid)) return true;
      drop(`mcp_tool_filters.${uuid.slice(0, 100)}`, value, 'there is no such tool here');
      return false;
    }),
  );
}

/** Names of variables as they can be used in templates and conditions. */
function renameVariables(data: Data, drop: (field: string, value: unknown, why: string) => void): void {
  const variables = data['extraction_variables'];
  if (!Array.isArray(variables)) return;
  data['extraction_variables'] = variables.map((variable: unknown, index) => {
    const { name } = asRecord(variable);
    if (typeof name !== 'string' || /^[A-Za-z_]\w*$/.test(name) || name.trim() === '') return variable;
    const usable = name.trim().replaceAll(/\W/g, '_').replace(/^(?=\d)/, '_').slice(0, 64);
    drop(`extraction_variables.${index}.name`, name, `became ${usable}: names are letters, digits and underscores`);
    return { ...asRecord(variable), name: usable };
  });
}

/** The fields of a Dograh node in this version's names, types and defaults. */
function translate(type: NodeType, given: JsonRecord, context: ImportContext, drop: (field: string, value: unknown, why: string) => void): Data {
  const data: Data = Object.fromEntries(Object.entries(given).filter(([key, value]) => !isAbsent(key, value)));
  for (const [field, why] of Object.entries(replacedFields)) {
    if (data[field] !== undefined) drop(field, data[field], why);
    Reflect.deleteProperty(data, field);
  }
  if (promptedTypes.has(type) && !context.isOurs) data['allow_interrupt'] ??= false;
  if (data['pre_call_fetch_enabled'] !== undefined) {
    if (data['pre_call_fetch_enabled'] === true) data['pre_call_fetch_mode'] ??= 'always';
    Reflect.deleteProperty(data, 'pre_call_fetch_enabled');
  }
  const fetchMode = data['pre_call_fetch_mode'];
  if (fetchMode !== undefined && fetchMode !== 'disabled' && data['pre_call_fetch_url'] === undefined) {
    drop('pre_call_fetch_mode', fetchMode, 'there is no address to ask');
    Reflect.deleteProperty(data, 'pre_call_fetch_mode');
  }
  if (type === 'qa' && data['qa_use_workflow_llm'] === false && !context.isOurs) {
    drop('qa_use_workflow_llm', false, 'judged by the workflow’s own model: the vendor of the export is not taken over');
    if (data['qa_model'] !== undefined) drop('qa_model', data['qa_model'], 'a model of the vendor of the export');
    Reflect.deleteProperty(data, 'qa_use_workflow_llm');
    Reflect.deleteProperty(data, 'qa_model');
  }
  keepKnownCredentials(data, context.known.credentialUuids, drop);
  keepKnown(data, 'tool_uuids', context.known.toolUuids, drop);
  keepKnown(data, 'document_uuids', context.known.documentUuids, drop);
  keepClips(data, context.known.clipUuids, drop);
  keepKnownFilters(data, context.known.toolUuids, drop);
  renameVariables(data, drop);
  return data;
}

/** Takes out what the node's type has, but this version cannot do. */
function withoutUnbuilt(node: Data, type: NodeType, drop: (field: string, value: unknown, why: string) => void): Data {
  const parsed = nodeSchemas[type].safeParse(node);
  if (!parsed.success) return node;
  const data = asRecord(node['data']);
  for (const { field, message } of checkNodeSupport(parsed.data)) {
    const key = field.replace(/^data\./, '');
    if (data[key] !== undefined) drop(key, data[key], message);
    Reflect.deleteProperty(data, key);
  }
  return node;
}

/** One node of an export as this version writes it; null where it is dropped. What a required field lacks is left for validation to tell. */
export function importNode(given: unknown, index: number, context: ImportContext): Data | null {
  const { report } = context;
  const fields = asRecord(given);
  const elementId = typeof fields['id'] === 'number' || typeof fields['id'] === 'string' ? String(fields['id']) : null;
  const { type } = fields;
  if (!isNodeType(type)) {
    const shown = typeof type === 'string' ? `“${type.slice(0, 60)}”` : 'none';
    const what = typeof type === 'string' && integrationTypes.has(type) ? 'an integration this server does not have' : 'this version has no such node';
    report.add(['nodes', index], given, `node type ${shown}: ${what}`, elementId);
    return null;
  }
  for (const key of Object.keys(fields)) if (!nodeFields.has(key)) report.add(['nodes', '*', key], fields[key], EDITOR_STATE);
  const drop = (field: string, value: unknown, why: string) => report.add(['nodes', index, 'data', field], value, why, elementId);
  const node: Data = {
    ...(fields['id'] === undefined ? {} : { id: elementId ?? fields['id'] }),
    type,
    ...(isRecord(fields['position']) ? { position: fields['position'] } : {}),
    data: translate(type, asRecord(fields['data']), context, drop),
  };
  const pruned = prune(nodeSchemas[type], node, (path, value, why) => report.add(['nodes', index, ...path], value, why, elementId));
  return withoutUnbuilt(pruned as Data, type, drop);
}
