import type { Problem } from './problems.js';
import type { WorkflowEdge, WorkflowNode } from './schema.js';

const unsupported = (kind: 'node' | 'edge', id: string, field: string, what: string): Problem => ({
  kind,
  id,
  field,
  message: `not supported yet: ${what}`,
  cure: `Leave ${field} at its default.`,
});

/** Fields that ask for something this version cannot do, each with what it asks for. */
function unbuiltFields(node: WorkflowNode): readonly (readonly [field: string, what: string])[] {
  if (node.type === 'say') return node.data.recording_id === undefined ? [] : [['recording_id', 'recordings']];
  if (node.type === 'webhook') return node.data.credential_uuid === undefined ? [] : [['credential_uuid', 'stored credentials of webhooks']];
  if (node.type !== 'startCall') return [];
  const { data } = node;
  const asked: readonly (readonly [field: string, what: string, isAsked: boolean])[] = [
    ['greeting_type', 'recorded greetings', data.greeting_type === 'audio'],
    ['greeting_recording_id', 'recorded greetings', data.greeting_recording_id !== undefined],
    ['pre_call_fetch_credential_uuid', 'stored credentials of requests before the call', data.pre_call_fetch_credential_uuid !== undefined],
  ];
  return asked.flatMap(([field, what, isAsked]) => (isAsked ? [[field, what] as const] : []));
}

/** What the document asks of a node that this version cannot do. Nothing is accepted and ignored. */
export function checkNodeSupport(node: WorkflowNode): readonly Problem[] {
  if (node.type === 'qa' && !node.data.qa_use_workflow_llm && node.data.qa_model === undefined)
    return [{ kind: 'node', id: node.id, field: 'data.qa_model', message: 'is required where qa_use_workflow_llm is false', cure: 'Name a model of the workflow’s vendor.' }];
  if (node.type === 'startCall' && node.data.pre_call_fetch_mode !== 'disabled' && node.data.pre_call_fetch_url === undefined)
    return [{ kind: 'node', id: node.id, field: 'data.pre_call_fetch_url', message: 'is required where pre_call_fetch_mode is not disabled', cure: 'Say where to ask.' }];
  return unbuiltFields(node).map(([field, what]) => unsupported('node', node.id, `data.${field}`, what));
}

/** What the document asks of an edge that this version cannot do. */
export function checkEdgeSupport({ id, data }: WorkflowEdge): readonly Problem[] {
  const asked: readonly (readonly [field: string, isAsked: boolean])[] = [
    ['transition_speech_type', data.transition_speech_type === 'audio'],
    ['transition_speech_recording_id', data.transition_speech_recording_id !== undefined],
  ];
  return asked.flatMap(([field, isAsked]) => (isAsked ? [unsupported('edge', id, `data.${field}`, 'recorded transition speech')] : []));
}
