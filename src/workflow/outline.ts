import { asRecord, isRecord, type JsonRecord } from '../base/json.js';
import { issueProblems, type Problem } from './problems.js';
import {
  edgeSchema,
  isNodeType,
  nodeSchemas,
  workflowDocumentSchema,
  type NodeType,
  type WorkflowEdge,
  type WorkflowNode,
} from './schema.js';

/** What is known of a node, also where it does not match its schema. */
export interface NodeOutline {
  readonly id: string;
  /** Null for an unknown type. */
  readonly type: NodeType | null;
  /** Null where the node does not match its schema. */
  readonly node: WorkflowNode | null;
}

/** What is known of an edge, also where it does not match its schema. */
export interface EdgeOutline {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  /** Null where the edge does not match its schema. */
  readonly edge: WorkflowEdge | null;
}

/** A document read as far as it can be, with everything its schema has against it. */
export interface DocumentOutline {
  readonly nodes: readonly NodeOutline[];
  readonly edges: readonly EdgeOutline[];
  readonly problems: readonly Problem[];
}

const stringOr = (value: unknown, otherwise: string): string => (typeof value === 'string' && value !== '' ? value : otherwise);

const shown = (value: unknown): string => (typeof value === 'string' ? `"${value.slice(0, 60)}"` : typeof value);

function readNode(input: unknown, index: number, problems: Problem[]): NodeOutline {
  const fields = asRecord(input);
  const id = stringOr(fields.id, `nodes.${index}`);
  if (!isNodeType(fields.type)) {
    problems.push({
      kind: 'node',
      id,
      field: 'type',
      message: `unknown node type: ${shown(fields.type)}`,
      cure: `Use one of ${Object.keys(nodeSchemas).join(', ')}.`,
    });
    return { id, type: null, node: null };
  }
  const result = nodeSchemas[fields.type].safeParse(input);
  if (!result.success) problems.push(...issueProblems(result.error.issues, { kind: 'node', id }));
  return { id, type: fields.type, node: result.success ? result.data : null };
}

function readEdge(input: unknown, index: number, problems: Problem[]): EdgeOutline {
  const fields = asRecord(input);
  const id = stringOr(fields.id, `edges.${index}`);
  const result = edgeSchema.safeParse(input);
  if (!result.success) problems.push(...issueProblems(result.error.issues, { kind: 'edge', id }));
  return { id, source: stringOr(fields.source, ''), target: stringOr(fields.target, ''), edge: result.success ? result.data : null };
}

/** Everything of the document but what is in its lists. */
const envelopeOf = (fields: JsonRecord): JsonRecord => ({
  ...fields,
  nodes: Array.isArray(fields.nodes) ? [] : fields.nodes,
  edges: Array.isArray(fields.edges) ? [] : fields.edges,
});

const tooMany = (field: 'nodes' | 'edges', limit: number): Problem => ({
  kind: 'workflow',
  id: 'workflow',
  field,
  message: `more than ${limit} ${field}`,
  cure: 'Split the workflow into several agents.',
});

/** Reads a document node by node, so that one bad node hides no other's problems. Entries beyond the limits are not read. */
export function readDocument(document: unknown, limits: { readonly nodes: number; readonly edges: number }): DocumentOutline {
  const place = { kind: 'workflow', id: 'workflow' } as const;
  const fields = isRecord(document) ? document : null;
  const envelope = workflowDocumentSchema.safeParse(fields === null ? document : envelopeOf(fields));
  const problems: Problem[] = envelope.success ? [] : [...issueProblems(envelope.error.issues, place)];
  const nodes: readonly unknown[] = Array.isArray(fields?.nodes) ? fields.nodes : [];
  const edges: readonly unknown[] = Array.isArray(fields?.edges) ? fields.edges : [];
  if (nodes.length > limits.nodes) problems.push(tooMany('nodes', limits.nodes));
  if (edges.length > limits.edges) problems.push(tooMany('edges', limits.edges));
  return {
    nodes: nodes.slice(0, limits.nodes).map((node, index) => readNode(node, index, problems)),
    edges: edges.slice(0, limits.edges).map((edge, index) => readEdge(edge, index, problems)),
    problems,
  };
}
