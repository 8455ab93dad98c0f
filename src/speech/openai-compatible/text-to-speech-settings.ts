import { z } from 'zod';

/** Options of the text-to-speech leg. */
export const openaiTextToSpeechSchema = z.strictObject({
  model: z.string().min(1).max(200).default('gpt-4o-mini-tts').describe('Model name as the server knows it, for example tts-1 or kokoro.'),
  voice: z.string().min(1).max(100).default('marin').describe('Voice name as the server knows it, for example cedar, coral or af_heart.'),
  instructions: z.string().max(2000).optional().describe('How to speak, in words; models that take none ignore or refuse it.'),
  speed: z.number().min(0.25).max(4).optional().describe('1 is the pace of the voice.'),
  sample_rate_hz: z
    .int()
    .min(8000)
    .max(48_000)
    .default(24_000)
    .describe('Rate of the PCM that the server sends: 24000 for OpenAI and Kokoro, the voice’s own for Piper.'),
});

/** Parsed options of the text-to-speech leg. */
export type OpenaiTextToSpeechSettings = z.infer<typeof openaiTextToSpeechSchema>;

/** The body of a request for `input` (platform.openai.com/docs/api-reference/audio/createSpeech). */
export function speechRequestBody(settings: OpenaiTextToSpeechSettings, input: string): string {
  const { model, voice, instructions, speed } = settings;
  return JSON.stringify({ model, voice, input, instructions, speed, response_format: 'pcm' });
}

/** Equal for settings that give equal audio. */
export function openaiVoiceCacheKey(baseUrl: string, settings: OpenaiTextToSpeechSettings): string {
  const { model, voice, instructions = null, speed = null, sample_rate_hz: sampleRateHz } = settings;
  return JSON.stringify(['openai', baseUrl, model, voice, instructions, speed, sampleRateHz]);
}
