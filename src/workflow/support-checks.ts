import { edgeProblem, nodeProblem, type Problem } from './problems.js';
import type { WorkflowEdge, WorkflowNode } from './schema.js';

/** What is wrong with a recording that is asked for by its type: message and cure. */
function recordingProblem(typeField: string, type: 'text' | 'audio' | undefined, recordingId: string | undefined): readonly [message: string, cure: string] | null {
  if (type === 'audio' && recordingId === undefined) return [`is required where ${typeField} is audio`, `Name an audio clip (docs/audio-clips.md), or set ${typeField} to text.`];
  if (type !== 'audio' && recordingId !== undefined) return [`is played only where ${typeField} is audio`, `Set ${typeField} to audio, or remove the recording.`];
  return null;
}

/** What of a node does not go together. Nothing is accepted and ignored. */
export function checkNodeSupport(node: WorkflowNode): readonly Problem[] {
  if (node.type === 'qa' && !node.data.qa_use_workflow_llm && node.data.qa_model === undefined)
    return [nodeProblem(node.id, 'data.qa_model', 'is required where qa_use_workflow_llm is false', 'Name a model of the workflow’s vendor.')];
  if (node.type === 'say' && node.data.text.trim() === '' && node.data.recording_id === undefined)
    return [nodeProblem(node.id, 'data.text', 'is required', 'Write what is said, or name an audio clip in data.recording_id.')];
  if (node.type !== 'startCall') return [];
  if (node.data.pre_call_fetch_mode !== 'disabled' && node.data.pre_call_fetch_url === undefined)
    return [nodeProblem(node.id, 'data.pre_call_fetch_url', 'is required where pre_call_fetch_mode is not disabled', 'Say where to ask.')];
  const recording = recordingProblem('greeting_type', node.data.greeting_type, node.data.greeting_recording_id);
  return recording === null ? [] : [nodeProblem(node.id, 'data.greeting_recording_id', ...recording)];
}

/** What of an edge does not go together. */
export function checkEdgeSupport({ id, data }: WorkflowEdge): readonly Problem[] {
  const recording = recordingProblem('transition_speech_type', data.transition_speech_type, data.transition_speech_recording_id);
  return recording === null ? [] : [edgeProblem(id, 'data.transition_speech_recording_id', ...recording)];
}
