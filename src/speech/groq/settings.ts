import { z } from 'zod';
import { firstPartTimeoutSchema, modelNameSchema } from '../ai-sdk/settings.js';

/** Options of the language-model leg. */
export const groqSettingsSchema = z.strictObject({
  // A production model (console.groq.com/docs/models); the Llama models that were the usual choice ended in August 2026.
  model: modelNameSchema.default('openai/gpt-oss-120b').describe('Model name, for example openai/gpt-oss-120b or openai/gpt-oss-20b.'),
  temperature: z.number().min(0).max(2).optional().describe('Default: the model’s own.'),
  reasoning_effort: z
    .enum(['none', 'default', 'low', 'medium', 'high'])
    .optional()
    .describe('How much the model reasons; gpt-oss takes low to high, qwen3 none or default. Default: the least it can.'),
  service_tier: z
    .enum(['on_demand', 'performance', 'flex', 'auto'])
    .optional()
    .describe('Default: on_demand. performance is for customers who bought it; flex may be refused when Groq is busy.'),
  first_part_timeout_ms: firstPartTimeoutSchema,
});

/** Parsed options of the language-model leg. */
export type GroqSettings = z.infer<typeof groqSettingsSchema>;

/** What a request says about reasoning, by name of the AI SDK's options. */
export interface GroqReasoning {
  readonly reasoningEffort?: NonNullable<GroqSettings['reasoning_effort']>;
  /** `parsed` keeps what a model thinks out of what it says; models other than qwen3 refuse the option. */
  readonly reasoningFormat?: 'parsed';
}

/** The least reasoning a model can be held to, or the effort asked for (console.groq.com/docs/reasoning). */
export function reasoningOf({ model, reasoning_effort: asked }: Pick<GroqSettings, 'model' | 'reasoning_effort'>): GroqReasoning {
  if (/gpt-oss/.test(model)) return { reasoningEffort: asked ?? 'low' };
  if (/qwen3/.test(model)) return { reasoningEffort: asked ?? 'none', reasoningFormat: 'parsed' };
  return asked === undefined ? {} : { reasoningEffort: asked };
}
