import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import type { Timer } from '../../base/clock.js';
import type { AgentStreamError } from '../../base/errors.js';
import { retryDelayMs, type RetryPolicy } from '../../base/retry.js';
import type { SpeechToTextEvent, SpeechToTextOptions, SpeechToTextStream } from '../speech-to-text.js';
import { createAudioRing } from '../audio-ring.js';
import { openConnection, type Connection, type ConnectionOptions } from './connection.js';
import type { ListenMessage } from './messages.js';
import { createPendingFinalizes } from './pending-finalizes.js';

const BYTES_PER_MS = SAMPLE_RATE_HZ / 1000;
/** Audio kept for sending and for sending again: 5 s. */
const RING_BYTES = 5000 * BYTES_PER_MS;
/** Connections in a row that may fail without a transcript between them. */
const RECONNECT: RetryPolicy = { attempts: 3, baseDelayMs: 100, maxDelayMs: 500 };
/** Once the ring no longer reaches back to the loss, words are lost: then another vendor is the better try. */
const OUTAGE_LIMIT_MS = 5000;
/** A Finalize that finds nothing is not answered at all. */
const FINALIZE_LIMIT_MS = 1500;

type Results = Extract<ListenMessage, { type: 'results' }>;

type State =
  | { readonly kind: 'connected'; readonly connection: Connection }
  | { readonly kind: 'waiting'; readonly timer: Timer }
  | { readonly kind: 'ended' };

/** Opens one call's stream: connects, connects again after a loss, and sends again what no final transcript covers yet. */
export function openDeepgramStream(
  target: Pick<ConnectionOptions, 'url' | 'headers' | 'clock' | 'lookup'>,
  options: Pick<SpeechToTextOptions, 'signal' | 'onEvent'>,
): SpeechToTextStream {
  const { clock } = target;
  const ring = createAudioRing(RING_BYTES);
  const finalizes = createPendingFinalizes();
  const report = createReporter((event) => {
    if (state.kind !== 'ended') options.onEvent(event);
  });
  let state: State = { kind: 'ended' };
  /** Position up to which the transcript is final. */
  let covered = 0;
  let outage: { failures: number; sinceMs: number } | null = null;
  let finalizeTimer: Timer | null = null;

  function connect(): void {
    const fromPosition = Math.max(covered, ring.start);
    const connection = openConnection({
      ...target,
      signal: options.signal,
      ring,
      fromPosition,
      onOpen() {
        report.ready();
        for (let i = 0; i < finalizes.count; i += 1) connection.finalize();
      },
      onResults: (results) => onResults(results, fromPosition),
      onLost,
    });
    state = { kind: 'connected', connection };
  }

  function onResults(results: Results, fromPosition: number): void {
    outage = null;
    const offsetMs = fromPosition / BYTES_PER_MS;
    if (results.isFinal) covered = Math.max(covered, fromPosition + Math.round(results.endMs * BYTES_PER_MS));
    report.results(results, offsetMs);
    const answered = results.isFromFinalize ? finalizes.settleAnswered(covered) : 0;
    settle(answered + (results.isFinal ? finalizes.settleCovered(covered) : 0));
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
  function settle(count: number): void {
    finalizeTimer?.cancel();
    finalizeTimer = null;
    for (let i = 0; i < count; i += 1) report.finalized();
    if (state.kind === 'ended' || finalizes.dueMs === undefined) return;
    finalizeTimer = clock.setTimer(finalizes.dueMs - clock.nowMs(), () => settle(finalizes.settleDue(clock.nowMs())));
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
      settle(overflow);
    },
    close: end,
  };
}

/** Turns results into the contract's events. */
function createReporter(emit: (event: SpeechToTextEvent) => void) {
  let isReady = false;
  /** The vendor heard the silence that ends a turn, and no word since. */
  let isPaused = false;
  /** There is text since the last pause. */
  let hasText = false;
  return {
    ready() {
      if (!isReady) emit({ type: 'stt-ready' });
      isReady = true;
    },
    finalized: () => emit({ type: 'finalized' }),
    results(results: Results, offsetMs: number) {
      const { text } = results;
      if (text !== '') {
        if (isPaused) emit({ type: 'turn-resumed' });
        isPaused = false;
        hasText = true;
        const times = { startMs: offsetMs + results.startMs, endMs: offsetMs + results.endMs };
        emit(results.isFinal ? { type: 'transcript-final', text, ...times } : { type: 'transcript-interim', text });
      }
      if (results.isSpeechFinal && hasText) {
        isPaused = true;
        hasText = false;
        emit({ type: 'turn-pause' });
      }
    },
  };
}
