import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { AgentStreamError, type ErrorCode } from '../../base/errors.js';
import { asRecord, parseJsonRecord, type JsonRecord } from '../../base/json.js';
import type { Recognition, RecogniserCodec, RecogniserWire } from '../recogniser-wire.js';

/** Audio per message: 100 ms, the least that ElevenLabs recommends. */
const BATCH_BYTES = 800;
const BYTES_PER_MS = SAMPLE_RATE_HZ / 1000;
/** A commit of less audio ends the session with `commit_throttled`. */
const MIN_COMMIT_MS = 300;
/** A commit is answered within some hundred ms. */
const STALL_AFTER_MS = 2000;
const MULAW_SILENCE = 0xff;

const NOTHING_TO_DO: readonly Recognition[] = [{ type: 'unknown' }];

/** Error messages by what they mean; any other that has an `error` may be over after another try. */
const meanings: Readonly<Record<string, ErrorCode>> = {
  auth_error: 'vendor-unauthorized',
  unaccepted_terms: 'vendor-unauthorized',
  quota_exceeded: 'vendor-rejected',
  rate_limited: 'vendor-rate-limited',
  input_error: 'vendor-rejected',
  invalid_request: 'vendor-rejected',
  chunk_size_exceeded: 'vendor-rejected',
};

function errorOf(type: unknown): AgentStreamError {
  const code = typeof type === 'string' && Object.hasOwn(meanings, type) ? meanings[type] : undefined;
  return new AgentStreamError(code ?? 'vendor-unreachable', code === undefined ? {} : { details: { reason: String(type) } });
}

const chunk = (audio: Buffer, commit: boolean): string =>
  JSON.stringify({ message_type: 'input_audio_chunk', audio_base_64: audio.toString('base64'), commit, sample_rate: SAMPLE_RATE_HZ });

const toMs = (seconds: unknown): number | null => (typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null);

/** From the first word's start to the last word's end; null where the message has no times. */
function spanOf(message: JsonRecord): { readonly startMs: number; readonly endMs: number } | null {
  const words = Array.isArray(message['words']) ? message['words'].map(asRecord).filter(({ type }) => type === 'word') : [];
  const startMs = toMs(words[0]?.['start']);
  const endMs = toMs(words.at(-1)?.['end']);
  return startMs === null || endMs === null || endMs < startMs ? null : { startMs, endMs };
}

const textOf = ({ text }: JsonRecord): string => (typeof text === 'string' ? text.trim() : '');

/** How segments are ended. */
interface Commits {
  finalize(endMs: number): string | null;
  /** Reads a committed_transcript. */
  takeText(message: JsonRecord): readonly Recognition[];
  /** Reads a committed_transcript_with_timestamps, which follows it where it was asked for. */
  takeTimes(message: JsonRecord): readonly Recognition[];
  /** ElevenLabs refuses to commit so little, or so little speech. */
  refuse(): readonly Recognition[];
}

/** Segments that this side ends: each reaches from one commit to the next. ElevenLabs ends a very long one itself. */
function createManualCommits(): Commits {
  /** Where the audio of the commits ended that are not answered. */
  const asked: number[] = [];
  let askedMs = 0;
  let settledMs = 0;
  return {
    finalize(endMs) {
      // Silence makes up for what is missing: it moves no time, as segments are timed by their commits.
      const missingMs = Math.max(0, MIN_COMMIT_MS - (endMs - askedMs));
      askedMs = endMs;
      asked.push(endMs);
      return chunk(Buffer.alloc(Math.ceil(missingMs * BYTES_PER_MS), MULAW_SILENCE), true);
    },
    takeText(message) {
      const endMs = asked.shift();
      const startMs = settledMs;
      settledMs = Math.max(settledMs, endMs ?? 0);
      const settled: Recognition = { type: 'text-settled', text: textOf(message), startMs, endMs: settledMs };
      return endMs === undefined ? [settled] : [settled, { type: 'finalize-answered', endMs }];
    },
    takeTimes: () => NOTHING_TO_DO,
    refuse() {
      const endMs = asked.shift();
      return endMs === undefined ? NOTHING_TO_DO : [{ type: 'audio-covered', endMs }];
    },
  };
}

/** Segments that ElevenLabs ends, with the turn. */
function createVendorCommits(): Commits {
  let settledMs = 0;
  return {
    // A commit of this side would end the turn.
    finalize: () => null,
    takeText: () => NOTHING_TO_DO,
    takeTimes(message) {
      const { startMs, endMs } = spanOf(message) ?? { startMs: settledMs, endMs: settledMs };
      settledMs = Math.max(settledMs, endMs);
      const text = textOf(message);
      const end: readonly Recognition[] = text === '' ? [] : [{ type: 'turn-end' }];
      return [{ type: 'text-settled', text, startMs, endMs }, ...end, { type: 'audio-covered', endMs }];
    },
    refuse: () => NOTHING_TO_DO,
  };
}

function createCodec(endsTurns: boolean): RecogniserCodec {
  const commits = endsTurns ? createVendorCommits() : createManualCommits();
  return {
    opening: null,
    audio: (batch) => chunk(batch, false),
    finalize: (endMs) => commits.finalize(endMs),
    close: () => null,
    parse(data) {
      const message = parseJsonRecord(data);
      if (message === null) return null;
      const type = message['message_type'];
      switch (type) {
        case 'session_started':
          return [{ type: 'session-ready' }];
        case 'partial_transcript':
          return [{ type: 'text-revised', text: textOf(message) }];
        case 'committed_transcript':
          return commits.takeText(message);
        case 'committed_transcript_with_timestamps':
          return commits.takeTimes(message);
        case 'commit_throttled':
        case 'insufficient_audio_activity':
          return commits.refuse();
        default:
          return typeof message['error'] === 'string' ? [{ type: 'session-failed', error: errorOf(type) }] : NOTHING_TO_DO;
      }
    },
  };
}

/**
 * Sessions of `/v1/speech-to-text/realtime` (elevenlabs.io/docs/api-reference/speech-to-text/v-1-speech-to-text-realtime). `endsTurns`:
 * ElevenLabs commits by its own voice activity, else this side does, and is always answered. Noise brings no message.
 */
export function createElevenlabsSpeechToTextWire(url: string, headers: Readonly<Record<string, string>>, endsTurns: boolean): RecogniserWire {
  return {
    url,
    headers,
    batchBytes: BATCH_BYTES,
    minBatchBytes: 1,
    isReadyOnOpen: false,
    keepAlive: null,
    stall: { owes: endsTurns ? 'words' : 'request', afterMs: STALL_AFTER_MS },
    createCodec: () => createCodec(endsTurns),
  };
}
