import { toAgentStreamError, type AgentStreamError } from '../base/errors.js';
import type { KnowledgeBase } from '../knowledge/knowledge.js';
import { attachDocuments, documentUuidsOf, searchedSets } from '../workflow/attach-documents.js';
import type { WorkflowGraph } from '../workflow/graph.js';

/** Gives graphs the documents that their nodes name. */
export interface KnowledgeResolver {
  /**
   * The graph with what exists of its documents now. Those that are searched begin to be indexed. Never rejects: a call goes on without
   * documents that cannot be read, and `onFailed` is told.
   */
  attach(organizationId: string, graph: WorkflowGraph, onFailed: (error: AgentStreamError) => void): Promise<WorkflowGraph>;
}

/** Creates the resolver of this node. A graph is rebuilt only when its documents are others than at the call before. */
export function createKnowledgeResolver(knowledge: KnowledgeBase): KnowledgeResolver {
  const attached = new WeakMap<WorkflowGraph, { readonly key: string; readonly graph: WorkflowGraph }>();

  async function attachExisting(organizationId: string, graph: WorkflowGraph, uuids: readonly string[]): Promise<WorkflowGraph> {
    const documents = await knowledge.open(organizationId, uuids);
    const key = documents.map(({ uuid }) => uuid).join(' ');
    const known = attached.get(graph);
    const entry = known?.key === key ? known : { key, graph: attachDocuments(graph, documents) };
    attached.set(graph, entry);
    return entry.graph;
  }

  return {
    async attach(organizationId, graph, onFailed) {
      const uuids = documentUuidsOf(graph);
      if (uuids.length === 0) return graph;
      try {
        const ready = await attachExisting(organizationId, graph, uuids);
        for (const set of searchedSets(ready)) knowledge.prepare(organizationId, set);
        return ready;
      } catch (error) {
        onFailed(toAgentStreamError(error));
        return graph;
      }
    },
  };
}
