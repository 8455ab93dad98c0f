import { z } from 'zod';
import { firstPartTimeoutSchema, modelNameSchema } from '../ai-sdk/settings.js';

/** Options of the language-model leg. */
export const anthropicSettingsSchema = z.strictObject({
  // The fastest of the family (platform.claude.com/docs/en/models/overview).
  model: modelNameSchema.default('claude-haiku-5-5').describe('Model name, for example claude-haiku-5-5 or claude-sonnet-5.'),
  temperature: z.number().min(0).max(1).optional().describe('Default: the model’s own. Models from Claude Opus 4.7 on take none: it is left out for them.'),
  prompt_cache: z.boolean().default(true).describe('Let Anthropic keep functions and system prompt between requests; too short ones it does not keep.'),
  effort: z
    .enum(['low', 'medium', 'high'])
    .optional()
    .describe('How much a model may think that always thinks; every other is told not to. Claude Haiku 4.5 and older take no effort.'),
  first_part_timeout_ms: firstPartTimeoutSchema,
});

/** Parsed options of the language-model leg. */
export type AnthropicSettings = z.infer<typeof anthropicSettingsSchema>;
