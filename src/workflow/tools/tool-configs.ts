import { z } from 'zod';
import type { ModelTool } from '../../speech/language-model.js';
import { MAX_SPOKEN_LENGTH } from '../nodes/shared.js';
import { headersSchema, presetParametersSchema, requestUrlSchema, templateSchema } from './request-fields.js';
import { jsonSchemaOf, parametersSchema } from './tool-parameters.js';

/** Most routes of a mapping, in all. */
const MAX_ROUTES = 200;

const spoken = templateSchema.max(MAX_SPOKEN_LENGTH).default('');
const destination = templateSchema.max(300);

/** `http_api`: a request to an HTTP server. */
export const httpApiConfig = z
  .strictObject({
    method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).default('GET'),
    url: requestUrlSchema,
    headers: headersSchema,
    parameters: parametersSchema,
    preset_parameters: presetParametersSchema,
    body_template: z
      .record(z.string(), z.unknown())
      .optional()
      .meta({ description: 'JSON body whose texts are templates over arguments and variables; default: the arguments as they are.' }),
    timeout_ms: z.int().min(100).max(30_000).default(5000),
  })
  .refine(({ parameters, preset_parameters: presets }) => !presets.some(({ name }) => parameters.some((parameter) => parameter.name === name)), {
    path: ['preset_parameters'],
    error: 'holds a name that is a parameter of the model too',
  });

/** `end_call`: the model ends the call. */
export const endCallConfig = z.strictObject({
  message: spoken.meta({ description: 'Last words; empty: the model’s own, else texts.goodbye.' }),
  reason: z.boolean().default(false).meta({ description: 'The model must give a reason; it becomes the variable call_disposition.' }),
  reason_description: z.string().max(500).default('Why the call ends, in a few words.'),
});

const transferFields = {
  message: spoken.meta({ description: 'Said before; empty: the model’s own words, else texts.transfer.' }),
  mode: z.enum(['cold', 'warm']).default('cold'),
  timeout_seconds: z.int().min(5).max(120).default(30),
};

/** `transfer_call`: the model hands the call over, to where the configuration says. */
export const transferCallConfig = z.discriminatedUnion('source', [
  z.strictObject({ source: z.literal('static'), destination, ...transferFields }),
  z.strictObject({
    source: z.literal('dynamic'),
    resolver: z.strictObject({
      url: requestUrlSchema,
      headers: headersSchema,
      parameters: parametersSchema,
      preset_parameters: presetParametersSchema,
      timeout_ms: z.int().min(500).max(5000).default(3000),
    }),
    ...transferFields,
  }),
  z.strictObject({
    source: z.literal('mapping'),
    rules: z
      .array(
        z.strictObject({
          context_path: z.string().min(1).max(200),
          routes: z.array(z.strictObject({ context_value: z.string().max(200), destination })).min(1).max(MAX_ROUTES),
        }),
      )
      .max(20)
      .default([])
      .meta({ description: 'Tried in order: the first route whose value the variable has.' }),
    choices: z
      .array(z.strictObject({ name: z.string().trim().min(1).max(100), description: z.string().max(300).default(''), destination }))
      .max(MAX_ROUTES)
      .default([])
      .meta({ description: 'Names the model may choose from; it never gives a number itself.' }),
    fallback_destination: destination.optional(),
    ...transferFields,
  }),
]);

/** `calculator`: arithmetic. */
export const calculatorConfig = z.strictObject({});

/** `send_digits`: keys of a phone as tones. */
export const sendDigitsConfig = z.strictObject({
  digits: templateSchema.max(300).optional().meta({ description: 'The keys; unset: the model gives them.' }),
});

const noArguments: ModelTool['parameters'] = { type: 'object', properties: {}, additionalProperties: false };

const textArgument = (name: string, description: string): ModelTool['parameters'] => ({
  type: 'object',
  properties: { [name]: { type: 'string', description } },
  required: [name],
  additionalProperties: false,
});

function transferArguments(config: z.output<typeof transferCallConfig>): ModelTool['parameters'] {
  if (config.source === 'dynamic') return jsonSchemaOf(config.resolver.parameters);
  if (config.source === 'static' || config.choices.length === 0) return noArguments;
  const names = config.choices.map(({ name, description }) => (description === '' ? name : `${name} (${description})`));
  const schema = { type: 'string', enum: config.choices.map(({ name }) => name), description: `Where to: ${names.join(', ')}.` };
  return { type: 'object', properties: { destination: schema }, required: ['destination'], additionalProperties: false };
}

/** `mcp`: a server whose functions a call lists when it begins (Model Context Protocol, Streamable HTTP). */
export const mcpConfig = z.strictObject({
  url: requestUrlSchema.refine((url) => !/[{}]/.test(url), 'must hold no {placeholders}').meta({ description: 'The MCP endpoint, Streamable HTTP.' }),
  headers: headersSchema,
  timeout_ms: z.int().min(500).max(60_000).default(10_000).meta({ description: 'How long one call of a function may take.' }),
  connect_timeout_ms: z.int().min(500).max(30_000).default(10_000).meta({ description: 'How long opening the session and listing the functions may take in all; nobody waits for it.' }),
});

/** What a function of an MCP server is called with. */
export const mcpFunctionConfig = mcpConfig.extend({
  /** As the server names it. */
  function: z.string(),
});

/** A kind of tool: its configuration, and what of it the model is told. */
interface ToolConfigKind<Schema extends z.ZodType> {
  readonly schema: Schema;
  /** What it takes of the model. */
  readonly argumentsOf: (config: z.output<Schema>) => ModelTool['parameters'];
}

const kind = <Schema extends z.ZodType>(schema: Schema, argumentsOf: (config: z.output<Schema>) => ModelTool['parameters']): ToolConfigKind<Schema> => ({
  schema,
  argumentsOf,
});

/** Every kind that can be stored. */
export const toolConfigs = {
  http_api: kind(httpApiConfig, ({ parameters }) => jsonSchemaOf(parameters)),
  end_call: kind(endCallConfig, (config) => (config.reason ? textArgument('reason', config.reason_description) : noArguments)),
  transfer_call: kind(transferCallConfig, transferArguments),
  calculator: kind(calculatorConfig, () => textArgument('expression', 'The calculation, such as (12.5 + 3) * 4. Operators: + - * / % ^ and parentheses.')),
  send_digits: kind(sendDigitsConfig, (config) =>
    config.digits === undefined ? textArgument('digits', 'The keys to press: 0-9, * and #; a comma is a pause of half a second.') : noArguments,
  ),
  mcp: kind(mcpConfig, () => noArguments),
} as const;

/** A kind that can be stored. */
export type StoredToolKind = keyof typeof toolConfigs;

/** All of them. */
export const storedToolKinds = Object.keys(toolConfigs) as [StoredToolKind, ...StoredToolKind[]];
