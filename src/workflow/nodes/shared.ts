import { z } from 'zod';
import { isPrototypeKey } from '../../base/json.js';

/** Most nodes of a document. */
export const MAX_NODES = 2000;
/** Most edges of a document. */
export const MAX_EDGES = 10_000;
/** Longest prompt, characters. */
export const MAX_PROMPT_LENGTH = 32_000;
/** Longest text that is spoken as it stands, characters. */
export const MAX_SPOKEN_LENGTH = 2000;

const MAX_REFERENCES = 100;

/** Identifier of a node, an edge or something stored. */
export const idSchema = z.string().min(1).max(100);

/** A stored credential of a node's request. */
export const credentialUuidSchema = idSchema.optional().meta({ description: 'Credential the request is sent with (POST /api/v1/credentials).' });

/** A node's or edge's short text. */
export const nameSchema = z.string().trim().min(1, 'is required').max(200).meta({ description: 'Shown in the editor and in nodes_visited.' });

/** A prompt; `{{templates}}` are filled in for each call. */
export const promptSchema = z
  .string()
  .max(MAX_PROMPT_LENGTH)
  .refine((value) => value.trim() !== '', 'is required')
  .meta({ description: 'What the model is told here. {{name}} is filled in with a variable of the call.', format: 'template' });

/** Fixed words; `{{templates}}` are filled in for each call. */
export const spokenSchema = z.string().max(MAX_SPOKEN_LENGTH).meta({ format: 'template' });

/** Names that say what a call is, or what became of it: nothing the caller says or presses replaces them. */
export const reservedVariableNames: ReadonlySet<string> = new Set([
  ...['provider', 'direction', 'caller_number', 'called_number', 'agent_uuid', 'call_id', 'session', 'call_sid', 'stream_sid'],
  ...['nodes_visited', 'last_digit', 'initial_context', 'gathered_context'],
]);

/** Where the node stands in the editor. */
const positionSchema = z.strictObject({ x: z.number(), y: z.number() }).default({ x: 0, y: 0 });

/** A variable that the call sets. */
export const variableNameSchema = z
  .string()
  .regex(/^[A-Za-z_]\w{0,63}$/, 'must be letters, digits and underscores')
  .refine((name) => !isPrototypeKey(name) && !reservedVariableNames.has(name), 'is a name that calls use themselves');

const extractionVariableSchema = z.strictObject({
  name: variableNameSchema,
  type: z.enum(['string', 'number', 'boolean']).default('string'),
  prompt: z.string().max(MAX_SPOKEN_LENGTH).default(''),
});

/** Fields of every node whose words come from the model. */
export const promptedFields = {
  name: nameSchema,
  prompt: promptSchema,
  add_global_prompt: z.boolean().default(true).meta({ description: 'Put the global node’s prompt before this one.' }),
  allow_interrupt: z.boolean().default(true).meta({ description: 'The caller’s voice stops the agent here.' }),
  extraction_enabled: z.boolean().default(false).meta({ description: 'Collect variables when the call leaves this node.' }),
  extraction_prompt: z.string().max(MAX_PROMPT_LENGTH).default('').meta({ description: 'What the model is told when it collects them.', format: 'template' }),
  extraction_variables: z
    .array(extractionVariableSchema)
    .max(MAX_REFERENCES)
    .default([])
    .meta({ description: 'Each with name, type (string, number or boolean) and prompt: what to look for.' }),
  tool_uuids: z.array(idSchema).max(MAX_REFERENCES).default([]).meta({ description: 'Tools the model may call here.' }),
  document_uuids: z.array(idSchema).max(MAX_REFERENCES).default([]).meta({ description: 'Documents the model may search here.' }),
  mcp_tool_filters: z
    .record(idSchema, z.array(idSchema).max(MAX_REFERENCES))
    .default({})
    .meta({ description: 'By tool: the functions of an MCP server that the model may call here, as the server names them. Default: all.' }),
};

/** A node of one type: identifier, position and its own fields. Strict. */
export const nodeOf = <Type extends string, Fields extends z.core.$ZodLooseShape>(type: Type, fields: Fields) =>
  z.strictObject({ id: idSchema, type: z.literal(type), position: positionSchema, data: z.strictObject(fields) });
