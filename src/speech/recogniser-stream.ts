import type { LookupFunction } from 'node:net';
import { SAMPLE_RATE_HZ } from '../audio/frame.js';
import type { Clock, Timer } from '../base/clock.js';
import type { AgentStreamError } from '../base/errors.js';
import { retryDelayMs, type RetryPolicy } from '../base/retry.js';
import { createAudioRing } from './audio-ring.js';
import { createPendingFinalizes } from './pending-finalizes.js';
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
/** A request that finds nothing may not be answered at all. */
const FINALIZE_LIMIT_MS = 1500;

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
  const finalizes = createPendingFinalizes();
  const report = createRecogniserReport((event) => {
    if (state.kind !== 'ended') options.onEvent(event);
  });
  let state: State = { kind: 'ended' };
  /** Position up to which the transcript is settled. */
  let covered = 0;
  let outage: { failures: number; sinceMs: number } | null = null;
  let finalizeTimer: Timer | null = null;

  function connect(): void {
    const connection = openConnection({
      ...context,
      wire,
      signal: options.signal,
      ring,
      fromPosition: Math.max(covered, ring.start),
      onReady(origin) {
        report.ready(origin / BYTES_PER_MS);
        for (let i = 0; i < finalizes.count; i += 1) connection.finalize();
      },
      onRecognition,
      onLost,
    });
    state = { kind: 'connected', connection };
  }

  function onRecognition(recognition: Recognition, origin: number): void {
    if (recognition.type !== 'unknown') outage = null;
    const positionOf = (ms: number) => origin + Math.round(ms * BYTES_PER_MS);
    report.take(recognition, origin / BYTES_PER_MS);
    switch (recognition.type) {
      case 'text-settled':
        covered = Math.max(covered, positionOf(recognition.endMs));
        return;
      case 'finalize-answered':
        covered = Math.max(covered, positionOf(recognition.endMs));
        answer(finalizes.settleAnswered(covered));
        return;
      case 'audio-covered':
        answer(finalizes.settleCovered(positionOf(recognition.endMs)));
        return;
      default:
    }
  }

  function onLost(error: AgentStreamError): void {
    const nowMs = clock.nowMs();
    outage = { failures: (outage?.failures ?? 0) + 1, sinceMs: outage?.sinceMs ?? nowMs };
    const delayMs = nowMs - outage.sinceMs >= OUTAGE_LIMIT_MS ? null : retryDelayMs(error, outage.failures, RECONNECT);
    if (delayMs !== null) {
      state = { kind: 'waiting', timer: clock.setTimer(delayMs, connect) };
      return;
    }
    end();
    options.onEvent({ type: 'stt-failed', error });
  }

  /** Answers `count` requests and waits for the next one that is open. */
  function answer(count: number): void {
    finalizeTimer?.cancel();
    finalizeTimer = null;
    for (let i = 0; i < count; i += 1) report.finalized();
    if (state.kind === 'ended' || finalizes.dueMs === undefined) return;
    finalizeTimer = clock.setTimer(finalizes.dueMs - clock.nowMs(), () => answer(finalizes.settleDue(clock.nowMs())));
  }

  function end(): void {
    if (state.kind === 'connected') state.connection.close();
    else if (state.kind === 'waiting') state.timer.cancel();
    state = { kind: 'ended' };
    finalizeTimer?.cancel();
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
      // Nothing is open: the answer needs no journey, but still comes after this call.
      const isCovered = finalizes.count === 0 && covered >= ring.end;
      const dueMs = clock.nowMs() + (isCovered ? 0 : FINALIZE_LIMIT_MS);
      const overflow = finalizes.add(ring.end, dueMs);
      if (!isCovered && state.kind === 'connected') state.connection.finalize();
      answer(overflow);
    },
    close: end,
  };
}
