import type { Problem } from './problems.js';
import type { NodeType, WorkflowEdge, WorkflowNode } from './schema.js';

/** Types a draft may hold, and run without; refused at publish. */
const draftOnlyTypes: ReadonlySet<NodeType> = new Set<NodeType>(['qa', 'trigger']);

const unsupported = (kind: 'node' | 'edge', id: string, field: string, what: string): Problem => ({
  kind,
  id,
  field,
  message: `not supported yet: ${what}`,
  cure: kind === 'node' && field === 'type' ? 'Remove the node.' : `Leave ${field} at its default.`,
});

/** Fields that ask for something this version cannot do, each with what it asks for. */
function unbuiltFields(node: WorkflowNode): readonly (readonly [field: string, what: string])[] {
  if (node.type === 'say') return node.data.recording_id === undefined ? [] : [['recording_id', 'recordings']];
  if (node.type === 'webhook') return node.data.credential_uuid === undefined ? [] : [['credential_uuid', 'stored credentials of webhooks']];
  if (node.type !== 'startCall' && node.type !== 'agentNode' && node.type !== 'endCall') return [];
  const { data } = node;
  const asked: (readonly [field: string, what: string, isAsked: boolean])[] = [
    ['tool_uuids', 'tools', data.tool_uuids.length > 0],
    ['document_uuids', 'documents', data.document_uuids.length > 0],
    ['mcp_tool_filters', 'MCP tools', Object.keys(data.mcp_tool_filters).length > 0],
  ];
  if (node.type === 'startCall') {
    asked.push(
      ['greeting_type', 'recorded greetings', node.data.greeting_type === 'audio'],
      ['greeting_recording_id', 'recorded greetings', node.data.greeting_recording_id !== undefined],
      ['pre_call_fetch_mode', 'fetching before the call', node.data.pre_call_fetch_mode !== 'disabled'],
    );
  }
  return asked.flatMap(([field, what, isAsked]) => (isAsked ? [[field, what] as const] : []));
}

/** What the document asks of a node that this version cannot do. Nothing is accepted and ignored. */
export function checkNodeSupport(node: WorkflowNode, forPublish: boolean): readonly Problem[] {
  if (forPublish && draftOnlyTypes.has(node.type))
    return [unsupported('node', node.id, 'type', `${node.type} nodes`)];
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
