import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { encodeMulaw } from '../../audio/g711.js';
import { AgentStreamError, toAgentStreamError } from '../../base/errors.js';
import type { TextToSpeech, TextToSpeechEvent, TextToSpeechOptions, Utterance } from '../text-to-speech.js';
import type { VendorContext } from '../vendor.js';
import { splitClauses } from './clauses.js';
import { encodeSegment, mixSegment } from './data-signal-encoder.js';
import type { BuiltinTtsSettings } from './settings.js';
import { chooseVoice, renderClause } from './voice.js';

/** Audio per event: 200 ms. */
const CHUNK_SAMPLES = SAMPLE_RATE_HZ / 5;

/** Silence between the clauses of one utterance: 160 ms. */
const CLAUSE_GAP_SAMPLES = (SAMPLE_RATE_HZ * 160) / 1000;

/** Audio after the data signal's end, so that its last symbol is complete wherever frames are cut: 20 ms. */
const TAIL_SAMPLES = (SAMPLE_RATE_HZ * 20) / 1000;

/** Clauses that may wait to be spoken; text pushed beyond is refused as a failure of the utterance. */
const MAX_CLAUSES = 200;

/**
 * The builtin voice: real speech from espeak-ng or the bundled synthesiser, mixed with the data signal from which the builtin
 * speech-to-text reads the words. Simulated: it stands in for a vendor where there is none.
 */
export function createBuiltinTextToSpeech(settings: BuiltinTtsSettings, context: Pick<VendorContext, 'clock'>): TextToSpeech {
  const voice = chooseVoice(settings);
  return {
    vendor: 'builtin',
    model: voice,
    voice: settings.voice ?? voice,
    cacheKey: JSON.stringify(['builtin', voice, settings.voice ?? null, settings.words_per_minute, settings.pitch]),
    capabilities: { wordTimes: false },
    open(options) {
      const closing = new AbortController();
      const signal = AbortSignal.any([options.signal, closing.signal]);
      const language = options.language;
      return {
        speak: (onEvent) => createUtterance({ settings, clock: context.clock, language, signal, onEvent }),
        close: () => closing.abort(new Error('The voice was closed.')),
      };
    },
  };
}

interface UtteranceOptions extends TextToSpeechOptions {
  readonly settings: BuiltinTtsSettings;
  readonly clock: VendorContext['clock'];
  readonly onEvent: (event: TextToSpeechEvent) => void;
}

type UtteranceState = 'open' | 'ended' | 'over';

/** One utterance: clauses are rendered one after the other and sent in order, each as soon as it is ready. */
function createUtterance(options: UtteranceOptions): Utterance {
  const cancelling = new AbortController();
  const signal = AbortSignal.any([options.signal, cancelling.signal]);
  const clauses: string[] = [];
  let state: UtteranceState = options.signal.aborted ? 'over' : 'open';
  let isWorking = false;
  let sequence = 0;
  let hasSpoken = false;

  const isOver = () => state === 'over' || signal.aborted;

  function finish(event: TextToSpeechEvent): void {
    if (isOver()) return;
    state = 'over';
    options.onEvent(event);
  }

  function emit(samples: Int16Array): void {
    const audio = encodeMulaw(samples);
    for (let at = 0; at < audio.length && !isOver(); at += CHUNK_SAMPLES) {
      options.onEvent({ type: 'audio', audio: audio.subarray(at, at + CHUNK_SAMPLES) });
    }
  }

  function mix(clause: string, speech: Int16Array): Int16Array {
    const segment = encodeSegment(clause, Math.max(0, speech.length - TAIL_SAMPLES), sequence);
    sequence = segment.nextSequence;
    const gap = hasSpoken ? CLAUSE_GAP_SAMPLES : 0;
    hasSpoken = true;
    const samples = new Int16Array(gap + Math.max(speech.length, segment.lengthSamples + TAIL_SAMPLES));
    samples.set(speech, gap);
    mixSegment(samples.subarray(gap), segment);
    return samples;
  }

  async function work(): Promise<void> {
    for (let clause = clauses.shift(); clause !== undefined && !isOver(); clause = clauses.shift()) {
      const { settings, clock, language } = options;
      const speech = await renderClause(clause, { settings, language, clock, signal });
      if (!isOver()) emit(mix(clause, speech));
    }
  }

  function start(): void {
    if (isWorking || isOver()) return;
    if (clauses.length === 0) {
      if (state === 'ended') finish({ type: 'tts-end' });
      return;
    }
    isWorking = true;
    work().then(
      () => {
        isWorking = false;
        start();
      },
      (error: unknown) => finish({ type: 'tts-failed', error: toAgentStreamError(error, 'vendor-failed') }),
    );
  }

  return {
    push(text) {
      if (state !== 'open') return;
      const added = splitClauses(text);
      if (clauses.length + added.length > MAX_CLAUSES) {
        finish({ type: 'tts-failed', error: new AgentStreamError('vendor-failed', { message: 'Too much text waits to be spoken.' }) });
        return;
      }
      clauses.push(...added);
      start();
    },
    end() {
      if (state !== 'open') return;
      state = 'ended';
      start();
    },
    cancel() {
      state = 'over';
      clauses.length = 0;
      cancelling.abort(new Error('The utterance was cancelled.'));
    },
  };
}
