import { isRecord } from '../base/json.js';
import type { GraphNode, PreCallFetch, WorkflowGraph } from './graph.js';
import type { NodeOfType } from './schema.js';
import { reservedVariableNames } from './nodes/shared.js';
import { parseTemplate } from './template.js';
import type { Variables } from './engine.js';
import { mergeVariables } from './variables.js';

/** What a start node asks for; null where nothing is. */
export function preCallFetchOf({ data }: NodeOfType<'startCall'>): PreCallFetch | null {
  const { pre_call_fetch_mode: mode, pre_call_fetch_url: url, pre_call_fetch_credential_uuid: credentialUuid = null } = data;
  return mode === 'disabled' || url === undefined ? null : { mode, url, credentialUuid };
}

/** What an answer brings to a call. */
export interface PreCallAnswer {
  readonly variables: Variables;
  /** First words instead of the document's; a template. */
  readonly greeting: string | null;
}

/** Longest greeting that is taken, characters. */
const MAX_GREETING_LENGTH = 2000;

/**
 * Reads an answer. Its variables are those of `dynamic_variables` or `initial_context`, where it has one, at the top or in `call_inbound`;
 * else the answer itself. Names that calls use themselves are left out.
 */
export function readPreCallAnswer(answer: Readonly<Record<string, unknown>>): PreCallAnswer {
  const inner = isRecord(answer['call_inbound']) ? answer['call_inbound'] : {};
  const named = [answer['dynamic_variables'], answer['initial_context'], inner['dynamic_variables'], inner['initial_context']].find(isRecord);
  const { greeting } = { ...named, ...answer };
  const hasGreeting = typeof greeting === 'string' && greeting.trim() !== '';
  return {
    variables: mergeVariables(null, named ?? answer, [...reservedVariableNames, 'greeting']),
    greeting: hasGreeting ? greeting.slice(0, MAX_GREETING_LENGTH) : null,
  };
}

/** The graph with other first words; as it is where there are none. */
export function withGreeting(graph: WorkflowGraph, greeting: string | null): WorkflowGraph {
  const start = graph.nodes[graph.startId];
  if (greeting === null || start?.type !== 'startCall') return graph;
  const nodes = Object.assign(Object.create(null) as Record<string, GraphNode>, graph.nodes, { [start.id]: { ...start, greeting: { kind: 'text', text: parseTemplate(greeting) } } });
  return { ...graph, nodes };
}
