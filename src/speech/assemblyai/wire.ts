import { AgentStreamError, type ErrorCode } from '../../base/errors.js';
import { asRecord, parseJsonRecord, type JsonRecord } from '../../base/json.js';
import { createPauseTracker, type PauseTracker } from '../pause-tracker.js';
import type { RecognisedWord, Recognition, RecogniserCodec, RecogniserWire } from '../recogniser-wire.js';

/** Audio per message: 60 ms. Less than 50 ms or more than 1 s ends the session with 3007. */
const BATCH_BYTES = 480;
const MIN_BATCH_BYTES = 400;
/** A ForceEndpoint that ends words is answered within some hundred ms. */
const STALL_AFTER_MS = 2000;

const forceEndpointMessage = '{"type":"ForceEndpoint"}';
const terminateMessage = '{"type":"Terminate"}';

/** The meaning of an Error message's code, which is also the close frame's (assemblyai.com/docs/streaming/common-session-errors-and-closures). */
function errorOf(code: unknown): AgentStreamError {
  const meanings: Readonly<Record<number, ErrorCode>> = { 1008: 'vendor-unauthorized', 3006: 'vendor-rejected', 3009: 'vendor-rate-limited' };
  const meaning = typeof code === 'number' ? meanings[code] : undefined;
  return new AgentStreamError(meaning ?? 'vendor-unreachable', { details: { closeCode: typeof code === 'number' ? code : null } });
}

interface TimedWord extends RecognisedWord {
  readonly startMs: number;
}

function wordsOf(turn: JsonRecord): readonly TimedWord[] {
  if (!Array.isArray(turn['words'])) return [];
  return turn['words'].map(asRecord).flatMap(({ text, start, end }) =>
    // Word times are whole ms since the session's first byte.
    typeof text === 'string' && typeof start === 'number' && typeof end === 'number' ? [{ text, startMs: start, endMs: end }] : [],
  );
}

/** A session's codec. `isFormatted`: a turn's end comes twice, and the second one is written out. */
function createCodec(isFormatted: boolean, pause: PauseTracker): RecogniserCodec {
  /** The audio that the vendor was asked to settle and has not. */
  let forcedMs: number | null = null;

  function readTurn(turn: JsonRecord): readonly Recognition[] {
    const words = wordsOf(turn);
    const found: Recognition[] = words.length > 0 && pause.hear() ? [{ type: 'turn-resumed' }] : [];
    const transcript = typeof turn['transcript'] === 'string' ? turn['transcript'].trim() : '';
    const isOver = turn['end_of_turn'] === true && (!isFormatted || turn['turn_is_formatted'] === true);
    if (!isOver) {
      // A transcript holds the words that are final; the words are all of them.
      found.push({ type: 'text-revised', text: words.map((word) => word.text).join(' '), words });
      return found;
    }
    const endMs = words.at(-1)?.endMs ?? 0;
    found.push({ type: 'text-settled', text: transcript, startMs: words[0]?.startMs ?? endMs, endMs });
    const isPause = pause.end();
    if (forcedMs === null) {
      if (isPause) found.push({ type: 'turn-pause' });
      found.push({ type: 'audio-covered', endMs });
    } else {
      found.push({ type: 'finalize-answered', endMs: Math.max(endMs, forcedMs) });
      forcedMs = null;
    }
    return found;
  }

  return {
    opening: null,
    audio: (batch) => batch,
    finalize(endMs) {
      forcedMs = endMs;
      return forceEndpointMessage;
    },
    close: () => terminateMessage,
    parse(data) {
      const message = parseJsonRecord(data);
      switch (message?.['type']) {
        case 'Begin':
          return [{ type: 'session-ready' }];
        case 'Turn':
          return readTurn(message);
        case 'Error':
          return [{ type: 'session-failed', error: errorOf(message['error_code']) }];
        default:
          return message === null ? null : [{ type: 'unknown' }];
      }
    },
  };
}

/** Streaming sessions of `/v3/ws` (assemblyai.com/docs/streaming/message-sequence). Noise brings no message at all, not even when asked. */
export function createAssemblyaiWire(url: string, headers: Readonly<Record<string, string>>, isFormatted: boolean): RecogniserWire {
  const pause = createPauseTracker();
  return {
    url,
    headers,
    batchBytes: BATCH_BYTES,
    minBatchBytes: MIN_BATCH_BYTES,
    isReadyOnOpen: false,
    keepAlive: null,
    stall: { owes: 'words', afterMs: STALL_AFTER_MS },
    closeError: (code) => (code >= 3000 || code === 1008 ? errorOf(code) : null),
    createCodec: () => createCodec(isFormatted, pause),
  };
}
