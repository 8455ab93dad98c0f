import { z } from 'zod';

/** How long a model may be silent, ms; the same option for every language-model vendor. */
export const firstPartTimeoutSchema = z
  .int()
  .min(500)
  .max(60_000)
  .default(8000)
  .describe('How long the model may be silent, before its first word and between words.');

/** A model's name; any that the vendor knows. */
export const modelNameSchema = z.string().min(1).max(200);
