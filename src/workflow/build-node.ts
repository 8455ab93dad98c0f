import type { ModelTool } from '../speech/language-model.js';
import { parseExpression } from './expression-parser.js';
import { toolNameOf, type CollectNode, type ConditionalEdge, type EdgesByDigits, type ExtractionPlan, type FixedSpeech, type GraphEdge, type GraphNode, type PromptedNode, type SilenceEdge } from './graph.js';
import { toolsAt, type KnownTools, type NodeTools } from './node-tools.js';
import type { NodeOfType, WorkflowEdge, WorkflowNode } from './schema.js';
import { parseTemplate, type Template } from './template.js';

/** Functions built from edges take no arguments. */
const noParameters: ModelTool['parameters'] = { type: 'object', properties: {}, additionalProperties: false };

const templateOrNull = (text: string | undefined): Template | null =>
  text === undefined || text.trim() === '' ? null : parseTemplate(text);

function fixedSpeech(text: string | undefined, recordingId: string | undefined): FixedSpeech | null {
  const template = templateOrNull(text);
  if (recordingId !== undefined) return { kind: 'recording', recordingId, text: template };
  return template === null ? null : { kind: 'text', text: template };
}

const graphEdge = ({ id, target, data }: WorkflowEdge): GraphEdge => ({
  id,
  targetId: target,
  label: data.label,
  transitionSpeech: fixedSpeech(data.transition_speech, data.transition_speech_recording_id),
});

/** Edges that are taken without the model, by what takes them. */
interface Conditions {
  readonly edgesByDigits: EdgesByDigits;
  readonly conditions: readonly ConditionalEdge[];
  readonly onSilence: SilenceEdge | null;
  readonly onFailure: GraphEdge | null;
  /** Without `when`. */
  readonly others: readonly WorkflowEdge[];
}

function sortExits(exits: readonly WorkflowEdge[]): Conditions {
  const edgesByDigits = Object.create(null) as Record<string, GraphEdge>;
  const conditions: ConditionalEdge[] = [];
  let onSilence: SilenceEdge | null = null;
  let onFailure: GraphEdge | null = null;
  for (const exit of exits) {
    const { when } = exit.data;
    const edge = graphEdge(exit);
    if (when?.digits !== undefined) edgesByDigits[when.digits] = edge;
    if (when?.timeout_seconds !== undefined) onSilence = { delayMs: when.timeout_seconds * 1000, edge };
    if (when?.failure === true) onFailure = edge;
    const parsed = when?.expression === undefined ? null : parseExpression(when.expression);
    if (parsed?.ok === true) conditions.push({ condition: parsed.expression, edge });
  }
  return { edgesByDigits, conditions, onSilence, onFailure, others: exits.filter((exit) => exit.data.when === undefined) };
}

function extractionPlan(data: NodeOfType<'startCall' | 'agentNode' | 'endCall'>['data']): ExtractionPlan | null {
  const { extraction_enabled: isEnabled, extraction_prompt: prompt, extraction_variables: variables } = data;
  return isEnabled && variables.length > 0 ? { prompt: templateOrNull(prompt), variables: variables.map((variable) => ({ ...variable })) } : null;
}

function promptedNode(
  node: NodeOfType<'startCall' | 'agentNode' | 'endCall'>,
  { edgesByDigits, conditions, onSilence, others }: Conditions,
  globalPrompt: Template | null,
  { callables, functionSources }: NodeTools,
): PromptedNode {
  const edgesByTool = Object.create(null) as Record<string, GraphEdge>;
  for (const exit of others) edgesByTool[toolNameOf(exit.data.label)] = graphEdge(exit);
  return {
    type: node.type,
    id: node.id,
    name: node.data.name,
    globalPrompt: node.data.add_global_prompt ? globalPrompt : null,
    prompt: parseTemplate(node.data.prompt),
    allowInterrupt: node.data.allow_interrupt,
    greeting: node.type === 'startCall' ? fixedSpeech(node.data.greeting, node.data.greeting_recording_id) : null,
    tools: [
      ...others.map(({ data: { label, condition } }) => ({ name: toolNameOf(label), description: condition ?? label, parameters: noParameters })),
      ...Object.values(callables).map(({ declaration }) => declaration),
    ],
    edgesByTool,
    callables,
    functionSources,
    documentUuids: node.data.document_uuids,
    reference: '',
    edgesByDigits,
    conditions,
    onSilence,
    startDelayMs: node.type === 'startCall' && node.data.delayed_start ? node.data.delayed_start_duration * 1000 : null,
    extraction: extractionPlan(node.data),
  };
}

function collectNode({ id, data }: NodeOfType<'collectDigits'>, { edgesByDigits, conditions, onFailure, others: [next] }: Conditions): CollectNode {
  return {
    type: 'collectDigits',
    id,
    name: data.name,
    prompt: parseTemplate(data.prompt),
    minDigits: data.min_digits,
    maxDigits: data.max_digits,
    terminator: data.terminator,
    timeoutMs: data.timeout_ms,
    retries: data.retries,
    variable: data.variable ?? null,
    isSensitive: data.sensitive,
    edgesByDigits,
    conditions,
    onFailure,
    next: next === undefined ? null : graphEdge(next),
  };
}

/** What nodes are built with, besides themselves. */
export interface BuildContext {
  readonly globalPrompt: Template | null;
  readonly tools: KnownTools;
}

/** A node made ready to run; null for one the call is never at. `exits` are the edges out of it, in the document's order. */
export function buildNode(node: WorkflowNode, exits: readonly WorkflowEdge[], { globalPrompt, tools }: BuildContext): GraphNode | null {
  const sorted = sortExits(exits);
  const [next] = sorted.others;
  switch (node.type) {
    case 'startCall':
    case 'agentNode':
    case 'endCall':
      return promptedNode(node, sorted, globalPrompt, toolsAt(node, exits, tools));
    case 'collectDigits':
      return collectNode(node, sorted);
    case 'say': {
      const speech = fixedSpeech(node.data.text, node.data.recording_id);
      if (next === undefined || speech === null) return null;
      return {
        type: 'say',
        id: node.id,
        name: node.data.name,
        speech,
        allowInterrupt: node.data.allow_interrupt,
        conditions: sorted.conditions,
        next: graphEdge(next),
      };
    }
    case 'transferCall':
      return {
        type: 'transferCall',
        id: node.id,
        name: node.data.name,
        destination: parseTemplate(node.data.destination),
        mode: node.data.mode,
        timeoutSeconds: node.data.timeout_seconds,
        message: parseTemplate(node.data.message),
        onFailure: sorted.onFailure ?? (next === undefined ? null : graphEdge(next)),
        edgesByDigits: sorted.edgesByDigits,
      };
    default:
      return null;
  }
}
