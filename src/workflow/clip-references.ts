import { asRecord } from '../base/json.js';

/** A field that names an audio clip. */
export interface ClipReference {
  /** Id of the node or edge. */
  readonly elementId: string;
  /** Dotted path inside it. */
  readonly field: string;
  readonly recordingId: string;
}

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function referencesOf(part: unknown, fields: readonly string[]): readonly ClipReference[] {
  const { id, data } = asRecord(part);
  return fields.flatMap((field) => {
    const recordingId = asRecord(data)[field];
    return typeof recordingId === 'string' && recordingId !== '' ? [{ elementId: String(id), field: `data.${field}`, recordingId }] : [];
  });
}

/** The fields of a document that name audio clips; what is wrong with its shape is for the compiler to tell. */
export function clipReferencesIn(workflow: unknown): readonly ClipReference[] {
  const { nodes, edges } = asRecord(workflow);
  return [
    ...listOf(nodes).flatMap((node) => referencesOf(node, ['greeting_recording_id', 'recording_id'])),
    ...listOf(edges).flatMap((edge) => referencesOf(edge, ['transition_speech_recording_id'])),
  ];
}
