import { checkExits } from './exit-checks.js';
import type { DocumentOutline, EdgeOutline, NodeOutline } from './outline.js';
import { edgeProblem, nodeProblem, type Problem } from './problems.js';
import type { NodeType } from './schema.js';

/** Types that stand beside the conversation and take no edges. */
export const edgelessTypes: ReadonlySet<NodeType | null> = new Set<NodeType>(['globalNode', 'webhook', 'qa', 'trigger']);
/** Types that pass the call on without the caller having a turn. */
const silentTypes: ReadonlySet<NodeType | null> = new Set<NodeType>(['say', 'transferCall']);

/** Requests that the end of one call sets off. */
const MAX_WEBHOOK_NODES = 20;
/** All of them are asked at once, in one job. */
const MAX_QA_NODES = 5;

const workflowProblem = (field: string, message: string, cure: string): Problem => ({ kind: 'workflow', id: 'workflow', field, message, cure });

/** The document's shape: nodes by id, edges by where they begin and end. */
interface Shape {
  readonly nodes: ReadonlyMap<string, NodeOutline>;
  readonly outgoing: ReadonlyMap<string, readonly EdgeOutline[]>;
  readonly incoming: ReadonlyMap<string, readonly EdgeOutline[]>;
}

function groupBy(edges: readonly EdgeOutline[], end: 'source' | 'target'): Map<string, EdgeOutline[]> {
  const groups = new Map<string, EdgeOutline[]>();
  for (const edge of edges) {
    const group = groups.get(edge[end]);
    if (group === undefined) groups.set(edge[end], [edge]);
    else group.push(edge);
  }
  return groups;
}

const repeated = (ids: readonly string[]): readonly string[] => {
  const seen = new Set<string>();
  return [...new Set(ids.filter((id) => seen.size === seen.add(id).size))];
};

function checkIds({ nodes, edges }: DocumentOutline): readonly Problem[] {
  return [
    ...repeated(nodes.map((node) => node.id)).map((id) => nodeProblem(id, 'id', 'another node has the same id', 'Give every node its own id.')),
    ...repeated(edges.map((edge) => edge.id)).map((id) => edgeProblem(id, 'id', 'another edge has the same id', 'Give every edge its own id.')),
  ];
}

function checkCounts({ nodes }: DocumentOutline): readonly Problem[] {
  const ofType = (type: NodeType) => nodes.filter((node) => node.type === type);
  const surplus = (type: NodeType) =>
    ofType(type)
      .slice(1)
      .map((node) => nodeProblem(node.id, 'type', `a workflow has one ${type} at the most`, `Remove this ${type} or the other.`));
  const missing =
    ofType('startCall').length === 0 ? [workflowProblem('nodes', 'there is no startCall node', 'Add one startCall: every call begins there.')] : [];
  const webhooks = ofType('webhook')
    .slice(MAX_WEBHOOK_NODES)
    .map((node) => nodeProblem(node.id, 'type', `a workflow has ${MAX_WEBHOOK_NODES} webhook nodes at the most`, 'Remove some of them.'));
  const judges = ofType('qa')
    .slice(MAX_QA_NODES)
    .map((node) => nodeProblem(node.id, 'type', `a workflow has ${MAX_QA_NODES} qa nodes at the most`, 'Remove some of them.'));
  return [...missing, ...surplus('startCall'), ...surplus('globalNode'), ...surplus('trigger'), ...webhooks, ...judges];
}

function checkEnds(edge: EdgeOutline, shape: Shape): readonly Problem[] {
  return (['source', 'target'] as const).flatMap((end) => {
    const node = shape.nodes.get(edge[end]);
    if (node === undefined) {
      const cure = `Connect the edge to a node, or remove it.`;
      return edge[end] === '' ? [] : [edgeProblem(edge.id, end, `there is no node "${edge[end].slice(0, 60)}"`, cure)];
    }
    if (edgelessTypes.has(node.type)) return [edgeProblem(edge.id, end, `a ${node.type} takes no edges`, 'Remove the edge.')];
    if (end === 'target' && node.type === 'startCall')
      return [edgeProblem(edge.id, end, 'no edge may lead back to the startCall', 'Lead it to an agentNode instead.')];
    if (end === 'source' && node.type === 'endCall')
      return [edgeProblem(edge.id, end, 'an endCall has no way out', 'Remove the edge, or make the node an agentNode.')];
    return [];
  });
}

function checkReachable(outline: DocumentOutline, shape: Shape): readonly Problem[] {
  const queue = outline.nodes.filter((node) => node.type === 'startCall').map((node) => node.id);
  if (queue.length === 0) return [];
  const reached = new Set(queue);
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    for (const { target } of shape.outgoing.get(id) ?? []) {
      if (reached.has(target)) continue;
      reached.add(target);
      queue.push(target);
    }
  }
  return outline.nodes
    .filter((node) => !reached.has(node.id) && !edgelessTypes.has(node.type))
    .map((node) => nodeProblem(node.id, 'edges', 'no way leads here from the startCall', 'Add an edge to it, or remove the node.'));
}

/** True for an edge that is taken without the caller having had a turn: out of a node that only speaks, or by a condition. */
function isSilent(edge: EdgeOutline, shape: Shape): boolean {
  const type = shape.nodes.get(edge.source)?.type ?? null;
  const when = edge.edge?.data.when;
  if (silentTypes.has(type)) return when?.digits === undefined;
  return type !== 'collectDigits' && when?.expression !== undefined;
}

/** Nodes on a cycle that gives the caller no turn: what is left after everything that begins or ends such a chain is peeled off. */
function checkSilentCycles(outline: DocumentOutline, shape: Shape): readonly Problem[] {
  const edges = outline.edges.filter((edge) => isSilent(edge, shape));
  const ways = { before: groupBy(edges, 'target'), after: groupBy(edges, 'source') } as const;
  const silent = new Set(edges.map((edge) => edge.source));
  const hasWay = (id: string, side: 'before' | 'after'): boolean =>
    (ways[side].get(id) ?? []).some((edge) => silent.has(side === 'before' ? edge.source : edge.target));
  const queue = [...silent];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (!silent.has(id) || (hasWay(id, 'before') && hasWay(id, 'after'))) continue;
    silent.delete(id);
    for (const edge of ways.after.get(id) ?? []) queue.push(edge.target);
    for (const edge of ways.before.get(id) ?? []) queue.push(edge.source);
  }
  return [...silent].map((id) =>
    nodeProblem(id, 'edges', 'lies on a loop in which the caller never gets a turn', 'Let the model or a key choose one of its edges, or end the loop.'),
  );
}

/** Everything wrong with how nodes and edges hang together. */
export function checkGraph(outline: DocumentOutline): readonly Problem[] {
  const shape: Shape = {
    nodes: new Map(outline.nodes.map((node) => [node.id, node])),
    outgoing: groupBy(outline.edges, 'source'),
    incoming: groupBy(outline.edges, 'target'),
  };
  return [
    ...checkIds(outline),
    ...checkCounts(outline),
    ...outline.edges.flatMap((edge) => checkEnds(edge, shape)),
    ...outline.nodes.flatMap((node) => checkExits(node, shape.outgoing.get(node.id) ?? [])),
    ...checkReachable(outline, shape),
    ...checkSilentCycles(outline, shape),
  ];
}
