import type { ModelTool } from '../speech/language-model.js';
import { deepFreeze } from './deep-freeze.js';
import type { GraphNode, PromptedNode, WorkflowGraph } from './graph.js';
import type { CallableTool } from './tools/callable-tool.js';

/** Most text of documents that a node's prompt holds, characters. */
export const MAX_REFERENCE_LENGTH = 40_000;

/** The function that searches a node's documents. */
export const SEARCH_FUNCTION = 'retrieve_from_knowledge_base';

/** The kind of its tool (call/tools/registry.ts). */
export const SEARCH_KIND = 'knowledge';

/** A document as nodes use it. */
export interface AttachedDocument {
  readonly uuid: string;
  readonly name: string;
  /** All of it, for the prompt; null: it is searched. */
  readonly text: string | null;
}

const isPrompted = (node: GraphNode): node is PromptedNode => 'documentUuids' in node;

/** The documents that nodes name, each once. */
export const documentUuidsOf = ({ nodes }: WorkflowGraph): readonly string[] => [
  ...new Set(Object.values(nodes).flatMap((node) => (isPrompted(node) ? node.documentUuids : []))),
];

/** The sets that are searched together, by the function's configuration. */
export const searchedSets = ({ nodes }: WorkflowGraph): readonly (readonly string[])[] =>
  Object.values(nodes).flatMap((node) => {
    const tool = isPrompted(node) ? node.callables[SEARCH_FUNCTION] : undefined;
    return tool?.kind === SEARCH_KIND ? [tool.config['documentUuids'] as readonly string[]] : [];
  });

function declarationOf(names: readonly string[]): ModelTool {
  return {
    name: SEARCH_FUNCTION,
    description: `Searches these documents and returns what they say: ${names.join(', ').slice(0, 500)}. Call it before you answer a question of fact that your instructions do not answer.`,
    parameters: {
      type: 'object',
      properties: { query: { type: 'string', description: 'What to look for, in key words of the documents’ language.' } },
      required: ['query'],
      additionalProperties: false,
    },
  };
}

function searchTool(documents: readonly AttachedDocument[]): CallableTool {
  const documentUuids = documents.map(({ uuid }) => uuid).toSorted();
  return { kind: SEARCH_KIND, uuid: null, declaration: declarationOf(documents.map(({ name }) => name)), config: { documentUuids }, filler: null };
}

/** The documents that fit, each below its name. */
function referenceOf(documents: readonly AttachedDocument[]): string {
  let reference = '';
  for (const { name, text } of documents) {
    const part = `\n\nDocument “${name}”:\n${text ?? ''}`;
    if (text !== null && reference.length + part.length <= MAX_REFERENCE_LENGTH + name.length + 50) reference += part;
  }
  return reference.trim();
}

function attachTo(node: PromptedNode, known: ReadonlyMap<string, AttachedDocument>): PromptedNode {
  const documents = node.documentUuids.flatMap((uuid) => known.get(uuid) ?? []);
  const searched = documents.filter(({ text }) => text === null);
  const attached: PromptedNode = { ...node, reference: referenceOf(documents) };
  if (searched.length === 0 || node.tools.some(({ name }) => name === SEARCH_FUNCTION)) return attached;
  const tool = searchTool(searched);
  const callables = Object.assign(Object.create(null) as Record<string, CallableTool>, node.callables, { [SEARCH_FUNCTION]: tool });
  return { ...attached, tools: [...node.tools, tool.declaration], callables };
}

/** The graph with the documents its nodes name: whole in the prompt, or behind a function that searches them. Those that are gone are left out. Pure. */
export function attachDocuments(graph: WorkflowGraph, documents: readonly AttachedDocument[]): WorkflowGraph {
  const known = new Map(documents.map((document) => [document.uuid, document]));
  const nodes = Object.create(null) as Record<string, GraphNode>;
  for (const [id, node] of Object.entries(graph.nodes)) nodes[id] = isPrompted(node) && node.documentUuids.length > 0 ? attachTo(node, known) : node;
  return deepFreeze({ ...graph, nodes });
}
