import { AgentStreamError, type ErrorCode } from '../../base/errors.js';
import { asRecord, parseJsonRecord, type JsonRecord } from '../../base/json.js';
import { createPauseTracker, type PauseTracker } from '../pause-tracker.js';
import type { Recognition, RecogniserCodec, RecogniserWire } from '../recogniser-wire.js';
import { resultsOf, toMs, wordsOf, type Result } from './results.js';

/** Audio per message: 60 ms. */
const BATCH_BYTES = 480;
/** ForceEndOfUtterance is answered within some hundred ms. */
const STALL_AFTER_MS = 2000;

const NOTHING_TO_DO: readonly Recognition[] = [{ type: 'unknown' }];
/** An acknowledgement, a notice or a warning says nothing of the recogniser behind. */
const RECEIVED: readonly Recognition[] = [{ type: 'audio-received' }];

/** Error types that do not get better by trying again, or not at once (docs.speechmatics.com/api-ref/realtime-transcription-websocket#error). */
const meanings: Readonly<Record<string, ErrorCode>> = {
  not_authorised: 'vendor-unauthorized',
  not_allowed: 'vendor-unauthorized',
  quota_exceeded: 'vendor-rate-limited',
  timelimit_exceeded: 'vendor-rejected',
  invalid_message: 'vendor-rejected',
  invalid_model: 'vendor-rejected',
  invalid_language: 'vendor-rejected',
  invalid_config: 'vendor-rejected',
  invalid_audio_type: 'vendor-rejected',
  invalid_output_format: 'vendor-rejected',
  protocol_error: 'vendor-rejected',
};

/** The meaning of an Error; `details.reason` is its type where that is known. */
function errorOf(type: unknown): AgentStreamError {
  const code = typeof type === 'string' && Object.hasOwn(meanings, type) ? meanings[type] : undefined;
  return new AgentStreamError(code ?? 'vendor-unreachable', code === undefined ? {} : { details: { reason: String(type) } });
}

/** What differs between sessions. */
export interface SpeechmaticsSession {
  /** The StartRecognition. */
  readonly opening: string;
  /** True: the end of an utterance is the turn's, and nobody else ends it. */
  readonly endsTurns: boolean;
}

/** A session's codec. Final results come a few words at a time; they are reported together, by sentence or utterance. */
function createCodec({ opening, endsTurns }: SpeechmaticsSession, pause: PauseTracker): RecogniserCodec {
  let final: Result[] = [];
  let audioMessages = 0;
  /** Requests that no EndOfUtterance answered. */
  let requests = 0;
  /** What the language puts between words. */
  let delimiter = ' ';

  const textOf = (results: readonly Result[]) =>
    wordsOf(results)
      .map((word) => word.text)
      .join(delimiter);

  function settle(): readonly Recognition[] {
    const [first] = final;
    const last = final.at(-1);
    if (first === undefined || last === undefined) return [];
    const settled: Recognition = { type: 'text-settled', text: textOf(final), startMs: first.startMs, endMs: last.endMs };
    final = [];
    return [settled];
  }

  function hear(results: readonly Result[]): readonly Recognition[] {
    return results.length > 0 && pause.hear() && !endsTurns ? [{ type: 'turn-resumed' }] : [];
  }

  function readFinal(message: JsonRecord): readonly Recognition[] {
    const results = resultsOf(message);
    const found = [...hear(results)];
    for (const result of results) {
      final.push(result);
      if (result.isSentenceEnd) found.push(...settle());
    }
    if (final.length > 0) found.push({ type: 'text-revised', text: textOf(final), words: wordsOf(final) });
    return found.length === 0 ? NOTHING_TO_DO : found;
  }

  function readPartial(message: JsonRecord): readonly Recognition[] {
    const results = resultsOf(message);
    const open = [...final, ...results];
    return [...hear(results), { type: 'text-revised', text: textOf(open), words: wordsOf(open) }];
  }

  function endUtterance(message: JsonRecord): readonly Recognition[] {
    const endMs = Math.max(final.at(-1)?.endMs ?? 0, toMs(asRecord(message['metadata'])['end_time']));
    const settled = settle();
    const isPause = pause.end();
    if (requests > 0) {
      requests -= 1;
      return [...settled, { type: 'finalize-answered', endMs }];
    }
    const end: readonly Recognition[] = isPause ? [{ type: endsTurns ? 'turn-end' : 'turn-pause' }] : [];
    return [...settled, ...end, { type: 'audio-covered', endMs }];
  }

  return {
    opening,
    audio(batch) {
      audioMessages += 1;
      return batch;
    },
    finalize(endMs) {
      // It would end the turn.
      if (endsTurns) return null;
      requests += 1;
      return JSON.stringify({ message: 'ForceEndOfUtterance', timestamp: endMs / 1000 });
    },
    close: () => JSON.stringify({ message: 'EndOfStream', last_seq_no: audioMessages }),
    parse(data) {
      const message = parseJsonRecord(data);
      switch (message?.['message']) {
        case 'RecognitionStarted': {
          const given = asRecord(message['language_pack_info'])['word_delimiter'];
          if (typeof given === 'string') delimiter = given;
          return [{ type: 'session-ready' }];
        }
        case 'AddPartialTranscript':
          return readPartial(message);
        case 'AddTranscript':
          return readFinal(message);
        case 'EndOfUtterance':
          return endUtterance(message);
        case 'Error':
          return [{ type: 'session-failed', error: errorOf(message['type']) }];
        default:
          return message === null ? null : RECEIVED;
      }
    },
  };
}

/**
 * Real-time sessions of `/v2` (docs.speechmatics.com/api-ref/realtime-transcription-websocket). Audio is acknowledged whether or not it is
 * recognised; a ForceEndOfUtterance is always answered (docs.speechmatics.com/speech-to-text/realtime/turn-detection).
 */
export function createSpeechmaticsWire(url: string, headers: Readonly<Record<string, string>>, session: SpeechmaticsSession): RecogniserWire {
  const pause = createPauseTracker();
  return {
    url,
    headers,
    batchBytes: BATCH_BYTES,
    minBatchBytes: 1,
    isReadyOnOpen: false,
    keepAlive: null,
    stall: { owes: session.endsTurns ? 'words' : 'request', afterMs: STALL_AFTER_MS },
    createCodec: () => createCodec(session, pause),
  };
}
