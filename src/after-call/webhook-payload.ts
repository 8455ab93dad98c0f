import { z } from 'zod';
import { endReasons, type EndReason } from '../runs/lifecycle.js';
import type { Run, RunEventType } from '../store/store.js';

/** Largest body of a message, bytes (Standard Webhooks, "Payload size"). What is long is linked to. */
export const MAX_PAYLOAD_BYTES = 20_000;

/** What an endpoint can ask for, each with when it is sent. */
export const runEventTypes = {
  'run.started': 'The call was answered: the agent speaks.',
  'run.ended': 'The run ended as `completed`, however the conversation went.',
  'run.failed': 'The run ended as `failed`, also before it was answered or because its server died.',
  'run.transferred': 'The call was handed to another destination; beside `run.ended`.',
  'run.analysed': 'What `qa` nodes found was written to the run, or could not be found out; not sent where no node judged the call.',
} as const satisfies Record<RunEventType, string>;

const timeSchema = z.iso.datetime();
const contextSchema = z.record(z.string(), z.unknown());

/** A run within a message. */
const runFactsSchema = z.strictObject({
  id: z.uuid().meta({ description: 'The run.' }),
  name: z.string().meta({ description: 'For people to read out.' }),
  agent_uuid: z.string().meta({ description: 'The agent that answered.' }),
  agent_version: z.int().meta({ description: 'The version the call was pinned to.' }),
  mode: z.string().meta({ description: 'The telephony provider.' }),
  state: z.enum(['running', 'completed', 'failed']).meta({ description: 'As of the event.' }),
  end_reason: z
    .enum(Object.keys(endReasons) as [EndReason, ...EndReason[]])
    .nullable()
    .meta({ description: 'Who or what ended the run; null in `run.started`.' }),
  close_code: z.int().nullable().meta({ description: 'Of the stream’s socket.' }),
  close_reason: z.string().nullable().meta({ description: 'Of the stream’s socket.' }),
  created_at: timeSchema.meta({ description: 'RFC 3339, UTC.' }),
  answered_at: timeSchema.nullable().meta({ description: 'Null where the call was never answered.' }),
  ended_at: timeSchema.nullable().meta({ description: 'Null in `run.started`.' }),
  duration_ms: z.number().nullable().meta({ description: 'Null in `run.started`.' }),
  initial_context: contextSchema.nullable().meta({ description: 'What was known as the call came in: provider, numbers, call variables. Null where the message would be too large.' }),
  gathered_context: contextSchema.nullable().meta({ description: 'What the call added. Null in `run.started`, and where the message would be too large.' }),
  analysis: contextSchema.nullable().meta({ description: 'What `qa` nodes found (docs/run-record.md), in `run.analysed`; else null, and where the message would be too large.' }),
  run_url: z.url().meta({ description: 'The whole record (needs an API key).' }),
  transcript_url: z.url().meta({ description: 'What was said (needs an API key).' }),
  recording_url: z.url().nullable().meta({ description: 'The recording (needs an API key); null where there is none.' }),
});

/** The body of every message to an endpoint (docs/webhooks.md). */
export const webhookPayloadSchema = z.strictObject({
  type: z.enum([...(Object.keys(runEventTypes) as [RunEventType, ...RunEventType[]]), 'endpoint.test']).meta({ description: 'The event.' }),
  timestamp: timeSchema.meta({ description: 'When it happened, the same in every attempt.' }),
  data: z.strictObject({ run: runFactsSchema.nullable().meta({ description: 'Null in `endpoint.test`.' }) }),
});

/** A message to an endpoint. */
export type WebhookPayload = z.infer<typeof webhookPayloadSchema>;

type RunFacts = NonNullable<WebhookPayload['data']['run']>;

/** What of the run is told, whatever became of it since the call was answered. */
function startedFacts(run: Run, publicUrl: string): RunFacts {
  const runUrl = `${publicUrl}/api/v1/runs/${run.id}`;
  return {
    id: run.id,
    name: run.name,
    agent_uuid: run.agentUuid,
    agent_version: run.agentVersion,
    mode: run.mode,
    state: 'running',
    end_reason: null,
    close_code: null,
    close_reason: null,
    created_at: run.createdAt.toISOString(),
    answered_at: run.answeredAt?.toISOString() ?? null,
    ended_at: null,
    duration_ms: null,
    initial_context: { ...run.initialContext },
    gathered_context: null,
    analysis: null,
    run_url: runUrl,
    transcript_url: `${runUrl}/transcript`,
    recording_url: null,
  };
}

function endedFacts(run: Run, publicUrl: string): RunFacts {
  const started = startedFacts(run, publicUrl);
  return {
    ...started,
    state: run.state === 'completed' ? 'completed' : 'failed',
    end_reason: run.endReason,
    close_code: run.closeCode,
    close_reason: run.closeReason,
    ended_at: run.endedAt?.toISOString() ?? null,
    duration_ms: run.durationMs,
    gathered_context: { ...run.gatheredContext },
    recording_url: run.recordingPath === null || run.recordingDeletedAt !== null ? null : `${started.run_url}/recording`,
  };
}

/** The message of an event of `run`; of a test where it is null. */
export function webhookPayload(type: WebhookPayload['type'], run: Run | null, at: { publicUrl: string; occurredAt: Date }): WebhookPayload {
  if (run === null) return { type, timestamp: at.occurredAt.toISOString(), data: { run: null } };
  const isStart = type === 'run.started';
  const found = type === 'run.analysed' && run.analysis !== null ? { analysis: { ...run.analysis } } : {};
  const occurredAt = (isStart ? run.answeredAt : type === 'run.analysed' ? null : run.endedAt) ?? at.occurredAt;
  return { type, timestamp: occurredAt.toISOString(), data: { run: isStart ? startedFacts(run, at.publicUrl) : { ...endedFacts(run, at.publicUrl), ...found } } };
}

/** The body: JSON of at most {@link MAX_PAYLOAD_BYTES}. What a call gathered is left out first, then what it brought along; both are in the run. */
export function encodePayload(payload: WebhookPayload): string {
  const { run } = payload.data;
  const lighter = run === null ? [] : [{ ...run, gathered_context: null }, { ...run, gathered_context: null, initial_context: null }, { ...run, gathered_context: null, initial_context: null, analysis: null }];
  const bodies = [run, ...lighter].map((facts) => JSON.stringify({ ...payload, data: { run: facts } }));
  return bodies.find((body) => Buffer.byteLength(body) <= MAX_PAYLOAD_BYTES) ?? bodies.at(-1) ?? '';
}
