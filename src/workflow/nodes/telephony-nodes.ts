import { z } from 'zod';
import { isTransferDestination } from '../../base/transfer-destination.js';
import { idSchema, nameSchema, nodeOf, promptSchema, spokenSchema } from './shared.js';

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
  prompt: promptSchema,
  min_digits: z.int().min(1).max(64).default(1),
  max_digits: z.int().min(1).max(64).default(1),
  terminator: z
    .string()
    .regex(/^[0-9*#]?$/, 'must be one key')
    .default('#'),
  timeout_ms: z.int().min(500).max(60_000).default(5000),
  retries: z.int().min(0).max(10).default(2),
  variable: idSchema.optional().meta({ description: 'Variable that takes the digits.' }),
  sensitive: z.boolean().default(false).meta({ description: 'True: the digits are kept from transcript, recording and logs.' }),
});

/** Starts calls over an API; kept for documents that carry it. */
export const triggerSchema = nodeOf('trigger', { name: nameSchema, trigger_path: idSchema, enabled: z.boolean().default(true) });
