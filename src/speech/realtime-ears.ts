import type { SpeechToTextStream } from './speech-to-text.js';

/** What hears in a speech-to-speech session. */
interface Hearing {
  push(audio: Uint8Array): void;
  finalize(): void;
}

/** The ears of a speech-to-speech session as a call knows them. A session that has failed hears nothing; `close` closes all of it. */
export function realtimeEars(hearing: Hearing, hasFailed: () => boolean, close: () => void): SpeechToTextStream {
  return {
    push(audio) {
      if (!hasFailed()) hearing.push(audio);
    },
    finalize() {
      if (!hasFailed()) hearing.finalize();
    },
    close,
  };
}
