import type { Price } from './prices.js';

type Leg = Price['leg'];
type Listed = Price & { readonly source: string };

const MILLION = 1_000_000;

/** Who is paid for what. */
type Key = Pick<Price, 'leg' | 'vendor' | 'model' | 'unit'>;
type Named = Pick<Key, 'vendor' | 'model'>;

const line = (source: string, key: Key, amount: Pick<Price, 'price' | 'per' | 'valid_from'>): Listed => ({ ...key, ...amount, source });

/** USD per million tokens. */
function tokens(source: string, named: Named, price: { input: string; cached?: string; output: string; from?: string }): Listed[] {
  const from = price.from === undefined ? {} : { valid_from: price.from };
  const of = (unit: Price['unit'], amount: string) => line(source, { leg: 'llm', ...named, unit }, { price: amount, per: MILLION, ...from });
  return [of('input_token', price.input), of('output_token', price.output), ...(price.cached === undefined ? [] : [of('cached_input_token', price.cached)])];
}

const minutes = (source: string, named: Named & { leg: Leg }, price: string) => line(source, { ...named, unit: 'second' }, { price, per: 60 });
const hours = (source: string, named: Named & { leg: Leg }, price: string) => line(source, { ...named, unit: 'second' }, { price, per: 3600 });
const thousandCharacters = (source: string, named: Named, price: string) => line(source, { leg: 'tts', ...named, unit: 'character' }, { price, per: 1000 });

const anthropic = 'https://platform.claude.com/docs/en/about-claude/pricing';
const openai = 'https://developers.openai.com/api/docs/pricing';
const google = 'https://ai.google.dev/gemini-api/docs/pricing';
const groq = 'https://console.groq.com/docs/models';
const deepgram = 'https://deepgram.com/pricing';
const assemblyai = 'https://www.assemblyai.com/pricing';
const soniox = 'https://soniox.com/pricing';
const elevenlabs = 'https://elevenlabs.io/pricing/api';
const rime = 'https://www.rime.ai/pricing';
const simulated = 'docs/vendors.md';

/**
 * Prices that vendors publish, pay as you go and without commitment, each with its source. Vendors that publish none in dollars per unit
 * (Cartesia: credits of a plan; telephony providers: contracts) have no line: what they do is listed as unknown until the organization
 * says what it pays. The version is the day of the last change.
 */
export const priceList: { readonly version: string; readonly prices: readonly Listed[] } = {
  version: '2026-11-22',
  prices: [
    // Prompts of up to 100,000 tokens; a call's are shorter.
    ...tokens(anthropic, { vendor: 'anthropic', model: 'claude-haiku-5-5*' }, { input: '0.10', cached: '0.01', output: '0.50' }),
    ...tokens(anthropic, { vendor: 'anthropic', model: 'claude-haiku-4-5*' }, { input: '1', cached: '0.10', output: '5' }),
    ...tokens(anthropic, { vendor: 'anthropic', model: 'claude-sonnet-5-5*' }, { input: '2', cached: '0.20', output: '10' }),
    ...tokens(anthropic, { vendor: 'anthropic', model: 'claude-opus-5-5*' }, { input: '4', cached: '0.40', output: '20' }),
    ...tokens(anthropic, { vendor: 'anthropic', model: 'claude-sonnet-5' }, { input: '2', cached: '0.20', output: '10' }),
    ...tokens(anthropic, { vendor: 'anthropic', model: 'claude-sonnet-4-6*' }, { input: '3', cached: '0.30', output: '15' }),
    ...tokens(anthropic, { vendor: 'anthropic', model: 'claude-sonnet-4-5*' }, { input: '3', cached: '0.30', output: '15' }),
    ...tokens(anthropic, { vendor: 'anthropic', model: 'claude-opus-5' }, { input: '5', cached: '0.50', output: '25' }),

    ...tokens(openai, { vendor: 'openai', model: 'gpt-4.1' }, { input: '2', cached: '0.50', output: '8' }),
    ...tokens(openai, { vendor: 'openai', model: 'gpt-4.1-mini' }, { input: '0.40', cached: '0.10', output: '1.60' }),
    ...tokens(openai, { vendor: 'openai', model: 'gpt-4.1-nano' }, { input: '0.10', cached: '0.025', output: '0.40' }),
    ...tokens(openai, { vendor: 'openai', model: 'gpt-4o' }, { input: '2.50', cached: '1.25', output: '10' }),
    ...tokens(openai, { vendor: 'openai', model: 'gpt-4o-mini' }, { input: '0.15', cached: '0.075', output: '0.60' }),

    // Half price until the end of 2026.
    ...tokens(google, { vendor: 'google', model: 'gemini-3.8-flash' }, { input: '0.75', cached: '0.075', output: '3.75' }),
    ...tokens(google, { vendor: 'google', model: 'gemini-3.8-flash' }, { input: '1.50', cached: '0.15', output: '7.50', from: '2027-01-01' }),
    ...tokens(google, { vendor: 'google', model: 'gemini-3.1-flash-lite' }, { input: '0.25', cached: '0.025', output: '1.50' }),

    ...tokens(groq, { vendor: 'groq', model: 'openai/gpt-oss-120b' }, { input: '0.15', output: '0.60' }),
    ...tokens(groq, { vendor: 'groq', model: 'openai/gpt-oss-20b' }, { input: '0.075', output: '0.30' }),

    // One language; nova-3 with `language: multi` costs 0.0058.
    minutes(deepgram, { leg: 'stt', vendor: 'deepgram', model: 'nova-3*' }, '0.0048'),
    minutes(deepgram, { leg: 'stt', vendor: 'deepgram', model: 'flux-general-en' }, '0.0065'),
    minutes(deepgram, { leg: 'stt', vendor: 'deepgram', model: 'flux-general-multi' }, '0.0078'),
    thousandCharacters(deepgram, { vendor: 'deepgram', model: 'aura-2-*' }, '0.030'),
    hours(assemblyai, { leg: 'stt', vendor: 'assemblyai', model: 'universal-streaming-*' }, '0.15'),
    hours(assemblyai, { leg: 'stt', vendor: 'assemblyai', model: 'u3-rt-pro' }, '0.45'),
    hours(soniox, { leg: 'stt', vendor: 'soniox', model: 'stt-rt-*' }, '0.12'),
    thousandCharacters(elevenlabs, { vendor: 'elevenlabs', model: 'eleven_flash_*' }, '0.05'),
    thousandCharacters(elevenlabs, { vendor: 'elevenlabs', model: 'eleven_turbo_*' }, '0.05'),
    thousandCharacters(elevenlabs, { vendor: 'elevenlabs', model: 'eleven_multilingual_*' }, '0.10'),
    thousandCharacters(elevenlabs, { vendor: 'elevenlabs', model: 'eleven_v3*' }, '0.10'),
    minutes(rime, { leg: 'tts', vendor: 'rime', model: '*' }, '0.030'),

    line(simulated, { leg: 'stt', vendor: 'builtin', model: '*', unit: 'second' }, { price: '0', per: 1 }),
    line(simulated, { leg: 'tts', vendor: 'builtin', model: '*', unit: 'character' }, { price: '0', per: 1 }),
    ...tokens(simulated, { vendor: 'builtin', model: '*' }, { input: '0', output: '0' }),
  ],
};
