import { toolNameOf } from './graph.js';
import type { EdgeOutline, NodeOutline } from './outline.js';
import { edgeProblem, nodeProblem, type Problem } from './problems.js';
import type { NodeOfType, WorkflowEdge } from './schema.js';

/** What takes an edge; `none` where it has no `when`. */
type WhenKind = 'none' | 'digits' | 'expression' | 'timeout_seconds' | 'failure';

const kindOf = ({ data: { when } }: WorkflowEdge): WhenKind => {
  if (when?.digits !== undefined) return 'digits';
  if (when?.expression !== undefined) return 'expression';
  if (when?.timeout_seconds !== undefined) return 'timeout_seconds';
  return when?.failure === true ? 'failure' : 'none';
};

const ofKind = (exits: readonly WorkflowEdge[], ...kinds: readonly WhenKind[]) => exits.filter((exit) => kinds.includes(kindOf(exit)));

/** Edges of a kind that means nothing at their node. */
const misplaced = (exits: readonly WorkflowEdge[], kind: WhenKind, message: string, cure: string): readonly Problem[] =>
  ofKind(exits, kind).map(({ id }) => edgeProblem(id, `data.when.${kind}`, message, cure));

/** The values that came before, each told of by its edge. */
function repeated(exits: readonly WorkflowEdge[], keyOf: (exit: WorkflowEdge) => string, tell: (exit: WorkflowEdge, key: string) => Problem): readonly Problem[] {
  const seen = new Set<string>();
  return exits.flatMap((exit) => {
    const key = keyOf(exit);
    return seen.size === seen.add(key).size ? [tell(exit, key)] : [];
  });
}

const checkKeys = (exits: readonly WorkflowEdge[]): readonly Problem[] =>
  repeated(
    ofKind(exits, 'digits'),
    ({ data }) => data.when?.digits ?? '',
    ({ id }, keys) => edgeProblem(id, 'data.when.digits', `another edge takes ${keys}`, 'Use other keys.'),
  );

/** The model must be able to tell a node's edges apart, and each must say when it is taken. */
function checkPrompted(exits: readonly WorkflowEdge[]): readonly Problem[] {
  const choices = ofKind(exits, 'none');
  const hasCondition = ({ data: { condition } }: WorkflowEdge) => condition !== undefined && condition.trim() !== '';
  return [
    ...misplaced(exits, 'failure', 'only a transferCall and a collectDigits fail', 'Give a condition, or another when.'),
    ...checkKeys(exits),
    ...ofKind(exits, 'timeout_seconds')
      .slice(1)
      .map(({ id }) => edgeProblem(id, 'data.when.timeout_seconds', 'another edge is taken by silence already', 'Keep one of them.')),
    ...choices
      .filter((exit) => !hasCondition(exit))
      .map(({ id }) => edgeProblem(id, 'data.condition', 'is required: the model must know when to go this way', 'Describe it in plain words.')),
    ...repeated(
      choices.filter(hasCondition),
      ({ data }) => toolNameOf(data.label),
      ({ id }, name) =>
        edgeProblem(id, 'data.label', `another edge of this node becomes the function ${name} too`, 'Use a label that differs in a-z and 0-9.'),
    ),
  ];
}

function checkSay(id: string, exits: readonly WorkflowEdge[]): readonly Problem[] {
  const count = ofKind(exits, 'none').length;
  const cure = 'A say node waits for nothing: give an expression, or none.';
  return [
    ...(count === 1 ? [] : [nodeProblem(id, 'edges', `a say node needs exactly one edge out without when, this one has ${count}`, 'Lead it to the node that goes on.')]),
    ...(['digits', 'timeout_seconds', 'failure'] as const).flatMap((kind) => misplaced(exits, kind, `means nothing after a say node`, cure)),
  ];
}

function checkTransfer(id: string, exits: readonly WorkflowEdge[]): readonly Problem[] {
  const cure = 'A transferCall leads on by failure and by digits.';
  return [
    ...(ofKind(exits, 'none', 'failure').length > 1
      ? [nodeProblem(id, 'edges', 'a transferCall has one edge out for its failure at the most', 'Remove the other edges.')]
      : []),
    ...(['expression', 'timeout_seconds'] as const).flatMap((kind) => misplaced(exits, kind, 'means nothing during a transfer', cure)),
    ...checkKeys(exits),
  ];
}

/** Keys that this node can never collect. */
function checkCollectable({ data }: NodeOfType<'collectDigits'>, exits: readonly WorkflowEdge[]): readonly Problem[] {
  return ofKind(exits, 'digits').flatMap(({ id, data: { when } }) => {
    const keys = when?.digits ?? '';
    const isFitting = keys.length >= data.min_digits && keys.length <= data.max_digits && (data.terminator === '' || !keys.includes(data.terminator));
    const cure = 'Give as many keys as min_digits and max_digits allow, without the terminator.';
    return isFitting ? [] : [edgeProblem(id, 'data.when.digits', `this node never collects ${keys}`, cure)];
  });
}

function checkCollect(id: string, node: NodeOfType<'collectDigits'> | null, exits: readonly WorkflowEdge[]): readonly Problem[] {
  const [plain, failure] = [ofKind(exits, 'none'), ofKind(exits, 'failure')];
  const problems: Problem[] = [...misplaced(exits, 'timeout_seconds', 'a collectDigits has its own timeout_ms', 'Use an edge with failure.'), ...checkKeys(exits)];
  if (plain.length + failure.length === 0)
    problems.push(nodeProblem(id, 'edges', 'a collectDigits needs an edge out without when, or one for failure', 'Lead it to the node that goes on.'));
  if (plain.length > 1) problems.push(nodeProblem(id, 'edges', 'a collectDigits has one edge out without when at the most', 'Remove the others.'));
  if (failure.length > 1) problems.push(nodeProblem(id, 'edges', 'a collectDigits has one edge out for failure at the most', 'Remove the others.'));
  if (node === null) return problems;
  if (node.data.min_digits > node.data.max_digits)
    problems.push(nodeProblem(id, 'data.max_digits', 'must not be less than min_digits', 'Raise max_digits, or lower min_digits.'));
  return [...problems, ...checkCollectable(node, exits)];
}

/** What each type of node asks of the edges out of it. */
export function checkExits({ id, type, node }: NodeOutline, outgoing: readonly EdgeOutline[]): readonly Problem[] {
  const exits = outgoing.flatMap(({ edge }) => (edge === null ? [] : [edge]));
  switch (type) {
    case 'startCall':
    case 'agentNode':
    case 'endCall':
      return checkPrompted(exits);
    case 'say':
      return outgoing.length > exits.length ? [] : checkSay(id, exits);
    case 'transferCall':
      return checkTransfer(id, exits);
    case 'collectDigits':
      return outgoing.length > exits.length ? [] : checkCollect(id, node?.type === 'collectDigits' ? node : null, exits);
    default:
      return [];
  }
}
