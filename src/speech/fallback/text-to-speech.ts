import type { Clock } from '../../base/clock.js';
import type { TextToSpeech, TextToSpeechOptions, TextToSpeechStream, Utterance } from '../text-to-speech.js';
import type { Lineup } from './lineup.js';
import { createPace, type Pace } from './spoken-text.js';
import { FallbackUtterance } from './fallback-utterance.js';

/** An utterance of a stream that is closed: nothing comes of it. */
const deadUtterance: Utterance = { push: () => undefined, end: () => undefined, cancel: () => undefined };

/**
 * A voice that has the vendors of `lineup` speak: where one fails or falls silent, the next one goes on with the first word that was not
 * delivered whole. Word times come where every vendor gives them.
 */
export function createFallbackTextToSpeech(lineup: Lineup<TextToSpeech>, clock: Clock): TextToSpeech {
  const products = lineup.candidates.map(({ product }) => product);
  return {
    get vendor() {
      return lineup.current.product.vendor;
    },
    get model() {
      return lineup.current.product.model;
    },
    get voice() {
      return lineup.current.product.voice;
    },
    // What is rendered is kept under the name of the voice that spoke it.
    get cacheKey() {
      return lineup.current.product.cacheKey;
    },
    spareCacheKeys: products.map(({ cacheKey }) => cacheKey),
    capabilities: { wordTimes: products.every(({ capabilities }) => capabilities.wordTimes) },
    open: (options) => openAlong(lineup, clock, options),
  };
}

function openAlong(lineup: Lineup<TextToSpeech>, clock: Clock, options: TextToSpeechOptions): TextToSpeechStream {
  const streams = new Map<TextToSpeech, TextToSpeechStream>();
  const paces = new Map<TextToSpeech, Pace>();
  const live = new Set<Utterance>();
  let isClosed = options.signal.aborted;

  const streamOf = (voice: TextToSpeech): TextToSpeechStream => {
    const stream = streams.get(voice) ?? voice.open(options);
    streams.set(voice, stream);
    return stream;
  };
  const paceOf = (voice: TextToSpeech): Pace => {
    const pace = paces.get(voice) ?? createPace();
    paces.set(voice, pace);
    return pace;
  };
  const close = () => {
    isClosed = true;
    options.signal.removeEventListener('abort', close);
    for (const utterance of live) utterance.cancel();
    for (const stream of streams.values()) stream.close();
    streams.clear();
  };

  if (!isClosed) {
    options.signal.addEventListener('abort', close, { once: true });
    streamOf(lineup.current.product);
  }
  return {
    speak(onEvent) {
      if (isClosed) return deadUtterance;
      const utterance = new FallbackUtterance({
        clock,
        round: lineup.startRound(),
        hasWordTimes: lineup.candidates.every(({ product }) => product.capabilities.wordTimes),
        streamOf,
        paceOf,
        onOver: (over) => void live.delete(over),
        onEvent,
      });
      live.add(utterance);
      return utterance;
    },
    close,
  };
}
