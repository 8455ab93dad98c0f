import { deepFreeze } from './deep-freeze.js';
import type { AttachedClip, WorkflowGraph } from './graph.js';

/** The graph with what exists of the audio clips it names: the others are spoken, where the document has a text for them. Pure. */
export function attachClips(graph: WorkflowGraph, clips: readonly AttachedClip[]): WorkflowGraph {
  if (clips.length === 0) return graph;
  const byId = Object.create(null) as Record<string, AttachedClip>;
  for (const { uuid, name, transcript } of clips) byId[uuid] = { uuid, name, transcript };
  return deepFreeze({ ...graph, clips: byId });
}
