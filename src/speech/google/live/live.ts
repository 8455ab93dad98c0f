import { socketUrl } from '../../../base/socket-url.js';
import type { RealtimeModel } from '../../realtime-model.js';
import type { VendorContext, VendorLeg } from '../../vendor.js';
import { openGeminiLive } from './session.js';
import { geminiLiveCacheKey, geminiLiveSchema, type GeminiLiveSettings } from './settings.js';

const PATH = '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent';

function createGeminiLive(settings: GeminiLiveSettings, context: VendorContext): RealtimeModel {
  const { apiKey, baseUrl, clock, lookup } = context;
  const url = socketUrl(baseUrl, PATH);
  if (apiKey !== undefined) url.searchParams.set('key', apiKey);
  return {
    vendor: 'google',
    model: settings.model,
    voice: settings.voice,
    cacheKey: geminiLiveCacheKey(baseUrl, settings),
    capabilities: { turnEvents: false },
    open: (options) => openGeminiLive({ url: url.href, settings, clock, lookup }, options),
  };
}

/** Google's Live API over a WebSocket (ai.google.dev/api/live): PCM in at 8 kHz, out at 24 kHz. */
export const geminiLive: VendorLeg<RealtimeModel, GeminiLiveSettings> = {
  settingsSchema: geminiLiveSchema,
  create: createGeminiLive,
};
