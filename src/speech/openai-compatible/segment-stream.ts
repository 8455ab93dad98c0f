import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { repeat } from '../../base/clock.js';
import { toAgentStreamError } from '../../base/errors.js';
import { createPendingFinalizes } from '../pending-finalizes.js';
import type { SpeechToTextOptions, SpeechToTextStream } from '../speech-to-text.js';
import { createSegmentQueue } from './segment-queue.js';
import { createSegmenter } from './segmenter.js';
import { reach, transcribe, type TranscriptionServer } from './transcription-requests.js';

const BYTES_PER_MS = SAMPLE_RATE_HZ / 1000;

/** How segments are cut and sent. */
export interface SegmentStreamOptions {
  readonly server: TranscriptionServer;
  readonly silenceMs: number;
  readonly maxSegmentMs: number;
  /** Undefined: no interim text. */
  readonly interimEveryMs: number | undefined;
}

/**
 * Opens a call's stream of one request per segment of speech. Texts are reported in the order of the audio. A finalize request closes the
 * open segment, and is answered when all before it is reported: the time limit of requests bounds that.
 */
export function openSegmentStream(options: SegmentStreamOptions, call: Pick<SpeechToTextOptions, 'signal' | 'onEvent'>): SpeechToTextStream {
  const { server, interimEveryMs } = options;
  const ending = new AbortController();
  const { signal } = ending;
  const segmenter = createSegmenter(options);
  const finalizes = createPendingFinalizes();
  const queue = createSegmentQueue({
    signal,
    transcribe: ({ audio }) => transcribe(server, audio, signal),
    onText({ start, end: endPosition }, text) {
      if (text !== '') call.onEvent({ type: 'transcript-final', text, startMs: start / BYTES_PER_MS, endMs: endPosition / BYTES_PER_MS });
    },
    onProgress: answerFinalizes,
    onFailed: fail,
  });
  const ticker = interimEveryMs === undefined ? null : repeat(server.clock, interimEveryMs, () => void askInterim());
  let isAskingInterim = false;

  function end(): void {
    ending.abort(call.signal.reason);
    call.signal.removeEventListener('abort', end);
    ticker?.cancel();
    finalizes.clear();
  }

  function fail(error: unknown): void {
    if (signal.aborted) return;
    end();
    call.onEvent({ type: 'stt-failed', error: toAgentStreamError(error, 'vendor-failed') });
  }

  function sayFinalized(count: number): void {
    for (let left = count; left > 0 && !signal.aborted; left -= 1) call.onEvent({ type: 'finalized' });
  }

  function answerFinalizes(): void {
    sayFinalized(finalizes.settleCovered(queue.openFrom ?? segmenter.end));
  }

  /** Failures are left to the segment's own request. */
  async function askInterim(): Promise<void> {
    const segment = segmenter.peek();
    if (segment === null || isAskingInterim) return;
    isAskingInterim = true;
    const [result] = await Promise.allSettled([transcribe(server, segment.audio, signal)]);
    isAskingInterim = false;
    const isCurrent = !signal.aborted && segmenter.peek()?.start === segment.start;
    if (isCurrent && result.status === 'fulfilled' && result.value !== '') call.onEvent({ type: 'transcript-interim', text: result.value });
  }

  async function begin(): Promise<void> {
    try {
      await reach(server, signal);
      if (!signal.aborted) call.onEvent({ type: 'stt-ready' });
    } catch (error) {
      fail(error);
    }
  }

  if (call.signal.aborted) {
    end();
  } else {
    call.signal.addEventListener('abort', end, { once: true });
    void begin();
  }
  return {
    push(audio) {
      if (signal.aborted) return;
      for (const segment of segmenter.push(audio)) queue.add(segment);
    },
    finalize() {
      if (signal.aborted) return;
      const segment = segmenter.cut();
      if (segment !== null) queue.add(segment);
      const dropped = finalizes.add(segmenter.end, Infinity);
      // Answered after this call, as by a vendor.
      queueMicrotask(() => {
        sayFinalized(dropped);
        if (!signal.aborted) answerFinalizes();
      });
    },
    close: end,
  };
}
