import { FRAME_BYTES, FRAME_MS, mulawDurationMs } from '../../../src/audio/frame.js';
import { isLoudFrame } from './speech-audio.js';

const DEFAULT_SILENCE_REPORT_MS = 1000;
const DEFAULT_INTERIM_MS = 400;

/** What the recogniser reports; times in ms of the connection's audio. */
export interface Recognition {
  readonly text: string;
  readonly isFinal: boolean;
  readonly isSpeechFinal: boolean;
  readonly isFromFinalize: boolean;
  readonly startMs: number;
  readonly endMs: number;
  /** Where in it speech is; both `endMs` where there is none. */
  readonly speechStartMs: number;
  readonly speechEndMs: number;
}

/** The words of a recognition with their times in ms: evenly spread over its speech. */
export function wordTimes({ text, speechStartMs, speechEndMs }: Recognition): { word: string; startMs: number; endMs: number }[] {
  const words = text === '' ? [] : text.split(' ');
  const wordMs = (speechEndMs - speechStartMs) / words.length;
  return words.map((word, index) => ({ word, startMs: speechStartMs + index * wordMs, endMs: speechStartMs + (index + 1) * wordMs }));
}

/** Finds segments of speech by their energy. */
export interface Recogniser {
  push(audio: Buffer): void;
  finalize(): void;
}

/**
 * Creates a recogniser. `transcribe` gives the text of a segment's audio, which is only collected when `collectAudio` is set; `nextSegment`
 * numbers a segment when it begins, so that a script can move on.
 */
export function createRecogniser(options: {
  readonly endpointingMs: number;
  readonly collectAudio: boolean;
  readonly transcribe: (audio: Buffer, segment: number) => string;
  readonly nextSegment: () => number;
  readonly report: (recognition: Recognition) => void;
  /** How often silence is reported. Default 1000. */
  readonly silenceReportMs?: number;
  /** How often revisable text is reported. Default 400. */
  readonly interimMs?: number;
}): Recogniser {
  const { silenceReportMs = DEFAULT_SILENCE_REPORT_MS, interimMs: interimPeriodMs = DEFAULT_INTERIM_MS } = options;
  let heardBytes = 0;
  let remainder = Buffer.alloc(0);
  let reportedMs = 0;
  let interimMs = 0;
  let speech: { segment: number; startMs: number; lastLoudMs: number; audio: Buffer[] } | null = null;
  const nowMs = () => Math.floor(mulawDurationMs(heardBytes));

  const textOf = (current: NonNullable<typeof speech>) =>
    options.transcribe(options.collectAudio ? Buffer.concat(current.audio) : Buffer.alloc(0), current.segment);

  const timesOf = (current: typeof speech) => ({
    startMs: reportedMs,
    endMs: nowMs(),
    speechStartMs: current?.startMs ?? nowMs(),
    speechEndMs: current?.lastLoudMs ?? nowMs(),
  });

  function settle(flags: { isSpeechFinal: boolean; isFromFinalize: boolean }): void {
    const text = speech === null ? '' : textOf(speech);
    const times = timesOf(speech);
    speech = null;
    options.report({ text, isFinal: true, ...flags, ...times });
    reportedMs = nowMs();
  }

  function hear(frame: Buffer): void {
    heardBytes += frame.length;
    if (isLoudFrame(frame)) {
      if (speech === null) interimMs = nowMs();
      speech ??= { segment: options.nextSegment(), startMs: nowMs() - FRAME_MS, lastLoudMs: 0, audio: [] };
      speech.lastLoudMs = nowMs();
    }
    if (speech === null) {
      if (nowMs() - reportedMs >= silenceReportMs) settle({ isSpeechFinal: false, isFromFinalize: false });
      return;
    }
    if (options.collectAudio) speech.audio.push(Buffer.from(frame));
    if (nowMs() - speech.lastLoudMs >= options.endpointingMs) {
      settle({ isSpeechFinal: true, isFromFinalize: false });
    } else if (nowMs() - interimMs >= interimPeriodMs) {
      interimMs = nowMs();
      options.report({ text: textOf(speech), isFinal: false, isSpeechFinal: false, isFromFinalize: false, ...timesOf(speech) });
    }
  }

  return {
    push(audio) {
      const pending = remainder.length === 0 ? audio : Buffer.concat([remainder, audio]);
      let offset = 0;
      for (; pending.length - offset >= FRAME_BYTES; offset += FRAME_BYTES) hear(pending.subarray(offset, offset + FRAME_BYTES));
      remainder = Buffer.from(pending.subarray(offset));
    },
    finalize() {
      if (remainder.length > 0) hear(remainder);
      remainder = Buffer.alloc(0);
      // What is settled already is not reported again: then a Finalize has no answer.
      if (nowMs() - reportedMs >= FRAME_MS) settle({ isSpeechFinal: false, isFromFinalize: true });
    },
  };
}
