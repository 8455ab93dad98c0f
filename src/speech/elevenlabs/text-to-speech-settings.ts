import { z } from 'zod';
import { socketUrl } from '../../base/socket-url.js';

/** Longest pause between texts that the vendor allows (its maximum), s: far beyond a caller's turn. */
const INACTIVITY_TIMEOUT_S = 180;

const share = (meaning: string) => z.number().min(0).max(1).optional().describe(meaning);

/** Options of the text-to-speech leg. */
export const elevenlabsTextToSpeechSchema = z.strictObject({
  model: z
    .string()
    .min(1)
    .max(100)
    .regex(/^(?!eleven_v3$)/, { error: 'eleven_v3 cannot be spoken over a connection with contexts: use a Flash or Turbo model' })
    .default('eleven_flash_v2_5')
    .describe('Model name, for example eleven_flash_v2_5 or eleven_turbo_v2_5.'),
  voice: z
    .string()
    .min(1)
    .max(100)
    .default('JBFqnCBsd6RMkjVDRZzb')
    .describe('Voice id. Default: George, the public voice of ElevenLabs’ own examples.'),
  language: z.string().min(2).max(20).optional().describe('BCP 47 tag. Default: the language of the agent. Only the v2.5 models take one.'),
  stability: share('0 is lively, 1 is even. Default: the voice’s own.'),
  similarity_boost: share('How closely the speech keeps to the voice. Default: the voice’s own.'),
  speed: z.number().min(0.7).max(1.2).optional().describe('1 is the pace of the voice.'),
  word_times: z
    .boolean()
    .default(true)
    .describe('Ask when each word is spoken, so that the record of an interrupted reply is exact.'),
});

/** Parsed options of the text-to-speech leg. */
export type ElevenlabsTextToSpeechSettings = z.infer<typeof elevenlabsTextToSpeechSchema>;

/** The primary subtag that the vendor enforces; undefined where the model takes none, or the language is open. */
function languageCode(settings: ElevenlabsTextToSpeechSettings, callLanguage: string): string | undefined {
  if (!/_v2_5$/.test(settings.model)) return undefined;
  const subtag = (settings.language ?? callLanguage).split('-')[0]?.toLowerCase();
  return subtag === '' || subtag === 'multi' ? undefined : subtag;
}

/**
 * The URL of a call's connection
 * (elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-multi-stream-input). `auto_mode` takes away the
 * vendor's buffers, which suits text that comes in clauses and sentences.
 * @throws AgentStreamError `configuration-invalid`
 */
export function multiStreamUrl(baseUrl: string, settings: ElevenlabsTextToSpeechSettings, callLanguage: string): string {
  const url = socketUrl(baseUrl, `/v1/text-to-speech/${encodeURIComponent(settings.voice)}/multi-stream-input`);
  const code = languageCode(settings, callLanguage);
  const query = {
    model_id: settings.model,
    output_format: 'ulaw_8000',
    auto_mode: 'true',
    inactivity_timeout: String(INACTIVITY_TIMEOUT_S),
    sync_alignment: String(settings.word_times),
    ...(code === undefined ? {} : { language_code: code }),
  };
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url.href;
}

/** Equal for settings that give equal audio. */
export function elevenlabsCacheKey(settings: ElevenlabsTextToSpeechSettings): string {
  const { model, voice, language = null, stability = null, similarity_boost: similarity = null, speed = null } = settings;
  return JSON.stringify(['elevenlabs', model, voice, language, stability, similarity, speed]);
}
