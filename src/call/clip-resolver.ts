import { toAgentStreamError, type ErrorCode } from '../base/errors.js';
import type { AudioClip, AudioClipStore } from '../store/store.js';
import { createPhraseCache } from './phrase-cache.js';

/** Sound of clips kept in memory: more than two hours of mu-law. */
const MAX_CACHED_BYTES = 64 * 1024 * 1024;
/** Clips of one agent: 24 MB at most for a call to wait for. */
export const MAX_AGENT_CLIPS = 50;

/** Ready sound of clips by UUID: 8 kHz mu-law. */
export type ClipSounds = Pick<ReadonlyMap<string, Uint8Array>, 'get'>;

/** The clips of an agent, ready to be played. */
export interface OpenClips {
  readonly clips: readonly AudioClip[];
  /** Of each of them. */
  readonly sounds: ClipSounds;
}

/** Brings agents' clips into memory before their calls begin. */
export interface ClipResolver {
  /**
   * What exists of the recordings now. Never rejects: a call goes on without those that cannot be played, and `onMissing` is told of each, with
   * `not-found` or what the database answered.
   */
  open(organizationId: string, recordingIds: readonly string[], onMissing: (recordingId: string, code: ErrorCode) => void): Promise<OpenClips>;
}

/** Creates the resolver of this node. Clips never change, so that their sound is read once. */
export function createClipResolver(store: Pick<AudioClipStore, 'find' | 'audio'>): ClipResolver {
  const cached = createPhraseCache(MAX_CACHED_BYTES);

  async function soundOf(organizationId: string, uuid: string): Promise<Uint8Array | null> {
    const known = cached.get(organizationId, uuid) ?? (await store.audio(organizationId, uuid));
    if (known !== null) cached.set(organizationId, uuid, known);
    return known;
  }

  return {
    async open(organizationId, recordingIds, onMissing) {
      const clips: AudioClip[] = [];
      const sounds = new Map<string, Uint8Array>();
      let code: ErrorCode = 'not-found';
      try {
        const asked = recordingIds.slice(0, MAX_AGENT_CLIPS);
        for (const clip of asked.length === 0 ? [] : await store.find(organizationId, asked)) {
          const sound = await soundOf(organizationId, clip.uuid);
          if (sound === null) continue;
          clips.push(clip);
          sounds.set(clip.uuid, sound);
        }
      } catch (error) {
        ({ code } = toAgentStreamError(error));
      }
      for (const recordingId of recordingIds) if (!sounds.has(recordingId)) onMissing(recordingId, code);
      return { clips, sounds };
    },
  };
}
