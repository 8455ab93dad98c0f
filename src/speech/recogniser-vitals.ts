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
  /** The vendor said something that shows the recogniser at work. `isAnswer`: also that it works on what was asked for. */
  noteMessage(atMs: number, isAnswer: boolean): void;
  noteKeepAlive(atMs: number): void;
  /** The caller paused: what was said is asked for, where the vendor can be asked. */
  noteRequest(atMs: number): void;
  /**
   * `late`: the vendor does not begin the session. `stalled`: it owes an answer. `doubtful`: it owes one if what was loud were words.
   * `idle`: a keep-alive message is due.
   */
  verdict(atMs: number): 'late' | 'stalled' | 'doubtful' | 'idle' | 'well';
}

/** Whether mu-law audio may hold speech: a tenth of its samples reach about -30 dBFS (G.711 segment 3). */
function isLoud(audio: Buffer): boolean {
  let loud = 0;
  for (let i = 0; i < audio.length; i += 8) if (((~(audio[i] ?? 0xff) >> 4) & 7) >= 3) loud += 1;
  return loud * 80 >= audio.length;
}

/** Creates them for a connection that opened at `openedMs`. */
export function createRecogniserVitals({ stall, keepAlive }: Pick<RecogniserWire, 'stall' | 'keepAlive'>, openedMs: number): RecogniserVitals {
  let audioMs = openedMs;
  let messageMs = openedMs;
  let speechBytes = 0;
  /** The oldest request that no answer came after. */
  let requestMs: number | null = null;
  let readyDueMs = openedMs + READY_TIMEOUT_MS;
  return {
    noteReady() {
      readyDueMs = Infinity;
    },
    noteAudio(batch, atMs) {
      audioMs = atMs;
      if (isLoud(batch)) speechBytes += batch.length;
    },
    noteMessage(atMs, isAnswer) {
      messageMs = atMs;
      speechBytes = 0;
      if (isAnswer) requestMs = null;
    },
    noteKeepAlive(atMs) {
      audioMs = atMs;
    },
    noteRequest(atMs) {
      requestMs ??= atMs;
    },
    verdict(atMs) {
      if (atMs >= readyDueMs) return 'late';
      const isSpoken = speechBytes >= STALL_SPEECH_BYTES;
      const isAsked = requestMs !== null && atMs - requestMs >= stall.afterMs;
      if (stall.owes === 'speech' && isSpoken && atMs - messageMs >= stall.afterMs) return 'stalled';
      if (stall.owes === 'request' && isAsked) return 'stalled';
      if (stall.owes === 'words' && isAsked && isSpoken) return 'doubtful';
      return keepAlive !== null && atMs - audioMs >= keepAlive.afterMs ? 'idle' : 'well';
    },
  };
}
