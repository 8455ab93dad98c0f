import { z } from 'zod';
import { CliError } from './cli-error.js';
import { exitCodes } from './exit-codes.js';

/** What the commands read of an agent in a list. Other fields pass through. */
export const agentShape = z.looseObject({
  uuid: z.string(),
  name: z.string(),
  status: z.enum(['active', 'archived']),
  published_version: z.number().nullable(),
  draft_version: z.number().nullable(),
  requires_stream_token: z.boolean(),
  updated_at: z.string(),
});

/** One agent with its content: the draft, else the published version. */
export const agentDetailShape = agentShape.extend({
  workflow_definition: z.record(z.string(), z.unknown()),
  settings: z.record(z.string(), z.unknown()),
  template_context_variables: z.record(z.string(), z.unknown()),
});

/** What the commands read of a run. */
export const runShape = z.looseObject({
  id: z.string(),
  name: z.string(),
  agent_uuid: z.string(),
  agent_version: z.number(),
  mode: z.string(),
  state: z.enum(['initialized', 'running', 'completed', 'failed']),
  initial_context: z.record(z.string(), z.unknown()),
  gathered_context: z.record(z.string(), z.unknown()),
  end_reason: z.string().nullable(),
  close_code: z.number().nullable(),
  close_reason: z.string().nullable(),
  created_at: z.string(),
  answered_at: z.string().nullable(),
  ended_at: z.string().nullable(),
  duration_ms: z.number().nullable(),
  cost: z
    .looseObject({
      total: z.string().optional(),
      currency: z.string().optional(),
      parts: z.array(z.looseObject({ leg: z.string(), vendor: z.string(), model: z.string(), quantity: z.number(), unit: z.string(), amount: z.string() })).optional(),
      unknown: z.array(z.looseObject({ leg: z.string(), vendor: z.string(), model: z.string(), quantity: z.number(), unit: z.string() })).optional(),
    })
    .optional(),
  latency: z.record(z.string(), z.unknown()).optional(),
  recording_url: z.string().nullish(),
});

/** A run as the API shows it. */
export type RunAnswer = z.output<typeof runShape>;

/** One event of a run, stored or live. */
export const runEventShape = z.looseObject({
  seq: z.number(),
  at_ms: z.number(),
  type: z.string(),
  data: z.record(z.string(), z.unknown()),
});

/** An event as the API shows it. */
export type RunEventAnswer = z.output<typeof runEventShape>;

/** One line of a transcript. */
export const transcriptLineShape = z.looseObject({
  turn_id: z.number(),
  role: z.enum(['caller', 'agent']),
  text: z.string(),
  start_ms: z.number(),
  end_ms: z.number(),
  interrupted: z.boolean().optional(),
});

/** A transcript line as the API shows it. */
export type TranscriptLineAnswer = z.output<typeof transcriptLineShape>;

/** An API key without its secret. */
export const apiKeyShape = z.looseObject({
  id: z.string(),
  name: z.string(),
  prefix: z.string(),
  created_at: z.string(),
  last_used_at: z.string().nullish(),
  expires_at: z.string().nullish(),
});

/** A document that agents answer from. */
export const documentShape = z.looseObject({
  uuid: z.string(),
  name: z.string(),
  mode: z.string(),
  text_length: z.number(),
  chunk_count: z.number(),
  embedding: z.looseObject({ status: z.string(), embedded_chunks: z.number() }).nullable(),
  created_at: z.string(),
});

/** A recording that agents play. */
export const audioClipShape = z.looseObject({
  uuid: z.string(),
  name: z.string(),
  transcript: z.string(),
  duration_ms: z.number(),
  created_at: z.string(),
});

const passageShape = z.looseObject({
  document_name: z.string(),
  heading: z.array(z.string()),
  page: z.number().nullable(),
  score: z.number(),
  text: z.string(),
});

/** What a search of documents found. */
export const documentSearchShape = z.looseObject({
  items: z.array(passageShape),
  failure: z.looseObject({ code: z.string(), message: z.string() }).nullable(),
});

/** A stored telephony configuration; its secrets never leave the server. */
export const telephonyConfigShape = z.looseObject({ id: z.string(), name: z.string(), provider: z.string() });

/** A page of a list. */
export function pageOf<Item>(item: z.ZodType<Item>): z.ZodType<{ items: Item[]; next_cursor?: string | null | undefined }> {
  return z.looseObject({ items: z.array(item), next_cursor: z.string().nullish() });
}

/**
 * Reads an answer of the API.
 * @throws CliError where server and command line do not fit together
 */
export function readAnswer<T>(shape: z.ZodType<T>, answer: unknown, what: string): T {
  const result = shape.safeParse(answer);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.map(String).join('.')}`;
  throw new CliError(exitCodes.failure, `${what}: unexpected answer${where}: ${issue?.message ?? 'does not match'}`, {
    cure: 'Server and command line may be of different versions; compare agent-stream --version.',
    cause: result.error,
  });
}
