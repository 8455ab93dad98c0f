import { z } from 'zod';
import { SAMPLE_RATE_HZ } from '../../audio/frame.js';

/** Keyterms that Deepgram takes in one request (developers.deepgram.com/docs/keyterm). */
const MAX_KEYTERMS = 100;

/** Longest silence that Flux may wait for; a call waits for a vendor's turn end a little longer (turn/options.ts). */
const MAX_TURN_TIMEOUT_MS = 7000;

/** Options of the speech-to-text leg. */
export const deepgramSettingsSchema = z.strictObject({
  model: z.string().min(1).max(100).default('nova-3').describe('Model name, for example nova-3, nova-2-phonecall or flux-general-en. Flux models decide themselves when a turn is over.'),
  language: z.string().min(2).max(20).optional().describe('BCP 47 tag, or multi. Default: the language of the agent.'),
  keyterms: z
    .array(z.string().min(1).max(100))
    .max(MAX_KEYTERMS)
    .default([])
    .describe('Names and words to expect, besides those of the agent.'),
  endpointing_ms: z.int().min(10).max(5000).default(300).describe('Nova: silence after which a segment is settled.'),
  smart_format: z.boolean().default(true).describe('Nova: write numbers, dates and currencies as digits.'),
  early_finalize: z
    .boolean()
    .default(false)
    .describe('Nova: ask for the words after 60 ms of silence already. Answers come sooner; words may be cut where a pause stands inside one.'),
  eot_threshold: z.number().min(0.5).max(0.9).default(0.7).describe('Flux: how sure it must be that the turn is over.'),
  eager_eot_threshold: z.number().min(0.3).max(0.9).optional().describe('Flux: how sure it must be to say that the turn may be over. Default: it does not say.'),
  eot_timeout_ms: z.int().min(500).max(MAX_TURN_TIMEOUT_MS).default(3000).describe('Flux: silence that ends a turn whatever its words.'),
});

/** Parsed options of the speech-to-text leg. */
export type DeepgramSettings = z.infer<typeof deepgramSettingsSchema>;

/** What the call adds to the options. */
interface Call {
  readonly language: string;
  readonly keyterms: readonly string[];
}

/** True for the models of `/v2/listen`. */
export function isFlux(model: string): boolean {
  return model.startsWith('flux');
}

function urlWith(endpoint: URL, query: Readonly<Record<string, string>>, terms: { readonly parameter: string; readonly values: Iterable<string> }): string {
  const url = new URL(endpoint);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  for (const term of [...new Set(terms.values)].slice(0, MAX_KEYTERMS)) url.searchParams.append(terms.parameter, term);
  return url.href;
}

/** The URL of a streaming request for 8 kHz mono mu-law; `endpoint` is that of `/v1/listen`. */
export function listenUrl(endpoint: URL, settings: DeepgramSettings, call: Call): string {
  const query = {
    model: settings.model,
    language: settings.language ?? call.language,
    encoding: 'mulaw',
    sample_rate: String(SAMPLE_RATE_HZ),
    channels: '1',
    interim_results: 'true',
    punctuate: 'true',
    smart_format: String(settings.smart_format),
    endpointing: String(settings.endpointing_ms),
  };
  // Keyterms came with nova-3; earlier models know keywords.
  const parameter = settings.model.startsWith('nova-3') ? 'keyterm' : 'keywords';
  return urlWith(endpoint, query, { parameter, values: [...settings.keyterms, ...call.keyterms] });
}

/** As {@link listenUrl} for a Flux model; `endpoint` is that of `/v2/listen`. Only the multilingual model takes a language, as a hint. */
export function fluxUrl(endpoint: URL, settings: DeepgramSettings, call: Call): string {
  const language = settings.language ?? call.language;
  const hasHint = settings.model.includes('multi') && language !== 'multi';
  const query = {
    model: settings.model,
    encoding: 'mulaw',
    sample_rate: String(SAMPLE_RATE_HZ),
    eot_threshold: String(settings.eot_threshold),
    eot_timeout_ms: String(settings.eot_timeout_ms),
    ...(settings.eager_eot_threshold === undefined ? {} : { eager_eot_threshold: String(settings.eager_eot_threshold) }),
    ...(hasHint ? { language_hint: language.split('-')[0] ?? language } : {}),
  };
  return urlWith(endpoint, query, { parameter: 'keyterm', values: [...settings.keyterms, ...call.keyterms] });
}
