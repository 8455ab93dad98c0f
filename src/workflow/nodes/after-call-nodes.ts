import { z } from 'zod';
import { reservedHeaders } from '../reserved-headers.js';
import { credentialUuidSchema, MAX_PROMPT_LENGTH, nameSchema, nodeOf } from './shared.js';

const headerNameSchema = z
  .string()
  .max(200)
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'must be the name of a header (RFC 9110 §5.1)')
  .refine((name) => !reservedHeaders.has(name.toLowerCase()), 'is set by the delivery itself');

/** Sends the run's result somewhere after the call. */
export const webhookSchema = nodeOf('webhook', {
  name: nameSchema,
  enabled: z.boolean().default(true).meta({ description: 'Send the request after the call.' }),
  http_method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('POST').meta({ description: 'A GET has no body.' }),
  endpoint_url: z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' }).max(2000).meta({ description: 'Where the request goes. Not a template.' }),
  credential_uuid: credentialUuidSchema,
  custom_headers: z
    .array(z.strictObject({ key: headerNameSchema, value: z.string().max(2000) }))
    .max(50)
    .default([])
    .meta({ description: 'Sent with the request; values are templates.' }),
  payload_template: z
    .union([z.record(z.string(), z.unknown()), z.string().max(MAX_PROMPT_LENGTH)])
    .optional()
    .meta({ description: 'JSON whose texts are templates, or one text. Left out: the facts of the run (docs/webhooks.md).' }),
});

/** Lets a model judge the conversation after the call. */
export const qaSchema = nodeOf('qa', {
  name: nameSchema,
  qa_enabled: z.boolean().default(true).meta({ description: 'Judge calls.' }),
  qa_use_workflow_llm: z.boolean().default(true).meta({ description: 'With the model that the calls had. False: with qa_model.' }),
  qa_model: z.string().min(1).max(200).optional().meta({ description: 'Another model of the same vendor.' }),
  qa_system_prompt: z.string().max(MAX_PROMPT_LENGTH).default('').meta({ description: 'What to judge by: questions, criteria. Not a template.' }),
  qa_min_call_duration: z.number().min(0).default(15).meta({ description: 'Seconds; shorter calls are not judged.' }),
  qa_voicemail_calls: z.boolean().default(false).meta({ description: 'Judge calls that a voicemail system answered.' }),
  qa_sample_rate: z.number().min(0).max(100).default(100).meta({ description: 'Percent of calls that are judged.' }),
});
