import { z } from 'zod';
import { parseExpression } from './expression-parser.js';
import { qaSchema, webhookSchema } from './nodes/after-call-nodes.js';
import { agentNodeSchema, endCallSchema, globalNodeSchema, sayNodeSchema, startCallSchema } from './nodes/conversation-nodes.js';
import { idSchema, MAX_EDGES, MAX_NODES, MAX_SPOKEN_LENGTH, nameSchema, spokenSchema } from './nodes/shared.js';
import { collectDigitsSchema, transferCallSchema, triggerSchema } from './nodes/telephony-nodes.js';

/** The schema of every node type, by name. */
export const nodeSchemas = {
  startCall: startCallSchema,
  agentNode: agentNodeSchema,
  endCall: endCallSchema,
  globalNode: globalNodeSchema,
  say: sayNodeSchema,
  transferCall: transferCallSchema,
  collectDigits: collectDigitsSchema,
  webhook: webhookSchema,
  qa: qaSchema,
  trigger: triggerSchema,
} as const;

/** Name of a node type. */
export type NodeType = keyof typeof nodeSchemas;

/** True for a node type of this schema. */
export const isNodeType = (value: unknown): value is NodeType => typeof value === 'string' && Object.hasOwn(nodeSchemas, value);

/** Any node. */
export const nodeSchema = z.discriminatedUnion('type', [
  startCallSchema,
  agentNodeSchema,
  endCallSchema,
  globalNodeSchema,
  sayNodeSchema,
  transferCallSchema,
  collectDigitsSchema,
  webhookSchema,
  qaSchema,
  triggerSchema,
]);

const expressionSchema = z
  .string()
  .min(1)
  .max(1000)
  .superRefine((source, context) => {
    const result = parseExpression(source);
    if (!result.ok) context.addIssue({ code: 'custom', message: `is no condition, at character ${result.position}: ${result.message}` });
  });

/** What takes an edge without asking the model: exactly one of the fields. Tried before the model's edges. */
const edgeWhenSchema = z
  .strictObject({
    digits: z
      .string()
      .regex(/^[0-9*#]{1,20}$/, 'must be keys of a phone: 0-9, * and #')
      .optional()
      .meta({ description: 'Keys the caller presses.' }),
    expression: expressionSchema.optional().meta({ description: 'A condition over the call’s variables.' }),
    timeout_seconds: z.number().min(1).max(300).optional().meta({ description: 'Silence of this length.' }),
    failure: z.literal(true).optional().meta({ description: 'The node could not do its work: a transfer failed, or no valid keys came.' }),
  })
  .refine((value) => Object.values(value).filter((field) => field !== undefined).length === 1, 'must hold exactly one of digits, expression, timeout_seconds, failure');

/** A way from one node to another. */
export const edgeSchema = z.strictObject({
  id: idSchema,
  source: idSchema,
  target: idSchema,
  data: z.strictObject({
    label: nameSchema.meta({ description: 'Becomes the name of the function the model calls.' }),
    condition: z.string().max(MAX_SPOKEN_LENGTH).optional().meta({ description: 'When the model should take this edge, in plain words.' }),
    when: edgeWhenSchema.optional(),
    transition_speech: spokenSchema.optional().meta({ description: 'Said on the way, where the model said nothing itself.' }),
    transition_speech_type: z.enum(['text', 'audio']).optional().meta({ description: 'audio: a recording is played on the way.' }),
    transition_speech_recording_id: idSchema.optional().meta({ description: 'The audio clip; transition_speech is said where it is missing.' }),
  }),
});

/** The whole document (`workflow_definition`). */
export const workflowDocumentSchema = z
  .strictObject({
    nodes: z.array(nodeSchema).max(MAX_NODES),
    edges: z.array(edgeSchema).max(MAX_EDGES),
    viewport: z.strictObject({ x: z.number(), y: z.number(), zoom: z.number() }).optional(),
  })
  .meta({ description: 'An agent’s workflow: nodes, and edges between them.' });

/** A node as the compiler sees it: validated, every default filled in. */
export type WorkflowNode = z.infer<typeof nodeSchema>;

/** The node of one type. */
export type NodeOfType<Type extends NodeType> = Extract<WorkflowNode, { type: Type }>;

/** An edge, validated. */
export type WorkflowEdge = z.infer<typeof edgeSchema>;

/** A document as people write it: fields with defaults may be left out. */
export type WorkflowDocumentInput = z.input<typeof workflowDocumentSchema>;
