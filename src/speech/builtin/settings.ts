import { z } from 'zod';

/** Options of the builtin speech-to-text leg: none. */
export const builtinSttSettingsSchema = z.strictObject({});

/** Options of the builtin language-model leg. The delays imitate a vendor's; they are waited on the clock. */
export const builtinLlmSettingsSchema = z.strictObject({
  first_token_ms: z.int().min(0).max(60_000).default(0).describe('Delay before the first token, ms.'),
  token_ms: z.int().min(0).max(10_000).default(0).describe('Delay between tokens, ms.'),
});

/** Parsed options of the builtin language-model leg. */
export type BuiltinLlmSettings = z.infer<typeof builtinLlmSettingsSchema>;

/** Options of the builtin text-to-speech leg. */
export const builtinTtsSettingsSchema = z.strictObject({
  engine: z
    .enum(['auto', 'espeak-ng', 'bundled'])
    .default('auto')
    .describe('`auto`: espeak-ng where it is installed, else the bundled voice.'),
  voice: z
    .string()
    .regex(/^[a-z]{2,3}(-[a-z0-9]{1,8}){0,3}(\+[a-z0-9]{1,16})?$/i)
    .optional()
    .describe('espeak-ng voice and variant, such as `en-gb` or `en-us+f3`. Default: the language of the agent.'),
  words_per_minute: z.int().min(80).max(450).default(170).describe('Pace of the speech.'),
  pitch: z.int().min(0).max(99).default(50).describe('0 is low, 99 is high.'),
});

/** Parsed options of the builtin text-to-speech leg. */
export type BuiltinTtsSettings = z.infer<typeof builtinTtsSettingsSchema>;
