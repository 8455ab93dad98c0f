import { z } from 'zod';
import { endReasons, type EndReason } from '../runs/lifecycle.js';
import type { Run } from '../store/store.js';
import { objectSchema, timeOrNull, timeSchema } from './schemas.js';

/** States of a run. */
export const runStateSchema = z.enum(['initialized', 'running', 'completed', 'failed']);

/** End reasons, documented. */
export const endReasonSchema = z.enum(Object.keys(endReasons) as [EndReason, ...EndReason[]]);

/** The run's record (contract §2). */
export const runSchema = z
  .object({
    id: z.string(),
    name: z.string(),
    agent_uuid: z.string(),
    agent_version: z.number().int(),
    organization_id: z.string(),
    telephony_config_id: z.string().nullable(),
    call_type: z.literal('inbound'),
    mode: z.string().describe('The telephony provider'),
    state: runStateSchema,
    initial_context: objectSchema,
    gathered_context: objectSchema,
    logs: objectSchema,
    end_reason: endReasonSchema.nullable(),
    close_code: z.number().int().nullable(),
    close_reason: z.string().nullable(),
    created_at: timeSchema,
    answered_at: timeSchema.nullable(),
    ended_at: timeSchema.nullable(),
    duration_ms: z.number().nullable(),
    usage: objectSchema,
    cost: objectSchema,
    latency: objectSchema,
    analysis: objectSchema.nullable().describe('What `qa` nodes found; null where there are none, and until they have'),
    recording_url: z.string().nullable(),
    recording_expires_at: timeSchema.nullable().describe('When the recording is to be deleted'),
    recording_deleted_at: timeSchema.nullable(),
    transcript_url: z.string(),
    events_url: z.string(),
  })
  .meta({ id: 'Run' });

/** The JSON of a run, with absolute links. */
export function runJson(run: Run, publicUrl: string): z.output<typeof runSchema> {
  const self = `${publicUrl}/api/v1/runs/${run.id}`;
  return {
    id: run.id,
    name: run.name,
    agent_uuid: run.agentUuid,
    agent_version: run.agentVersion,
    organization_id: run.organizationId,
    telephony_config_id: run.telephonyConfigId,
    call_type: run.callType,
    mode: run.mode,
    state: run.state,
    initial_context: { ...run.initialContext },
    gathered_context: { ...run.gatheredContext },
    logs: { ...run.logs },
    end_reason: run.endReason,
    close_code: run.closeCode,
    close_reason: run.closeReason,
    created_at: run.createdAt.toISOString(),
    answered_at: timeOrNull(run.answeredAt),
    ended_at: timeOrNull(run.endedAt),
    duration_ms: run.durationMs,
    usage: { ...run.usage },
    cost: { ...run.cost },
    latency: { ...run.latency },
    analysis: run.analysis === null ? null : { ...run.analysis },
    recording_url: run.recordingPath === null || run.recordingDeletedAt !== null ? null : `${self}/recording`,
    recording_expires_at: run.recordingPath === null ? null : timeOrNull(run.recordingExpiresAt),
    recording_deleted_at: run.recordingPath === null ? null : timeOrNull(run.recordingDeletedAt),
    transcript_url: `${self}/transcript`,
    events_url: `${self}/events`,
  };
}
