import { isPrototypeKey, isRecord, type JsonRecord } from '../../base/json.js';
import { MAX_VARIABLES, MAX_VARIABLE_NAME_LENGTH } from '../variables.js';
import type { DroppedReport } from './dropped.js';

/** Version of the documents that {@link exportAgent} writes; it rises with every change that an older version could misread. */
const EXPORT_VERSION = 1;

/** Field that marks a document of ours; its value is the version. */
const EXPORT_MARK = 'agent_stream_export';

const MAX_NAME_LENGTH = 200;

/** The parts of an exported agent, whoever wrote it. */
export interface ExportEnvelope {
  readonly name: string | null;
  readonly document: unknown;
  /** Settings in our names; null where there are none. */
  readonly settings: JsonRecord | null;
  /** Settings in Dograh's names; null where there are none. */
  readonly configurations: JsonRecord | null;
  readonly variables: JsonRecord;
  /** True where the defaults of the format are ours, not Dograh's. */
  readonly isOurs: boolean;
}

/** Fields that identify the source, or count what became of it: the imported agent has its own. */
const identityFields: ReadonlySet<string> = new Set([
  ...['id', 'uuid', 'workflow_uuid', 'workflow_id', 'user_id', 'organization_id', 'owner_user_id', 'agent_uuid', 'folder_id'],
  ...['status', 'state', 'created_at', 'updated_at', 'published_at', 'total_runs', 'requires_stream_token'],
  ...['version', 'version_number', 'version_status', 'published_version', 'draft_version', 'current_definition_id', 'released_definition_id', 'is_current'],
]);

const documentFields = ['workflow_definition', 'workflow_json', 'template_json'] as const;
const knownFields: ReadonlySet<string> = new Set([...documentFields, EXPORT_MARK, 'name', 'settings', 'workflow_configurations', 'template_context_variables']);

/** Why an export cannot be read at all. */
export interface UnreadableExport {
  readonly path: string;
  readonly message: string;
  readonly cure: string;
}

function refusalOf(fields: JsonRecord): UnreadableExport | null {
  const version = fields[EXPORT_MARK];
  if (version === undefined || version === EXPORT_VERSION) return null;
  const isNewer = typeof version === 'number' && version > EXPORT_VERSION;
  return {
    path: EXPORT_MARK,
    message: isNewer ? `was written by a newer version: format ${version}, known here is ${EXPORT_VERSION}` : 'is no version of the export format',
    cure: isNewer ? 'Update this server, or export the agent from the version that runs here.' : `Write ${EXPORT_VERSION}, or export the agent again.`,
  };
}

function variablesOf(fields: JsonRecord, report: DroppedReport): JsonRecord {
  const given = fields['template_context_variables'];
  if (given === undefined || given === null) return {};
  if (!isRecord(given)) {
    report.add(['template_context_variables'], given, 'is no object');
    return {};
  }
  const kept: [string, unknown][] = [];
  for (const [name, value] of Object.entries(given)) {
    const isUsable = !isPrototypeKey(name) && name.length <= MAX_VARIABLE_NAME_LENGTH;
    if (isUsable && kept.length < MAX_VARIABLES) kept.push([name, value]);
    else report.add(['template_context_variables', name.slice(0, MAX_VARIABLE_NAME_LENGTH)], value, isUsable ? `more than ${MAX_VARIABLES} variables` : 'is not a usable name');
  }
  return Object.fromEntries(kept);
}

function objectAt(fields: JsonRecord, field: string, report: DroppedReport): JsonRecord | null {
  const value = fields[field];
  if (value === undefined || value === null) return null;
  if (isRecord(value)) return value;
  report.add([field], value, 'is no object');
  return null;
}

/**
 * Finds the parts of an exported agent: a document of ours, what Dograh's editor downloads (`name`, `workflow_definition`), an answer of
 * its API (`workflow_json`, `workflow_configurations`), or a workflow document alone. Everything else is reported.
 */
export function readEnvelope(given: JsonRecord, report: DroppedReport): ExportEnvelope | UnreadableExport {
  const refusal = refusalOf(given);
  if (refusal !== null) return refusal;
  const isDocumentAlone = 'nodes' in given;
  const documentField = documentFields.find((field) => given[field] !== undefined);
  if (!isDocumentAlone && documentField === undefined)
    return { path: 'workflow_definition', message: 'is required: this is no exported agent', cure: 'Send an export of this server, a Dograh workflow, or a document with nodes and edges.' };
  const envelope: JsonRecord = isDocumentAlone ? Object.fromEntries(Object.entries(given).filter(([key]) => !['nodes', 'edges', 'viewport'].includes(key))) : given;
  for (const [key, value] of Object.entries(envelope)) {
    if (knownFields.has(key) && !(isDocumentAlone && key === documentField)) continue;
    report.add([key], value, identityFields.has(key) ? 'belongs to the agent that was exported' : 'this version has no such field');
  }
  const { name } = given;
  const isNamed = typeof name === 'string' && name.trim() !== '';
  if (!isNamed && name !== undefined && name !== null) report.add(['name'], name, 'is no name');
  return {
    name: isNamed ? name.trim().slice(0, MAX_NAME_LENGTH) : null,
    document: isDocumentAlone ? { nodes: given['nodes'], edges: given['edges'], viewport: given['viewport'] } : given[documentField ?? 'workflow_definition'],
    settings: objectAt(given, 'settings', report),
    configurations: objectAt(given, 'workflow_configurations', report),
    variables: variablesOf(given, report),
    isOurs: given[EXPORT_MARK] !== undefined || isRecord(given['settings']),
  };
}

/** What is exported of an agent. */
export interface ExportedContent {
  readonly name: string;
  readonly workflow: unknown;
  readonly settings: unknown;
  readonly variables: JsonRecord;
}

/** An agent as a document that this version and later ones import. It holds no key and no identifier of the agent. */
export function exportAgent({ name, workflow, settings, variables }: ExportedContent) {
  return { [EXPORT_MARK]: EXPORT_VERSION, name, workflow_definition: workflow, settings: settings ?? {}, template_context_variables: variables } as const;
}
