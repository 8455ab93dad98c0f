import { z } from 'zod';
import { modelNameSchema } from '../../ai-sdk/settings.js';

/** Options of the speech-to-speech leg. */
export const geminiLiveSchema = z.strictObject({
  // Client content for the whole of a session, and functions that wait for their result (ai.google.dev/gemini-api/docs/models/gemini-3.8-live).
  model: modelNameSchema.default('gemini-3.8-live').describe('Speech-to-speech model.'),
  voice: z.string().min(1).max(100).default('Kore').describe('Name of a prebuilt voice, for example Puck or Aoede.'),
  temperature: z.number().min(0).max(2).optional().describe('Default: the model’s own.'),
});

/** Parsed options of the speech-to-speech leg. */
export type GeminiLiveSettings = z.infer<typeof geminiLiveSchema>;

/** Equal for settings that give equal audio for equal words, as far as a model that speaks does. */
export function geminiLiveCacheKey(baseUrl: string, { model, voice }: GeminiLiveSettings): string {
  return JSON.stringify(['gemini-live', baseUrl, model, voice]);
}
