import { asRecord, parseJsonRecord } from '../../base/json.js';
import type { RecognisedWord, Recognition, RecogniserCodec, RecogniserWire } from '../recogniser-wire.js';
import { closeStreamMessage, NOTHING_TO_DO, toMs } from './messages.js';

/** Audio per message: 80 ms, as Deepgram recommends for Flux (developers.deepgram.com/docs/flux/quickstart). */
const BATCH_BYTES = 640;
/** Silence at the end of what was heard may hide a word that has only begun: after a loss it is sent again. */
const UNDECIDED_MS = 1000;
/** An Update comes about every 250 ms of audio, of silence too. */
const STALL_AFTER_MS = 3000;

function wordsOf(words: unknown): readonly RecognisedWord[] {
  if (!Array.isArray(words)) return [];
  return words.map(asRecord).flatMap(({ word, end }) => (typeof word === 'string' && typeof end === 'number' ? [{ text: word, endMs: toMs(end) }] : []));
}

/** When the first word began, else the window; a turn's window may begin long before it. */
function startOf(words: unknown, windowStart: unknown): number {
  const first = asRecord(Array.isArray(words) ? words[0] : undefined)['start'];
  return toMs(typeof first === 'number' ? first : windowStart);
}

/**
 * Reads a message of `/v2/listen`. A TurnInfo holds the whole turn so far; its text is settled with EndOfTurn alone, which matches the
 * EagerEndOfTurn before it (developers.deepgram.com/docs/flux/state).
 */
function parseTurnMessage(data: Buffer): readonly Recognition[] | null {
  const message = parseJsonRecord(data);
  if (message === null) return null;
  if (message['type'] !== 'TurnInfo') return NOTHING_TO_DO;
  const text = typeof message['transcript'] === 'string' ? message['transcript'].trim() : '';
  const startMs = startOf(message['words'], message['audio_window_start']);
  const endMs = Math.max(startMs, toMs(message['audio_window_end']));
  const revised: Recognition = { type: 'text-revised', text, words: wordsOf(message['words']) };
  switch (message['event']) {
    case 'StartOfTurn':
      return [{ type: 'speech-start' }, revised];
    case 'EagerEndOfTurn':
      return [revised, { type: 'turn-pause' }];
    case 'TurnResumed':
      return [{ type: 'turn-resumed' }, revised];
    case 'EndOfTurn':
      return [{ type: 'text-settled', text, startMs, endMs }, { type: 'turn-end' }, { type: 'audio-covered', endMs }];
    default:
      // An open turn's words are not settled yet: only silence is.
      if (text !== '') return [revised];
      return [
        { type: 'text-settled', text, startMs: 0, endMs: Math.max(0, endMs - UNDECIDED_MS) },
        { type: 'audio-covered', endMs },
      ];
  }
}

const codec: RecogniserCodec = {
  opening: null,
  audio: (batch) => batch,
  // ForceEndTurn needs enablement; a deployment without it closes the connection. Flux ends its turns itself.
  finalize: () => null,
  close: () => closeStreamMessage,
  parse: parseTurnMessage,
};

/**
 * The Flux models of `/v2/listen`, which decide when a turn is over (developers.deepgram.com/reference/speech-to-text/listen-flux). They know
 * no KeepAlive: WebSocket pings keep the connection.
 */
export function createFluxWire(url: string, headers: Readonly<Record<string, string>>): RecogniserWire {
  const stall = { owes: 'speech', afterMs: STALL_AFTER_MS } as const;
  return { url, headers, batchBytes: BATCH_BYTES, minBatchBytes: 1, isReadyOnOpen: true, keepAlive: null, stall, createCodec: () => codec };
}
