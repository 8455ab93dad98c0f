import { isRecord } from '../base/json.js';
import { MAX_FULL_TEXT_LENGTH, MAX_TEXT_LENGTH } from '../knowledge/limits.js';
import type { DocumentStore, KnowledgeDocument } from '../store/store.js';
import { SEARCH_FUNCTION } from '../workflow/attach-documents.js';
import { toolNameOf } from '../workflow/graph.js';
import type { Problem } from './services.js';

/** A node that names documents. */
interface NamingNode {
  readonly id: string;
  readonly uuids: readonly string[];
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** Nodes of a document of any shape; what is wrong with the shape is for the compiler to tell. */
function namingNodes(workflow: unknown): readonly NamingNode[] {
  return listOf(isRecord(workflow) ? workflow['nodes'] : null).flatMap((node) => {
    if (!isRecord(node) || !isRecord(node['data'])) return [];
    const uuids = listOf(node['data']['document_uuids']).filter((uuid) => typeof uuid === 'string');
    return uuids.length === 0 ? [] : [{ id: String(node['id']), uuids }];
  });
}

/** Edges out of a node whose function would hide the one that searches. */
function hidingEdges(workflow: unknown, { id }: NamingNode): readonly Problem[] {
  return listOf(isRecord(workflow) ? workflow['edges'] : null).flatMap((edge): Problem[] => {
    if (!isRecord(edge) || edge['source'] !== id || !isRecord(edge['data'])) return [];
    const label = edge['data']['label'];
    if (typeof label !== 'string' || toolNameOf(label) !== SEARCH_FUNCTION) return [];
    return [{ path: 'data.label', message: `becomes the function ${SEARCH_FUNCTION}, which searches the node’s documents`, cure: 'Rename it.', elementId: String(edge['id']) }];
  });
}

function checkNode({ id, uuids }: NamingNode, known: ReadonlyMap<string, KnowledgeDocument>): readonly Problem[] {
  const missing = uuids.flatMap((uuid, index): Problem[] =>
    known.has(uuid) ? [] : [{ path: `data.document_uuids.${index}`, message: `there is no document ${uuid}`, cure: 'Attach a document that exists, or remove it here.', elementId: id }],
  );
  const lengthOf = (mode: KnowledgeDocument['mode']) => uuids.reduce((sum, uuid) => sum + (known.get(uuid)?.mode === mode ? (known.get(uuid)?.textLength ?? 0) : 0), 0);
  const tooLong = (['full', 'retrieval'] as const).flatMap((mode): Problem[] => {
    const limit = mode === 'full' ? MAX_FULL_TEXT_LENGTH : MAX_TEXT_LENGTH;
    if (lengthOf(mode) <= limit) return [];
    const cure = mode === 'full' ? 'Upload some of them with mode=retrieval.' : 'Attach fewer here.';
    return [{ path: 'data.document_uuids', message: `documents of mode ${mode} hold ${lengthOf(mode)} characters here; ${limit} are taken`, cure, elementId: id }];
  });
  return [...missing, ...tooLong];
}

/** What is wrong with the documents that a workflow names: some that are not the organization's, or too much of them. */
export async function checkDocuments(documents: Pick<DocumentStore, 'find'>, organizationId: string, workflow: unknown): Promise<readonly Problem[]> {
  const nodes = namingNodes(workflow);
  const found = await documents.find(organizationId, [...new Set(nodes.flatMap(({ uuids }) => uuids))]);
  const known = new Map(found.map((document) => [document.uuid, document]));
  return nodes.flatMap((node) => [...checkNode(node, known), ...hidingEdges(workflow, node)]);
}
