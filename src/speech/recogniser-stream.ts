import type { LookupFunction } from 'node:net';
import { SAMPLE_RATE_HZ } from '../audio/frame.js';
import type { Clock, Timer } from '../base/clock.js';
import type { AgentStreamError } from '../base/errors.js';
import { retryDelayMs, type RetryPolicy } from '../base/retry.js';
import { createAudioRing } from './audio-ring.js';
import { createFinalizeRequests } from './finalize-requests.js';
import { openConnection, type Connection } from './recogniser-connection.js';
import { createRecogniserReport } from './recogniser-report.js';
import type { Recognition, RecogniserWire } from './recogniser-wire.js';
import type { SpeechToTextOptions, SpeechToTextStream } from './speech-to-text.js';

const BYTES_PER_MS = SAMPLE_RATE_HZ / 1000;
/** Audio kept for sending and for sending again: 5 s. */
const RING_BYTES = 5000 * BYTES_PER_MS;
/** Connections in a row that may fail without a transcript between them. */
const RECONNECT: RetryPolicy = { attempts: 3, baseDelayMs: 100, maxDelayMs: 500 };
/** Once the ring no longer reaches back to the loss, words are lost: then another vendor is the better try. */
const OUTAGE_LIMIT_MS = 5000;

type State =
  | { readonly kind: 'connected'; readonly connection: Connection }
  | { readonly kind: 'waiting'; readonly timer: Timer }
  | { readonly kind: 'ended' };

/** Opens one call's stream: connects, connects again after a loss, and sends again what no settled transcript covers yet. */
export function openRecogniserStream(
  wire: RecogniserWire,
  context: { readonly clock: Clock; readonly lookup?: LookupFunction | undefined },
  options: Pick<SpeechToTextOptions, 'signal' | 'onEvent'>,
): SpeechToTextStream {
  const { clock } = context;
  const ring = createAudioRing(RING_BYTES);
  const report = createRecogniserReport((event) => {
    if (state.kind !== 'ended') options.onEvent(event);
  });
  let state: State = { kind: 'ended' };
  /** Position up to which the transcript is settled. */
  let covered = 0;
  /** Position up to which the caller asked: a new connection is asked again, whether or not that was answered. */
  let asked = 0;
  let outage: { failures: number; sinceMs: number } | null = null;
  const finalizes = createFinalizeRequests(clock, report.finalized);

  function connect(): void {
    const connection = openConnection({
      ...context,
      wire,
      signal: options.signal,
      ring,
      fromPosition: Math.max(covered, ring.start),
      onReady(origin) {
        report.ready(origin / BYTES_PER_MS);
        const requests = Math.max(finalizes.count, asked > origin ? 1 : 0);
        for (let i = 0; i < requests; i += 1) connection.finalize();
      },
      onRecognition,
      onLost,
    });
    state = { kind: 'connected', connection };
  }

  function onRecognition(recognition: Recognition, origin: number): void {
    // Hearing that someone speaks is not yet understanding.
    if (recognition.type !== 'unknown' && recognition.type !== 'speech-start') outage = null;
    const positionOf = (ms: number) => origin + Math.round(ms * BYTES_PER_MS);
    report.take(recognition, origin / BYTES_PER_MS);
    switch (recognition.type) {
      case 'text-settled':
        covered = Math.max(covered, positionOf(recognition.endMs));
        return;
      case 'finalize-answered':
        covered = Math.max(covered, positionOf(recognition.endMs));
        finalizes.settleAnswered(covered);
        return;
      case 'audio-covered':
        finalizes.settleCovered(positionOf(recognition.endMs));
        return;
      default:
    }
  }

  function onLost(error: AgentStreamError, isDoubt: boolean): void {
    const nowMs = clock.nowMs();
    if (isDoubt) {
      connect();
      return;
    }
    outage = { failures: (outage?.failures ?? 0) + 1, sinceMs: outage?.sinceMs ?? nowMs };
    const delayMs = nowMs - outage.sinceMs >= OUTAGE_LIMIT_MS ? null : retryDelayMs(error, outage.failures, RECONNECT);
    if (delayMs !== null) {
      state = { kind: 'waiting', timer: clock.setTimer(delayMs, connect) };
      return;
    }
    end();
    options.onEvent({ type: 'stt-failed', error });
  }

  function end(): void {
    if (state.kind === 'connected') state.connection.close();
    else if (state.kind === 'waiting') state.timer.cancel();
    state = { kind: 'ended' };
    finalizes.close();
    options.signal.removeEventListener('abort', end);
  }

  if (!options.signal.aborted) {
    options.signal.addEventListener('abort', end, { once: true });
    connect();
  }
  return {
    push(audio) {
      if (state.kind === 'ended') return;
      ring.push(audio);
      if (state.kind === 'connected') state.connection.pump();
    },
    finalize() {
      if (state.kind === 'ended') return;
      const isCovered = finalizes.count === 0 && covered >= ring.end;
      asked = ring.end;
      finalizes.add(ring.end, isCovered);
      if (!isCovered && state.kind === 'connected') state.connection.finalize();
    },
    close: end,
  };
}
