import { z } from 'zod';
import { firstPartTimeoutSchema, modelNameSchema } from '../ai-sdk/settings.js';

/** Options of the language-model leg. */
export const googleSettingsSchema = z.strictObject({
  // The stable model of lowest latency (ai.google.dev/gemini-api/docs/models/gemini-3.5-flash-lite).
  model: modelNameSchema.default('gemini-3.5-flash-lite').describe('Model name, for example gemini-3.5-flash-lite or gemini-3.8-flash.'),
  temperature: z.number().min(0).max(2).optional().describe('Default: the model’s own, which Google advises to keep for Gemini 3.'),
  thinking_level: z
    .enum(['minimal', 'low', 'medium', 'high'])
    .optional()
    .describe('How much a model of Gemini 3 or newer thinks. Default: the least it can. Older ones are told not to think.'),
  first_part_timeout_ms: firstPartTimeoutSchema,
});

/** Parsed options of the language-model leg. */
export type GoogleSettings = z.infer<typeof googleSettingsSchema>;

/** How much a model thinks, as the API takes it. */
export type ThinkingConfig = { readonly thinkingBudget: number } | { readonly thinkingLevel: 'minimal' | 'low' | 'medium' | 'high' };

/** The least that Gemini 2.5 Pro can be held to, tokens. */
const LEAST_PRO_BUDGET = 128;

/**
 * The least thinking a model can be held to, or the level asked for; undefined for models that do not think. By budget for Gemini 2.5
 * (ai.google.dev/gemini-api/docs/thinking), by level from Gemini 3 on, where `minimal` is for flash models up to 3.6 and for flash-lite
 * (docs.cloud.google.com/gemini-enterprise-agent-platform/models/thinking); `low` is understood by all of them.
 */
export function thinkingConfigOf({ model, thinking_level: level }: Pick<GoogleSettings, 'model' | 'thinking_level'>): ThinkingConfig | undefined {
  if (!/^gemini-/.test(model) || /^gemini-(1|2\.0)/.test(model)) return undefined;
  if (/^gemini-2\.5/.test(model)) return { thinkingBudget: /pro/.test(model) ? LEAST_PRO_BUDGET : 0 };
  const canBeMinimal = /flash-lite/.test(model) || /^gemini-3(\.[1-6])?-flash/.test(model);
  return { thinkingLevel: level ?? (canBeMinimal ? 'minimal' : 'low') };
}
