/** Audio kept for fixed words: about 70 minutes of mu-law. */
const MAX_CACHED_BYTES = 32 * 1024 * 1024;

/** Ready audio of fixed words (greeting, goodbye, checks) per voice and text, shared by all calls of the process. */
export interface PhraseCache {
  /** `voiceKey` is the voice's `cacheKey` and language. */
  get(voiceKey: string, text: string): Uint8Array | undefined;
  set(voiceKey: string, text: string, audio: Uint8Array): void;
}

/** Creates a cache that forgets the least recently used phrase first. */
export function createPhraseCache(maxBytes = MAX_CACHED_BYTES): PhraseCache {
  const phrases = new Map<string, Uint8Array>();
  let sizeBytes = 0;
  const keyOf = (voiceKey: string, text: string) => `${voiceKey}\u0000${text}`;

  return {
    get(voiceKey, text) {
      const key = keyOf(voiceKey, text);
      const audio = phrases.get(key);
      if (audio === undefined) return undefined;
      phrases.delete(key);
      phrases.set(key, audio);
      return audio;
    },
    set(voiceKey, text, audio) {
      const key = keyOf(voiceKey, text);
      sizeBytes += audio.length - (phrases.get(key)?.length ?? 0);
      phrases.delete(key);
      phrases.set(key, audio);
      for (const [oldKey, oldAudio] of phrases) {
        if (sizeBytes <= maxBytes) break;
        phrases.delete(oldKey);
        sizeBytes -= oldAudio.length;
      }
    },
  };
}
