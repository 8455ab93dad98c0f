import { z } from 'zod';
import { isTransferDestination } from '../../base/transfer-destination.js';
import { idSchema, nameSchema, nodeOf, spokenSchema, variableNameSchema } from './shared.js';

/** Hands the call to somebody else. */
export const transferCallSchema = nodeOf('transferCall', {
  name: nameSchema,
  destination: spokenSchema
    .refine((value) => value.includes('{{') || isTransferDestination(value.trim()), 'must be a number like +15551234567, a SIP URI, or a template')
    .meta({ description: 'E.164 number, SIP URI, or a template that gives one.' }),
  mode: z.enum(['cold', 'warm']).default('cold').meta({ description: 'warm: the caller stays here until the other side answers.' }),
  timeout_seconds: z.int().min(5).max(120).default(30).meta({ description: 'How long the destination may ring.' }),
  message: spokenSchema.default('').meta({ description: 'Said before the transfer.' }),
});

/** Keys pressed by the caller, as a menu or as input. */
export const collectDigitsSchema = nodeOf('collectDigits', {
  name: nameSchema,
  prompt: spokenSchema
    .refine((value) => value.trim() !== '', 'is required')
    .meta({ description: 'Spoken as it stands; a key stops it, the caller’s voice does not.' }),
  min_digits: z.int().min(1).max(64).default(1).meta({ description: 'Fewer are asked for again.' }),
  max_digits: z.int().min(1).max(64).default(1).meta({ description: 'With so many the input is complete.' }),
  terminator: z
    .string()
    .regex(/^[0-9*#]?$/, 'must be one key, or empty')
    .default('#')
    .meta({ description: 'The key that ends the input and is no part of it; empty: none does.' }),
  timeout_ms: z.int().min(500).max(60_000).default(5000).meta({ description: 'Wait for the first key, and from key to key.' }),
  retries: z.int().min(0).max(10).default(2).meta({ description: 'How often the prompt is said again.' }),
  variable: variableNameSchema.optional().meta({ description: 'Variable that takes the digits, as text.' }),
  sensitive: z
    .boolean()
    .default(false)
    .meta({ description: 'The digits are kept from transcript, events, logs, model and gathered_context. A recording keeps the tones that the carrier sends as audio.' }),
});

/** Starts calls over an API; kept for documents that carry it. */
export const triggerSchema = nodeOf('trigger', { name: nameSchema, trigger_path: idSchema, enabled: z.boolean().default(true) });
