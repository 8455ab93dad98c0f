import type { AudioClipStore } from '../store/store.js';
import { clipReferencesIn } from '../workflow/clip-references.js';
import type { Problem } from './services.js';

/** Recordings that a workflow names and that are no audio clips of the organization. */
export async function checkClips(audioClips: Pick<AudioClipStore, 'find'>, organizationId: string, workflow: unknown): Promise<readonly Problem[]> {
  const references = clipReferencesIn(workflow);
  const known = new Set((await audioClips.find(organizationId, [...new Set(references.map(({ recordingId }) => recordingId))])).map(({ uuid }) => uuid));
  return references
    .filter(({ recordingId }) => !known.has(recordingId))
    .map(({ elementId, field, recordingId }) => ({
      path: field,
      message: `there is no audio clip ${recordingId}`,
      cure: 'Upload the recording (POST /api/v1/audio-clips, or agent-stream clips add), and name its UUID.',
      elementId,
    }));
}
