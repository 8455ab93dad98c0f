import { z } from 'zod';
import { SAMPLE_RATE_HZ } from '../../audio/frame.js';

/** A list may hold a thousand; each word costs time when the session begins (docs.speechmatics.com/speech-to-text/features/custom-dictionary). */
const MAX_KEYTERMS = 100;

/** Options of the speech-to-text leg. */
export const speechmaticsSettingsSchema = z.strictObject({
  model: z.enum(['enhanced', 'standard']).default('enhanced').describe('Enhanced hears better, standard is cheaper.'),
  language: z.string().min(2).max(20).optional().describe('BCP 47 tag. Default: the language of the agent. Speechmatics does not detect it.'),
  keyterms: z
    .array(z.string().min(1).max(100))
    .max(MAX_KEYTERMS)
    .default([])
    .describe('Names and words to expect, besides those of the agent.'),
  max_delay_ms: z.int().min(700).max(4000).default(1000).describe('Longest time from a word to its settled text.'),
  end_of_utterance_ms: z.int().min(100).max(2000).default(500).describe('Silence that ends an utterance; best below max_delay_ms.'),
  ends_turns: z.boolean().default(false).describe('An utterance’s end is the turn’s. Default: local voice activity ends turns.'),
});

/** Parsed options of the speech-to-text leg. */
export type SpeechmaticsSettings = z.infer<typeof speechmaticsSettingsSchema>;

/** Languages whose code is not that of BCP 47 (docs.speechmatics.com/speech-to-text/languages). */
const languageCodes: Readonly<Record<string, string>> = { zh: 'cmn', nb: 'no' };
/** English is spelled one of these ways (docs.speechmatics.com/speech-to-text/formatting#output-locale). */
const outputLocales: ReadonlySet<string> = new Set(['en-AU', 'en-GB', 'en-US']);

/** The StartRecognition of a session of 8 kHz mono mu-law (docs.speechmatics.com/api-ref/realtime-transcription-websocket). */
export function startRecognitionMessage(settings: SpeechmaticsSettings, call: { readonly language: string; readonly keyterms: readonly string[] }): string {
  const tag = settings.language ?? call.language;
  const primary = tag.split('-')[0] ?? tag;
  const terms = [...new Set([...settings.keyterms, ...call.keyterms])].slice(0, MAX_KEYTERMS);
  return JSON.stringify({
    message: 'StartRecognition',
    audio_format: { type: 'raw', encoding: 'mulaw', sample_rate: SAMPLE_RATE_HZ },
    transcription_config: {
      language: languageCodes[primary] ?? primary,
      ...(outputLocales.has(tag) ? { output_locale: tag } : {}),
      model: settings.model,
      enable_partials: true,
      max_delay: settings.max_delay_ms / 1000,
      conversation_config: { end_of_utterance_silence_trigger: settings.end_of_utterance_ms / 1000 },
      ...(terms.length === 0 ? {} : { additional_vocab: terms.map((content) => ({ content })) }),
    },
  });
}
