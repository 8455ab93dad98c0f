import { z } from 'zod';

/** Options of the speech-to-speech leg. */
export const openaiRealtimeSchema = z.strictObject({
  model: z.string().min(1).max(200).default('gpt-realtime').describe('Speech-to-speech model.'),
  voice: z.string().min(1).max(100).default('marin').describe('Voice name, for example cedar or coral.'),
  speed: z.number().min(0.25).max(1.5).optional().describe('1 is the pace of the voice.'),
  transcription_model: z
    .string()
    .min(1)
    .max(200)
    .default('gpt-4o-mini-transcribe')
    .describe('Writes down what the caller says, for the transcript and the workflow.'),
  turn_detection: z
    .enum(['server_vad', 'semantic_vad'])
    .default('server_vad')
    .describe('What ends the caller’s turn: a silence, or a model’s judgement of the words.'),
  silence_duration_ms: z.int().min(200).max(3000).default(500).describe('Silence that ends a turn, with server_vad.'),
  eagerness: z.enum(['low', 'medium', 'high', 'auto']).default('auto').describe('How soon a turn is taken for over, with semantic_vad.'),
});

/** Parsed options of the speech-to-speech leg. */
export type OpenaiRealtimeSettings = z.infer<typeof openaiRealtimeSchema>;

/** Equal for settings that give equal audio for equal words, as far as a model that speaks does. */
export function openaiRealtimeCacheKey(baseUrl: string, { model, voice, speed }: OpenaiRealtimeSettings): string {
  return JSON.stringify(['openai-realtime', baseUrl, model, voice, speed ?? null]);
}
