import { asRecord, parseJsonRecord } from '../../base/json.js';
import { createPauseTracker, type PauseTracker } from '../pause-tracker.js';
import type { Recognition, RecogniserCodec, RecogniserWire } from '../recogniser-wire.js';
import { closeStreamMessage, NOTHING_TO_DO, toMs } from './messages.js';

/** Audio per message: 60 ms. */
const BATCH_BYTES = 480;
/** Deepgram closes a connection that gets neither audio nor KeepAlive for 10 s, and asks for one every 3 to 5 s. */
const KEEP_ALIVE_AFTER_MS = 4000;
/** Deepgram reports about once a second of audio, of silence too. */
const STALL_AFTER_MS = 3000;

const keepAliveMessage = '{"type":"KeepAlive"}';
const finalizeMessage = '{"type":"Finalize"}';

/** Reads a message of `/v1/listen`; `pause` tells pauses from words that go on. */
function parseListenMessage(data: Buffer, pause: PauseTracker): readonly Recognition[] | null {
  const message = parseJsonRecord(data);
  if (message === null) return null;
  // An error message is followed by the close frame that says which one it is.
  if (message['type'] !== 'Results') return NOTHING_TO_DO;
  const alternatives = asRecord(message['channel'])['alternatives'];
  const best = asRecord(Array.isArray(alternatives) ? alternatives[0] : undefined);
  const text = typeof best['transcript'] === 'string' ? best['transcript'].trim() : '';
  const startMs = toMs(message['start']);
  const endMs = startMs + toMs(message['duration']);
  const isFinal = message['is_final'] === true;
  const found: Recognition[] = [];
  if (text !== '' && pause.hear()) found.push({ type: 'turn-resumed' });
  found.push(isFinal ? { type: 'text-settled', text, startMs, endMs } : { type: 'text-revised', text });
  if (message['speech_final'] === true && pause.end()) found.push({ type: 'turn-pause' });
  if (message['from_finalize'] === true) found.push({ type: 'finalize-answered', endMs });
  if (isFinal) found.push({ type: 'audio-covered', endMs });
  return found;
}

/** The models of `/v1/listen` (developers.deepgram.com/reference/speech-to-text/listen-streaming). */
export function createNovaWire(url: string, headers: Readonly<Record<string, string>>): RecogniserWire {
  const pause = createPauseTracker();
  const codec: RecogniserCodec = {
    opening: null,
    audio: (batch) => batch,
    finalize: () => finalizeMessage,
    close: () => closeStreamMessage,
    parse: (data) => parseListenMessage(data, pause),
  };
  return {
    url,
    headers,
    batchBytes: BATCH_BYTES,
    minBatchBytes: 1,
    isReadyOnOpen: true,
    keepAlive: { message: keepAliveMessage, afterMs: KEEP_ALIVE_AFTER_MS },
    stall: { owes: 'speech', afterMs: STALL_AFTER_MS },
    createCodec: () => codec,
  };
}
