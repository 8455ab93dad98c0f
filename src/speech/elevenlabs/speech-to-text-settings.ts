import { z } from 'zod';

/** Terms of one session, and characters of one term (elevenlabs.io/docs/api-reference/speech-to-text/v-1-speech-to-text-realtime). */
const MAX_KEYTERMS = 50;
const MAX_KEYTERM_CHARS = 20;

/** Options of the speech-to-text leg. */
export const elevenlabsSpeechToTextSettingsSchema = z.strictObject({
  model: z.string().min(1).max(100).default('scribe_v2_realtime').describe('Real-time model, for example scribe_v2_realtime.'),
  language: z.string().min(2).max(20).optional().describe('BCP 47 tag, or multi to detect it. Default: the language of the agent.'),
  keyterms: z
    .array(z.string().min(1).max(MAX_KEYTERM_CHARS))
    .max(MAX_KEYTERMS)
    .default([])
    .describe('Names and words to expect, besides those of the agent.'),
  ends_turns: z.boolean().default(false).describe('ElevenLabs’ own voice activity ends turns. Default: local voice activity does.'),
  vad_silence_ms: z.int().min(300).max(3000).default(700).describe('Silence that ends a turn, where ElevenLabs ends them.'),
  vad_threshold: z.number().min(0.1).max(0.9).optional().describe('How sure ElevenLabs must be of speech, where it ends turns. Default: its own.'),
});

/** Parsed options of the speech-to-text leg. */
export type ElevenlabsSpeechToTextSettings = z.infer<typeof elevenlabsSpeechToTextSettingsSchema>;

/** The URL of a session of 8 kHz mono mu-law; `endpoint` is that of `/v1/speech-to-text/realtime`. */
export function sessionUrl(endpoint: URL, settings: ElevenlabsSpeechToTextSettings, call: { readonly language: string; readonly keyterms: readonly string[] }): string {
  const url = new URL(endpoint);
  const language = settings.language ?? call.language;
  const query = {
    model_id: settings.model,
    audio_format: 'ulaw_8000',
    language_code: language === 'multi' ? undefined : language.split('-')[0],
    commit_strategy: settings.ends_turns ? 'vad' : 'manual',
    // The session does not say otherwise where in the audio it heard an end.
    include_timestamps: settings.ends_turns ? 'true' : undefined,
    vad_silence_threshold_secs: settings.ends_turns ? String(settings.vad_silence_ms / 1000) : undefined,
    vad_threshold: settings.ends_turns ? settings.vad_threshold?.toString() : undefined,
  };
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
  const terms = [...new Set([...settings.keyterms, ...call.keyterms])].filter((term) => term.length <= MAX_KEYTERM_CHARS);
  for (const term of terms.slice(0, MAX_KEYTERMS)) url.searchParams.append('keyterms', term);
  return url.href;
}
