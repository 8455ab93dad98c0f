import { z } from 'zod';
import { credentialUuidSchema, idSchema, nameSchema, nodeOf, promptedFields, promptSchema, spokenSchema } from './shared.js';

/** Where every call begins: exactly one, no edge leads to it. */
export const startCallSchema = nodeOf('startCall', {
  ...promptedFields,
  greeting_type: z.enum(['text', 'audio']).default('text').meta({ description: 'audio: the greeting is a recording.' }),
  greeting: spokenSchema.default('').meta({ description: 'First words, spoken as they stand; empty: the model greets.' }),
  greeting_recording_id: idSchema.optional().meta({ description: 'The audio clip that greets; greeting is said where it is missing.' }),
  delayed_start: z.boolean().default(false).meta({ description: 'The caller may speak first: the greeting waits.' }),
  delayed_start_duration: z.number().min(0.1).max(10).default(2).meta({ description: 'Seconds that it waits at the most.' }),
  pre_call_fetch_mode: z
    .enum(['disabled', 'always', 'inbound', 'outbound'])
    .default('disabled')
    .meta({ description: 'Ask pre_call_fetch_url about calls before they begin: all, or those of one direction.' }),
  pre_call_fetch_url: z
    .url({ protocol: /^https?$/, error: 'must be an http:// or https:// URL' })
    .max(2000)
    .optional()
    .meta({ description: 'Where the request goes. Not a template.' }),
  pre_call_fetch_credential_uuid: credentialUuidSchema,
});

/** A part of the conversation led by the model. */
export const agentNodeSchema = nodeOf('agentNode', promptedFields);

/** The end: one closing turn of the model without functions, then hang-up once it was heard. No edge leads out. */
export const endCallSchema = nodeOf('endCall', {
  ...promptedFields,
  allow_interrupt: z.boolean().default(false).meta({ description: 'The caller’s voice cuts the closing words short.' }),
});

/** Put before the prompt of every node that asks for it: at most one, no edges. */
export const globalNodeSchema = nodeOf('globalNode', { name: nameSchema, prompt: promptSchema });

/** Fixed words or a recording, without a model; the call goes on at once. */
export const sayNodeSchema = nodeOf('say', {
  name: nameSchema,
  text: spokenSchema.default('').meta({ description: 'Spoken as it stands; required without a recording.' }),
  recording_id: idSchema.optional().meta({ description: 'An audio clip to play; text is said where it is missing.' }),
  allow_interrupt: z.boolean().default(true).meta({ description: 'The caller’s voice cuts the words short.' }),
});
