import { z } from 'zod';
import { firstPartTimeoutSchema, modelNameSchema } from '../ai-sdk/settings.js';

/** Options of the language-model leg. */
export const openaiCompatibleSettingsSchema = z.strictObject({
  model: modelNameSchema.default('gpt-4.1-mini').describe('Model name as the server knows it.'),
  temperature: z.number().min(0).max(2).optional().describe('Default: the model’s own.'),
  first_part_timeout_ms: firstPartTimeoutSchema,
});

/** Parsed options of the language-model leg. */
export type OpenaiCompatibleSettings = z.infer<typeof openaiCompatibleSettingsSchema>;
