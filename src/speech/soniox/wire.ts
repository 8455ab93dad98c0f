import { vendorStatusError } from '../../base/http-status.js';
import { parseJsonRecord, type JsonRecord } from '../../base/json.js';
import { createPauseTracker, type PauseTracker } from '../pause-tracker.js';
import type { Recognition, RecogniserCodec, RecogniserWire } from '../recogniser-wire.js';
import { settledMsOf, textOf, tokensOf, wordsOf, type Token } from './tokens.js';

/** Audio per message: 60 ms. */
const BATCH_BYTES = 480;
/** Soniox may close a connection that gets neither audio nor keepalive for 20 s (soniox.com/docs/stt/rt/connection-keepalive). */
const KEEP_ALIVE_AFTER_MS = 8000;
/** A finalize message is answered within some hundred ms. */
const STALL_AFTER_MS = 2000;

const keepAliveMessage = '{"type":"keepalive"}';
const finalizeMessage = '{"type":"finalize"}';
/** An empty frame ends the audio. */
const endMessage = '';

/** A session's codec. Final tokens come one by one and once; they are reported together when the vendor hears an end or is asked. */
function createCodec(opening: string, pause: PauseTracker): RecogniserCodec {
  let final: Token[] = [];
  /** Positions of the finalize messages that are not answered. */
  const asked: number[] = [];

  function settle(): Recognition {
    const endMs = final.at(-1)?.endMs ?? 0;
    const settled: Recognition = { type: 'text-settled', text: textOf(final), startMs: final[0]?.startMs ?? endMs, endMs };
    final = [];
    return settled;
  }

  function read(response: JsonRecord): readonly Recognition[] {
    const tokens = tokensOf(response);
    const settledMs = settledMsOf(response);
    const found: Recognition[] = [];
    for (const token of tokens.filter(({ isFinal }) => isFinal)) {
      if (token.text === '<fin>') {
        const endMs = asked.shift() ?? settledMs;
        found.push(settle(), { type: 'finalize-answered', endMs });
        pause.end();
      } else if (token.text === '<end>') {
        found.push(settle());
        if (pause.end()) found.push({ type: 'turn-pause' });
        found.push({ type: 'audio-covered', endMs: settledMs });
      } else {
        final.push(token);
        if (pause.hear()) found.push({ type: 'turn-resumed' });
      }
    }
    const open = [...final, ...tokens.filter(({ isFinal }) => !isFinal)];
    if (open.length > 0) found.push({ type: 'text-revised', text: textOf(open), words: wordsOf(open) });
    return found.length === 0 ? [{ type: 'unknown' }] : found;
  }

  return {
    opening,
    audio: (batch) => batch,
    finalize(endMs) {
      asked.push(endMs);
      return finalizeMessage;
    },
    close: () => endMessage,
    parse(data) {
      const response = parseJsonRecord(data);
      if (response === null) return null;
      const code = response['error_code'];
      // An error comes before the close frame, with the meaning of an HTTP status (soniox.com/docs/stt/rt/error-handling).
      return typeof code === 'number' ? [{ type: 'session-failed', error: vendorStatusError(code) }] : read(response);
    },
  };
}

/**
 * Sessions of `/transcribe-websocket`. What Soniox says during noise is not documented, but it answers every finalize message with `<fin>`
 * (soniox.com/docs/stt/rt/manual-finalization).
 */
export function createSonioxWire(url: string, headers: Readonly<Record<string, string>>, opening: string): RecogniserWire {
  const pause = createPauseTracker();
  return {
    url,
    headers,
    batchBytes: BATCH_BYTES,
    minBatchBytes: 1,
    isReadyOnOpen: true,
    keepAlive: { message: keepAliveMessage, afterMs: KEEP_ALIVE_AFTER_MS },
    stall: { owes: 'request', afterMs: STALL_AFTER_MS },
    createCodec: () => createCodec(opening, pause),
  };
}
