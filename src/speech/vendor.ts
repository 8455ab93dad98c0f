import type { LookupFunction } from 'node:net';
import type { z } from 'zod';
import type { Clock } from '../base/clock.js';
import type { EmbeddingModel } from './embedding-model.js';
import type { LanguageModel } from './language-model.js';
import type { RealtimeModel } from './realtime-model.js';
import type { SpeechToText } from './speech-to-text.js';
import type { TextToSpeech } from './text-to-speech.js';

/** What a vendor may be to an agent: one of the three legs of a cascaded one, or a speech-to-speech model that is all of them. */
export type Leg = 'stt' | 'llm' | 'tts' | 'realtime';

/** The legs that every agent has, unless a speech-to-speech model takes their place. */
export type CascadedLeg = Exclude<Leg, 'realtime'>;

/** What a vendor's factory gets besides its own settings. */
export interface VendorContext {
  readonly clock: Clock;
  /** From the stored credential, else the environment. Undefined for vendors that need none. */
  readonly apiKey: string | undefined;
  /** http(s) or ws(s) origin: the vendor's own, or a proxy, local server or fake. */
  readonly baseUrl: string;
  readonly fetch: typeof fetch;
  /** Resolves the host of a WebSocket, where its address is not free to choose. */
  readonly lookup?: LookupFunction | undefined;
}

/** One leg of one vendor. */
export interface VendorLeg<Product, Settings = unknown> {
  /** Strict: an unknown option is refused, never ignored. Defaults filled in. `vendor` is not part of it. */
  readonly settingsSchema: z.ZodType<Settings>;
  create(settings: Settings, context: VendorContext): Product;
}

/**
 * A speech or language vendor: one folder exporting one of these, one line in registry.ts, one line in the contract tests.
 */
export interface VendorModule {
  readonly name: string;
  readonly displayName: string;
  /** True where everything it does is simulated; shown wherever the vendor is. */
  readonly isSimulated: boolean;
  /** Environment variables and the default origin. `apiKeyEnv` null: no key needed. */
  readonly apiKeyEnv: string | null;
  readonly baseUrl: { readonly env: string | null; readonly default: string };
  readonly stt?: VendorLeg<SpeechToText>;
  readonly llm?: VendorLeg<LanguageModel>;
  readonly tts?: VendorLeg<TextToSpeech>;
  readonly realtime?: VendorLeg<RealtimeModel>;
  /** For documents: no leg of a call, chosen by the organization. */
  readonly embeddings?: VendorLeg<EmbeddingModel>;
}
