import { z } from 'zod';

/** Voices are named by their locale first (docs.cloud.google.com/text-to-speech/docs/list-voices-and-types). */
const voiceName = /^([a-z]{2,3}-[A-Za-z0-9]{2,4})-[\w-]{1,100}$/;

/** Options of the text-to-speech leg. */
export const googleCloudSettingsSchema = z.strictObject({
  voice: z
    .string()
    .regex(voiceName, 'must be the name of a voice with its locale: en-US-Chirp3-HD-Kore')
    .default('en-US-Chirp3-HD-Kore')
    .describe('Voice name, its locale first, for example de-DE-Chirp3-HD-Kore or en-GB-Neural2-A. It fixes the language.'),
  speed: z.number().min(0.25).max(2).optional().describe('1 is the pace of the voice.'),
});

/** Parsed options of the text-to-speech leg. */
export type GoogleCloudSettings = z.infer<typeof googleCloudSettingsSchema>;

/** The body of a request for `input` (docs.cloud.google.com/text-to-speech/docs/reference/rest/v1/text/synthesize). */
export function synthesizeBody({ voice, speed }: GoogleCloudSettings, input: string): string {
  return JSON.stringify({
    input: { text: input },
    voice: { languageCode: voiceName.exec(voice)?.[1], name: voice },
    audioConfig: { audioEncoding: 'MULAW', sampleRateHertz: 8000, speakingRate: speed },
  });
}
