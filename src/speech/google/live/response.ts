import { mulawDurationMs, SAMPLE_RATE_HZ } from '../../../audio/frame.js';
import { encodeMulaw } from '../../../audio/g711.js';
import { createResampler, type Resampler } from '../../../audio/resample.js';
import type { ModelToolCall, ModelUsage } from '../../language-model.js';
import { createPartQueue } from '../../part-queue.js';
import type { RealtimePart } from '../../realtime-model.js';

/** One response that was asked for. */
export interface OpenResponse {
  readonly parts: AsyncIterable<RealtimePart>;
  /** Takes words of it. */
  takeText(text: string): void;
  /** Takes 16-bit PCM of it. */
  takeAudio(pcm: Buffer, rateHz: number): void;
  /** All of it is there; with the functions that the model calls, if any. */
  finish(calls: readonly ModelToolCall[], usage: ModelUsage | undefined): void;
  /** It was given up, refused or lost. */
  fail(error: unknown): void;
  /** What the model is to know of what was not heard; null: all of it was. */
  unheard(heardMs: number): string | null;
}

function samplesOf(pcm: Buffer): Int16Array {
  const samples = new Int16Array(pcm.length >> 1);
  for (let i = 0; i < samples.length; i += 1) samples[i] = pcm.readInt16LE(2 * i);
  return samples;
}

/** Creates the record of a response. */
export function createOpenResponse(): OpenResponse {
  const queue = createPartQueue<RealtimePart>();
  let resampler: Resampler | null = null;
  let text = '';
  let audioMs = 0;

  const emit = (samples: Int16Array) => {
    if (samples.length === 0) return;
    audioMs += mulawDurationMs(samples.length);
    queue.push({ type: 'audio', audio: encodeMulaw(samples) });
  };

  return {
    parts: queue.parts,
    takeText(more) {
      text += more;
      queue.push({ type: 'text-delta', text: more });
    },
    takeAudio(pcm, rateHz) {
      resampler ??= createResampler(rateHz, SAMPLE_RATE_HZ);
      emit(resampler.push(samplesOf(pcm)));
    },
    finish(calls, usage) {
      if (resampler !== null) emit(resampler.flush());
      for (const toolCall of calls) queue.push({ type: 'tool-call', toolCall });
      queue.push({ type: 'finish', reason: calls.length > 0 ? 'tool-calls' : 'stop', usage });
      queue.end();
    },
    fail: (error) => queue.fail(error),
    unheard(heardMs) {
      if (heardMs >= audioMs || text.trim() === '') return null;
      // The words are ahead of their sound, so their share is the best that is known.
      const heard = text.slice(0, Math.round((text.length * heardMs) / audioMs)).trim();
      return heard === '' ? '[The caller heard nothing of your last answer.]' : `[The caller interrupted you: of your last answer they heard only “${heard} …”]`;
    },
  };
}
