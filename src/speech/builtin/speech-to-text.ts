import { FRAME_BYTES, FRAME_MS, SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { createEnergyVoiceActivity } from '../energy-voice-activity.js';
import type { SpeechToText, SpeechToTextOptions, SpeechToTextStream } from '../speech-to-text.js';
import { createDataSignalDecoder, type ReceivedPacket } from './data-signal-decoder.js';
import { UNINTELLIGIBLE } from './unintelligible.js';

/** Speech without any data signal after which {@link UNINTELLIGIBLE} is reported. */
const MIN_UNINTELLIGIBLE_MS = 400;
/** The signal is done before the voice is: speech for so long per character, from where the signal began, is that of its text. */
const SPEECH_MS_PER_CHARACTER = 150;

/**
 * Simulated recognition: reads the words from the data signal that the builtin voice mixes into its audio. It understands no
 * human speech; that is reported as {@link UNINTELLIGIBLE}.
 */
export function createBuiltinSpeechToText(): SpeechToText {
  return {
    vendor: 'builtin',
    model: 'data-signal',
    capabilities: { interimTranscripts: true, speechEvents: false, turnEvents: false, earlyFinalize: false },
    open: openStream,
  };
}

function toMs(samples: number): number {
  return Math.round((samples * 1000) / SAMPLE_RATE_HZ);
}

/** Counts how long the caller has spoken beyond what a text explains, in whole frames of whatever is pushed. */
function createSpeechMeter(isExplained: (atMs: number) => boolean) {
  const detector = createEnergyVoiceActivity();
  const frame = new Uint8Array(FRAME_BYTES);
  let filled = 0;
  let isSpeech = false;
  let speechMs = 0;
  let atMs = 0;

  function takeFrame(): void {
    atMs += FRAME_MS;
    const event = detector.push(frame);
    if (event !== null) isSpeech = event.type === 'speech-onset' || event.type === 'speech-start';
    if (isSpeech && !isExplained(atMs)) speechMs += FRAME_MS;
  }

  return {
    push(audio: Uint8Array): void {
      for (let at = 0; at < audio.length; ) {
        const count = Math.min(FRAME_BYTES - filled, audio.length - at);
        for (let n = 0; n < count; n += 1) frame[filled + n] = audio[at + n] as number;
        at += count;
        filled = (filled + count) % FRAME_BYTES;
        if (filled === 0) takeFrame();
      }
    },
    /** Speech since the last call. */
    takeMs(): number {
      const taken = speechMs;
      speechMs = 0;
      return taken;
    },
  };
}

/** Text of the segment that is being heard. */
interface Segment {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

function openStream(options: SpeechToTextOptions): SpeechToTextStream {
  const { onEvent, signal } = options;
  let explainedUntilMs = 0;
  const meter = createSpeechMeter((atMs) => atMs < explainedUntilMs);
  const decoder = createDataSignalDecoder({ onPacket, onDamaged: () => undefined });
  let segment: Segment | null = null;
  let hasText = false;
  let isFinalizing = false;
  let isClosed = false;

  const isOver = () => isClosed || signal.aborted;

  function flush(): void {
    if (segment === null) return;
    const { text, startMs, endMs } = segment;
    segment = null;
    if (text.trim() !== '' && !isOver()) onEvent({ type: 'transcript-final', text: text.trim(), startMs, endMs });
  }

  function onPacket(packet: ReceivedPacket): void {
    if (isOver()) return;
    hasText = true;
    // The former segment lost its last packet.
    if (packet.isFirst) flush();
    segment = {
      text: (segment?.text ?? '') + packet.text,
      startMs: segment?.startMs ?? toMs(packet.startSample),
      endMs: toMs(packet.endSample),
    };
    explainedUntilMs = segment.startMs + segment.text.length * SPEECH_MS_PER_CHARACTER;
    if (packet.isLast) flush();
    else onEvent({ type: 'transcript-interim', text: segment.text.trim() });
  }

  function answerFinalize(): void {
    isFinalizing = false;
    flush();
    const speechMs = meter.takeMs();
    if (!hasText && speechMs >= MIN_UNINTELLIGIBLE_MS && !isOver()) onEvent({ type: 'transcript-final', text: UNINTELLIGIBLE });
    hasText = false;
    if (!isOver()) onEvent({ type: 'finalized' });
  }

  queueMicrotask(() => {
    if (!isOver()) onEvent({ type: 'stt-ready' });
  });

  return {
    push(audio) {
      if (isOver()) return;
      decoder.push(audio);
      meter.push(audio);
      if (isFinalizing && !decoder.isReading) answerFinalize();
    },
    finalize() {
      if (isOver()) return;
      // The rest of a packet is at most 1.5 s of audio away, and mostly a few symbols.
      if (decoder.isReading) isFinalizing = true;
      else answerFinalize();
    },
    close() {
      isClosed = true;
    },
  };
}
