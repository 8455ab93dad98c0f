import { MAX_AGENT_CLIPS } from '../call/clip-resolver.js';
import type { AudioClipStore } from '../store/store.js';
import { clipReferencesIn } from '../workflow/clip-references.js';
import type { Problem } from './services.js';

/** What is wrong with the recordings that a workflow names: some that are no audio clips of the organization, or too many. */
export async function checkClips(audioClips: Pick<AudioClipStore, 'find'>, organizationId: string, workflow: unknown): Promise<readonly Problem[]> {
  const references = clipReferencesIn(workflow);
  const named = [...new Set(references.map(({ recordingId }) => recordingId))];
  if (named.length > MAX_AGENT_CLIPS)
    return [{ path: 'nodes', message: `${named.length} recordings are named; ${MAX_AGENT_CLIPS} are taken`, cure: 'Let the voice say some of them.' }];
  const known = new Set((await audioClips.find(organizationId, named)).map(({ uuid }) => uuid));
  return references
    .filter(({ recordingId }) => !known.has(recordingId))
    .map(({ elementId, field, recordingId }) => ({
      path: field,
      message: `there is no audio clip ${recordingId}`,
      cure: 'Upload the recording (POST /api/v1/audio-clips, or agent-stream clips add), and name its UUID.',
      elementId,
    }));
}
