import type { AgentStreamError } from '../../base/errors.js';
import { vendorStatusError } from '../../base/http-status.js';
import { asRecord, parseJsonRecord, type JsonRecord } from '../../base/json.js';
import { createPauseTracker, type PauseTracker } from '../pause-tracker.js';
import type { Recognition, RecogniserCodec, RecogniserWire } from '../recogniser-wire.js';
import { createRealtimeItems } from './realtime-items.js';

/** Audio per message: 60 ms. */
const BATCH_BYTES = 480;
/** A committed stretch is answered with its text, or with none: later than this the vendor is not at work. */
const STALL_AFTER_MS = 1500;

const commitMessage = '{"type":"input_audio_buffer.commit"}';

/** The error that a vendor's error object stands for (developers.openai.com/api/docs/guides/error-codes). */
function errorOf(error: JsonRecord): AgentStreamError {
  const name = `${String(error['code'])} ${String(error['type'])}`;
  if (/invalid_api_key|authentication|permission|unauthorized/.test(name)) return vendorStatusError(401);
  if (/rate_limit|insufficient_quota/.test(name)) return vendorStatusError(429);
  return vendorStatusError(/invalid_request|not_found|unsupported/.test(name) && !/session_expired/.test(name) ? 400 : 503);
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');
const msOf = (value: unknown): number => (typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : 0);

/** What a session's codec is made of. */
interface CodecOptions {
  readonly opening: string;
  /** The end of speech that the vendor hears is the end of a turn. */
  readonly endsTurns: boolean;
  readonly pause: PauseTracker;
}

function createCodec({ opening, endsTurns, pause }: CodecOptions): RecogniserCodec {
  const items = createRealtimeItems(endsTurns, pause.end);
  let isReady = false;

  function readTranscript(kind: string | undefined, message: JsonRecord): readonly Recognition[] {
    const id = textOf(message['item_id']);
    if (kind === 'completed') return items.settle(id, textOf(message['transcript']));
    if (kind === 'delta') {
      items.write(id, textOf(message['delta']));
      return [{ type: 'text-revised', text: items.text }];
    }
    const error = asRecord(message['error']);
    // Noise that holds no speech is not a fault of the vendor's.
    return error['code'] === 'audio_unintelligible' ? items.settle(id, null) : [{ type: 'session-failed', error: errorOf(error) }];
  }

  function readBuffer(kind: string | undefined, message: JsonRecord): readonly Recognition[] {
    const id = textOf(message['item_id']);
    if (kind === 'speech_started') {
      items.begin(id, msOf(message['audio_start_ms']));
      return pause.hear() ? [{ type: 'turn-resumed' }, { type: 'speech-start' }] : [{ type: 'speech-start' }];
    }
    if (kind === 'speech_stopped') items.end(id, msOf(message['audio_end_ms']));
    if (kind === 'committed') items.commit(id);
    return [{ type: 'audio-received' }];
  }

  function readRefusal(): readonly Recognition[] {
    const found = items.refuse();
    return found.length === 0 ? [{ type: 'audio-received' }] : found;
  }

  function readError(message: JsonRecord): readonly Recognition[] {
    const error = asRecord(message['error']);
    if (error['code'] === 'input_audio_buffer_commit_empty') return readRefusal();
    const failure = errorOf(error);
    // "Most errors are recoverable and the session will stay open": a message that was refused does no harm to a running session.
    return isReady && failure.code === 'vendor-rejected' ? [{ type: 'audio-received' }] : [{ type: 'session-failed', error: failure }];
  }

  function readSession(type: string): readonly Recognition[] {
    if (type !== 'session.updated') return [{ type: 'audio-received' }];
    isReady = true;
    return [{ type: 'session-ready' }];
  }

  return {
    opening,
    audio: (batch) => `{"type":"input_audio_buffer.append","audio":"${batch.toString('base64')}"}`,
    finalize(endMs) {
      items.ask(endMs);
      return commitMessage;
    },
    close: () => null,
    parse(data) {
      const message = parseJsonRecord(data);
      if (message === null) return null;
      const type = textOf(message['type']);
      const kind = type.split('.').at(-1);
      if (type === 'error') return readError(message);
      // What compatible servers answer a commit with that finds only silence.
      if (type === 'input_audio_buffer.cleared') return readRefusal();
      if (/^conversation\.item\.input_audio_transcription\.(delta|completed|failed)$/.test(type)) {
        const found = readTranscript(kind, message);
        return found.length === 0 ? [{ type: 'unknown' }] : found;
      }
      if (/^input_audio_buffer\.(speech_started|speech_stopped|committed)$/.test(type)) return readBuffer(kind, message);
      return readSession(type);
    },
  };
}

/** A session's address and first message. */
export interface RealtimeWireOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly opening: string;
  readonly endsTurns: boolean;
}

/**
 * Transcription sessions of `/v1/realtime?intent=transcription` (developers.openai.com/api/docs/guides/realtime-transcription). A session that
 * waits for a commit says nothing of speech, so its silence proves nothing; one that leaves a commit unanswered is lost.
 */
export function createRealtimeWire({ url, headers, opening, endsTurns }: RealtimeWireOptions): RecogniserWire {
  const pause = createPauseTracker();
  return {
    url,
    headers,
    batchBytes: BATCH_BYTES,
    minBatchBytes: 1,
    isReadyOnOpen: false,
    keepAlive: null,
    stall: { owes: endsTurns ? 'words' : 'request', afterMs: STALL_AFTER_MS },
    // A session that the vendor closes for the key is closed with 3000 and its error's code as the reason.
    closeError: (code, reason) => (code < 3000 ? null : errorOf({ code: reason })),
    createCodec: () => createCodec({ opening, endsTurns, pause }),
  };
}
