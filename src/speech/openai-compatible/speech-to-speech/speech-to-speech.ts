import { socketUrl } from '../../../base/socket-url.js';
import { endpointUrl } from '../../ai-sdk/endpoint-url.js';
import type { RealtimeModel } from '../../realtime-model.js';
import type { VendorContext, VendorLeg } from '../../vendor.js';
import { openOpenaiRealtime } from './session.js';
import { openaiRealtimeCacheKey, openaiRealtimeSchema, type OpenaiRealtimeSettings } from './settings.js';

function createOpenaiRealtime(settings: OpenaiRealtimeSettings, context: VendorContext): RealtimeModel {
  const { apiKey, baseUrl, clock, lookup } = context;
  const url = socketUrl(endpointUrl(baseUrl, '/v1'), '/realtime');
  url.searchParams.set('model', settings.model);
  const headers: Record<string, string> = apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` };
  return {
    vendor: 'openai',
    model: settings.model,
    voice: settings.voice,
    cacheKey: openaiRealtimeCacheKey(baseUrl, settings),
    capabilities: { turnEvents: true },
    open: (options) => openOpenaiRealtime({ url: url.href, headers, settings, clock, lookup }, options),
  };
}

/** OpenAI's Realtime API over a WebSocket (platform.openai.com/docs/guides/realtime-websocket): G.711 mu-law both ways. */
export const openaiRealtime: VendorLeg<RealtimeModel, OpenaiRealtimeSettings> = {
  settingsSchema: openaiRealtimeSchema,
  create: createOpenaiRealtime,
};
