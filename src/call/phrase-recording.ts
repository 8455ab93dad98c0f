/** Largest phrase kept for the cache while it streams: 60 s of mu-law. */
const MAX_CACHED_PHRASE_BYTES = 60 * 8000;

/** Keeps the audio of a phrase as it comes, for the cache. */
export interface PhraseRecording {
  add(audio: Uint8Array): void;
  /** All of it; null: it is longer than what is kept, or there is none. */
  readonly audio: Uint8Array | null;
}

/** Creates an empty recording. */
export function createPhraseRecording(): PhraseRecording {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  return {
    add(audio) {
      sizeBytes += audio.length;
      if (sizeBytes <= MAX_CACHED_PHRASE_BYTES) chunks.push(Uint8Array.from(audio));
    },
    get audio() {
      return sizeBytes === 0 || sizeBytes > MAX_CACHED_PHRASE_BYTES ? null : Buffer.concat(chunks);
    },
  };
}
