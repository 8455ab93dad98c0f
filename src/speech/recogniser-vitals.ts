import type { RecogniserWire } from './recogniser-wire.js';

/** Speech that must have been sent since the last message before silence is suspicious. */
const STALL_SPEECH_BYTES = 4000;

/** From the open socket to the vendor's word that it takes audio. */
const READY_TIMEOUT_MS = 2000;

/** Whether a connection is idle or stalled. All times on the clock. */
export interface RecogniserVitals {
  /** The vendor takes audio. */
  noteReady(): void;
  noteAudio(batch: Buffer, atMs: number): void;
  /** The vendor said something that shows the recogniser at work. */
  noteMessage(atMs: number): void;
  noteKeepAlive(atMs: number): void;
  /** `late`: the vendor does not begin the session. `stalled`: speech went nowhere. `idle`: a keep-alive message is due. */
  verdict(atMs: number): 'late' | 'stalled' | 'idle' | 'well';
}

/** Whether mu-law audio may hold speech: a tenth of its samples reach about -30 dBFS (G.711 segment 3). */
function isLoud(audio: Buffer): boolean {
  let loud = 0;
  for (let i = 0; i < audio.length; i += 8) if (((~(audio[i] ?? 0xff) >> 4) & 7) >= 3) loud += 1;
  return loud * 80 >= audio.length;
}

/** Creates them for a connection that opened at `openedMs`. */
export function createRecogniserVitals({ stallAfterMs, keepAlive }: Pick<RecogniserWire, 'stallAfterMs' | 'keepAlive'>, openedMs: number): RecogniserVitals {
  let audioMs = openedMs;
  let messageMs = openedMs;
  let speechBytes = 0;
  let readyDueMs = openedMs + READY_TIMEOUT_MS;
  return {
    noteReady() {
      readyDueMs = Infinity;
    },
    noteAudio(batch, atMs) {
      audioMs = atMs;
      if (isLoud(batch)) speechBytes += batch.length;
    },
    noteMessage(atMs) {
      messageMs = atMs;
      speechBytes = 0;
    },
    noteKeepAlive(atMs) {
      audioMs = atMs;
    },
    verdict(atMs) {
      if (atMs >= readyDueMs) return 'late';
      if (stallAfterMs !== null && speechBytes >= STALL_SPEECH_BYTES && atMs - messageMs >= stallAfterMs) return 'stalled';
      return keepAlive !== null && atMs - audioMs >= keepAlive.afterMs ? 'idle' : 'well';
    },
  };
}
