type Data = Record<string, unknown>;

const NO_CLIP = 'there is no such audio clip here: upload the recording (agent-stream clips add FILE.wav), then name its UUID in this field';

/** The fields that name recordings, each with the one that asks for it. */
const recordingFields: readonly (readonly [field: string, typeField: string | null])[] = [
  ['greeting_recording_id', 'greeting_type'],
  ['recording_id', null],
  ['transition_speech_recording_id', 'transition_speech_type'],
];

/** Takes out recordings that are not here, of a node or an edge; what is said in their place stays. */
export function keepClips(data: Data, known: ReadonlySet<string>, drop: (field: string, value: unknown, why: string) => void): void {
  for (const [field, typeField] of recordingFields) {
    const recordingId = data[field];
    if (typeof recordingId === 'string' && known.has(recordingId)) continue;
    if (recordingId !== undefined) drop(field, recordingId, NO_CLIP);
    Reflect.deleteProperty(data, field);
    if (typeField === null || data[typeField] !== 'audio') continue;
    drop(typeField, 'audio', 'without its recording the text is said, where there is one');
    Reflect.deleteProperty(data, typeField);
  }
}
