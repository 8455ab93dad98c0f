import { FRAME_BYTES, SAMPLE_RATE_HZ } from '../../audio/frame.js';
import type { AudioRing } from '../audio-ring.js';
import type { SpeechToTextEvent, SpeechToTextOptions, SpeechToTextStream } from '../speech-to-text.js';

const BYTES_PER_MS = SAMPLE_RATE_HZ / 1000;

/** What a vendor's ears are opened from. */
interface Hearer<Stream> {
  open(options: SpeechToTextOptions): Stream;
}

/** One vendor's recogniser, listening to what the ring holds from a position on. */
export interface Hearing<Stream extends SpeechToTextStream = SpeechToTextStream> {
  readonly product: Hearer<Stream>;
  readonly stream: Stream;
  readonly isReady: boolean;
  /** Gives it what the ring holds in whole frames, once it is ready. */
  pump(): void;
  /** Gives it everything the ring holds and asks for what is still in it, once it is ready. */
  finalize(): void;
  /** No event follows. */
  close(): void;
}

/** How a recogniser is made to listen. */
export interface HearingOptions<Stream extends SpeechToTextStream> {
  readonly product: Hearer<Stream>;
  readonly ring: AudioRing;
  readonly fromPosition: number;
  readonly call: Pick<SpeechToTextOptions, 'language' | 'keyterms' | 'signal'>;
  /** Times are those of the ring. */
  readonly onEvent: (event: SpeechToTextEvent, hearing: Hearing<Stream>) => void;
}

/** Opens the recogniser. */
export function openHearing<Stream extends SpeechToTextStream>(options: HearingOptions<Stream>): Hearing<Stream> {
  const { product, ring } = options;
  let state: 'opening' | 'ready' | 'closed' = 'opening';
  let origin = options.fromPosition;
  let sent = origin;

  const send = (minBytes: number) => {
    while (state === 'ready' && ring.end - sent >= minBytes) {
      const audio = ring.view(sent, FRAME_BYTES);
      sent += audio.length;
      stream.push(audio);
    }
  };
  const receive = (event: SpeechToTextEvent) => {
    if (state === 'closed') return;
    if (event.type === 'stt-ready') {
      if (state === 'ready') return;
      state = 'ready';
      // Its audio clock begins with the first byte it gets.
      origin = sent = Math.max(sent, ring.start);
      send(FRAME_BYTES);
    }
    options.onEvent(shiftTimes(event, origin / BYTES_PER_MS), hearing);
  };
  const stream = product.open({ ...options.call, onEvent: receive });
  const hearing: Hearing<Stream> = {
    product,
    stream,
    get isReady() {
      return state === 'ready';
    },
    pump: () => send(FRAME_BYTES),
    finalize() {
      send(1);
      if (state === 'ready') stream.finalize();
    },
    close() {
      state = 'closed';
      stream.close();
    },
  };
  return hearing;
}

function shiftTimes(event: SpeechToTextEvent, byMs: number): SpeechToTextEvent {
  if (event.type !== 'transcript-final') return event;
  const { startMs, endMs } = event;
  return {
    ...event,
    ...(startMs === undefined ? {} : { startMs: startMs + byMs }),
    ...(endMs === undefined ? {} : { endMs: endMs + byMs }),
  };
}
