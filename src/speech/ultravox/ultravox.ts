import type { RealtimeModel } from '../realtime-model.js';
import type { VendorContext, VendorLeg, VendorModule } from '../vendor.js';
import { openUltravoxSession } from './session.js';
import { ultravoxCacheKey, ultravoxSettingsSchema, type UltravoxSettings } from './settings.js';

function createUltravoxRealtime(settings: UltravoxSettings, context: VendorContext): RealtimeModel {
  return {
    vendor: 'ultravox',
    model: settings.model,
    voice: settings.voice,
    cacheKey: ultravoxCacheKey(context.baseUrl, settings),
    capabilities: { turnEvents: true },
    open: (options) => openUltravoxSession(settings, context, options),
  };
}

const realtime: VendorLeg<RealtimeModel, UltravoxSettings> = { settingsSchema: ultravoxSettingsSchema, create: createUltravoxRealtime };

/** Ultravox: a call of its API, joined over a server WebSocket (docs.ultravox.ai/apps/websockets). */
export const ultravox: VendorModule = {
  name: 'ultravox',
  displayName: 'Ultravox',
  isSimulated: false,
  apiKeyEnv: 'ULTRAVOX_API_KEY',
  baseUrl: { env: 'ULTRAVOX_BASE_URL', default: 'https://api.ultravox.ai' },
  realtime,
};
