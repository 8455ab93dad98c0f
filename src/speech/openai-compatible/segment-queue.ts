import { AgentStreamError } from '../../base/errors.js';
import type { Segment } from './segmenter.js';

/** Requests under way at once: a server with one worker gains nothing by more, but the next need not wait for the slowest. */
const MAX_REQUESTS = 2;
/** Segments that wait for a request, or for their turn to be reported; a server that is further behind has lost the conversation. */
const MAX_SEGMENTS = 8;

/** A segment on its way. */
interface Job {
  readonly segment: Segment;
  state: { readonly kind: 'waiting' } | { readonly kind: 'asked' } | { readonly kind: 'heard'; readonly text: string };
}

/** Segments on their way to being texts: few are asked for at once, and they are reported in the order of the audio. */
export interface SegmentQueue {
  add(segment: Segment): void;
  /** Position before which everything is reported; undefined: nothing waits. */
  readonly openFrom: number | undefined;
}

/** Who hears segments and who is told. Nothing is told once `signal` aborts. */
export interface SegmentQueueOptions {
  readonly signal: AbortSignal;
  readonly transcribe: (segment: Segment) => Promise<string>;
  readonly onText: (segment: Segment, text: string) => void;
  /** After the texts that one answer let out. */
  readonly onProgress: () => void;
  /** A segment is lost. */
  readonly onFailed: (error: unknown) => void;
}

/** Creates an empty queue. */
export function createSegmentQueue({ signal, transcribe, onText, onProgress, onFailed }: SegmentQueueOptions): SegmentQueue {
  const jobs: Job[] = [];

  async function hear(job: Job): Promise<void> {
    try {
      job.state = { kind: 'heard', text: await transcribe(job.segment) };
    } catch (error) {
      if (!signal.aborted) onFailed(error);
      return;
    }
    for (let head = jobs[0]; head?.state.kind === 'heard' && !signal.aborted; head = jobs[0]) {
      jobs.shift();
      onText(head.segment, head.state.text);
    }
    if (signal.aborted) return;
    ask();
    onProgress();
  }

  function ask(): void {
    let asked = jobs.filter(({ state }) => state.kind === 'asked').length;
    for (const job of jobs) {
      if (job.state.kind !== 'waiting' || asked >= MAX_REQUESTS) continue;
      job.state = { kind: 'asked' };
      asked += 1;
      void hear(job);
    }
  }

  return {
    add(segment) {
      if (signal.aborted) return;
      if (jobs.length >= MAX_SEGMENTS) {
        onFailed(new AgentStreamError('vendor-unreachable', { message: 'The vendor fell behind what is said.' }));
        return;
      }
      jobs.push({ segment, state: { kind: 'waiting' } });
      ask();
    },
    get openFrom() {
      return jobs[0]?.segment.start;
    },
  };
}
