import { z } from 'zod';
import { idSchema, MAX_PROMPT_LENGTH, nameSchema, nodeOf } from './shared.js';

/** Sends the run's result somewhere after the call. */
export const webhookSchema = nodeOf('webhook', {
  name: nameSchema,
  enabled: z.boolean().default(true),
  http_method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('POST'),
  endpoint_url: z.string().min(1).max(2000),
  credential_uuid: idSchema.optional(),
  custom_headers: z
    .array(z.strictObject({ key: z.string().min(1).max(200), value: z.string().max(2000) }))
    .max(50)
    .default([]),
  payload_template: z.union([z.record(z.string(), z.unknown()), z.string().max(MAX_PROMPT_LENGTH)]).optional(),
});

/** Lets a model judge the conversation after the call. */
export const qaSchema = nodeOf('qa', {
  name: nameSchema,
  qa_enabled: z.boolean().default(true),
  qa_use_workflow_llm: z.boolean().default(true),
  qa_model: z.string().max(200).optional(),
  qa_system_prompt: z.string().max(MAX_PROMPT_LENGTH).default(''),
  qa_min_call_duration: z.number().min(0).default(15).meta({ description: 'Seconds; shorter calls are not judged.' }),
  qa_voicemail_calls: z.boolean().default(false),
  qa_sample_rate: z.number().min(0).max(100).default(100).meta({ description: 'Percent of calls that are judged.' }),
});
