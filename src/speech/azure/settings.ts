import { z } from 'zod';

/** Options of the text-to-speech leg. */
export const azureSettingsSchema = z.strictObject({
  voice: z
    .string()
    .regex(/^[\w:.-]{1,200}$/, 'must be the name of a voice')
    .default('en-US-AvaMultilingualNeural')
    .describe('Voice name, its locale first, for example en-GB-SoniaNeural. The default speaks the language of the text.'),
  language: z
    .string()
    .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}$/, 'must be a BCP 47 tag')
    .optional()
    .describe('BCP 47 tag with its region that a multilingual voice is held to. Default: it follows the text.'),
  speed: z.number().min(0.5).max(2).optional().describe('1 is the pace of the voice.'),
});

/** Parsed options of the text-to-speech leg. */
export type AzureSettings = z.infer<typeof azureSettingsSchema>;
