import type { Clock } from '../../base/clock.js';
import type { RealtimeModel } from '../realtime-model.js';
import { FallbackRealtimeSession } from './realtime-session.js';
import type { Lineup } from './lineup.js';

/**
 * A speech-to-speech model that has the vendors of `lineup` hold the call: where one is lost, or does not answer, the next one is told the
 * conversation, hears again what no final text covers, and answers. It ends turns where every vendor does so.
 */
export function createFallbackRealtimeModel(lineup: Lineup<RealtimeModel>, clock: Clock): RealtimeModel {
  const products = lineup.candidates.map(({ product }) => product);
  const capabilities = { turnEvents: products.every((product) => product.capabilities.turnEvents) };
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
    capabilities,
    open: (call) => new FallbackRealtimeSession({ lineup, clock, capabilities, call }),
  };
}
