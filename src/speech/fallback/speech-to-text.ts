import type { Clock } from '../../base/clock.js';
import type { SpeechToText } from '../speech-to-text.js';
import { FallbackRecogniser } from './fallback-recogniser.js';
import type { Lineup } from './lineup.js';

/**
 * A recogniser that has the vendors of `lineup` listen: where one is lost or falls silent, the next one hears again what no final text
 * covers. It reports what every vendor reports: one that ends turns itself keeps that to itself where another does not.
 */
export function createFallbackSpeechToText(lineup: Lineup<SpeechToText>, clock: Clock): SpeechToText {
  const offered = lineup.candidates.map(({ product }) => product.capabilities);
  const capabilities = {
    interimTranscripts: offered.every(({ interimTranscripts }) => interimTranscripts),
    speechEvents: offered.every(({ speechEvents }) => speechEvents),
    turnEvents: offered.every(({ turnEvents }) => turnEvents),
    earlyFinalize: offered.every(({ earlyFinalize }) => earlyFinalize),
  };
  return {
    get vendor() {
      return lineup.current.product.vendor;
    },
    get model() {
      return lineup.current.product.model;
    },
    capabilities,
    open: (call) => new FallbackRecogniser({ lineup, clock, capabilities, call }),
  };
}
