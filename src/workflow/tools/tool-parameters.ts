import { z } from 'zod';
import { isPrototypeKey } from '../../base/json.js';
import type { ModelTool } from '../../speech/language-model.js';

/** Most parameters of a tool. */
const MAX_PARAMETERS = 50;

/** The name of an argument. */
export const parameterNameSchema = z
  .string()
  .regex(/^[A-Za-z_][\w-]{0,63}$/, 'must be letters, digits, underscores and hyphens')
  .refine((name) => !isPrototypeKey(name), 'is a name that cannot be used');

const parameterSchema = z.strictObject({
  name: parameterNameSchema,
  type: z.enum(['string', 'number', 'boolean', 'object', 'array']).default('string'),
  description: z.string().max(1000).default('').meta({ description: 'What the model is told to put here.' }),
  required: z.boolean().default(true),
});

/** Arguments that the model fills in. */
export const parametersSchema = z
  .array(parameterSchema)
  .max(MAX_PARAMETERS)
  .refine((parameters) => new Set(parameters.map(({ name }) => name)).size === parameters.length, 'two parameters have the same name')
  .default([])
  .meta({ description: 'Arguments that the model fills in.' });

/** The parameters as the model is told of them. */
export function jsonSchemaOf(parameters: z.output<typeof parametersSchema>): ModelTool['parameters'] {
  return {
    type: 'object',
    properties: Object.fromEntries(parameters.map(({ name, type, description }) => [name, { type, ...(description === '' ? {} : { description }) }])),
    required: parameters.filter(({ required }) => required).map(({ name }) => name),
    additionalProperties: false,
  };
}
