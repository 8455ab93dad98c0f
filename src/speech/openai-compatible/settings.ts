import { z } from 'zod';
import { AgentStreamError } from '../../base/errors.js';

/** Options of the language-model leg. */
export const openaiCompatibleSettingsSchema = z.strictObject({
  model: z.string().min(1).max(200).default('gpt-4.1-mini').describe('Model name as the server knows it.'),
  temperature: z.number().min(0).max(2).optional().describe('Default: the model’s own.'),
  first_part_timeout_ms: z
    .int()
    .min(500)
    .max(60_000)
    .default(8000)
    .describe('How long the model may be silent, before its first word and between words.'),
});

/** Parsed options of the language-model leg. */
export type OpenaiCompatibleSettings = z.infer<typeof openaiCompatibleSettingsSchema>;

/**
 * The base of the API's paths: `https://host`, `https://host/` and `https://host/v1` all mean `https://host/v1`. Any other path
 * is kept, since compatible servers have their own (`/openai/v1`, `/v1beta/openai`).
 * @throws AgentStreamError `configuration-invalid`
 */
export function apiBaseUrl(baseUrl: string): string {
  const message = 'A vendor’s base URL is not a URL.';
  if (!URL.canParse(baseUrl)) throw new AgentStreamError('configuration-invalid', { message });
  const url = new URL(baseUrl);
  const path = url.pathname.replace(/\/+$/, '');
  return `${url.origin}${path === '' ? '/v1' : path}`;
}
