import type pg from 'pg';
import { AgentStreamError } from '../base/errors.js';
import { isUuid, runName, uuidv7 } from '../base/ids.js';
import { terminalStateOf } from '../runs/lifecycle.js';
import { CALLER_TIMEOUT_MS, queryRows, sqlStateOf, type Database } from './database.js';
import { encodeJson, storableText } from './encode-json.js';
import { decodeIdCursor, pageLimit, toPage } from './page.js';
import { createRecordingStore } from './recordings.js';
import { createRunEventStore } from './run-events.js';
import * as statements from './run-sql.js';
import type { MintResult, Run, RunFilter, RunFinalisation, RunStore } from './store.js';

/** Runs ended by one statement of a sweep. */
const SWEEP_BATCH = 500;
const UNIQUE_VIOLATION = '23505';

/** Heartbeats and sweeps come every few seconds: one that hangs on a connection that a network forgot must not stand in for the next. */
const BEAT_TIMEOUT_MS = 4_000;

type MintRow = Run & { refusal: 'quota-exceeded' | 'concurrency-limit' | null; remainingMs: number | null };

/** Runs and their events in PostgreSQL. */
export function createRunStore(database: Database): RunStore {
  const { pool } = database;

  const updated = async (text: string, values: readonly unknown[]): Promise<boolean> => ((await pool.query(text, [...values])).rowCount ?? 0) > 0;

  /** True where rows came back of a change that a caller waits for. */
  const changed = async (text: string, values: readonly unknown[]): Promise<boolean> => (await queryRows(pool, text, values, CALLER_TIMEOUT_MS)).length > 0;

  const firstRun = async (condition: string, values: readonly unknown[]): Promise<Run | null> =>
    (await queryRows<Run>(pool, `SELECT ${statements.runColumnsSql} FROM runs WHERE ${condition}`, values))[0] ?? null;

  return {
    ...createRunEventStore(database),
    ...createRecordingStore(database),

    mint: (input) => mint(database, input),

    async bindSession(id, input) {
      const { sessionId, telephonyConfigId, initialContext, gatheredContext, logs, recordingRetention } = input;
      const session = storableText(sessionId);
      const contexts = [initialContext, gatheredContext, logs].map(encodeJson);
      const values = [id, session, telephonyConfigId, ...contexts, recordingRetention?.storeId ?? null, recordingRetention?.days ?? null];
      const bind = async () => {
        try {
          return (await changed(statements.bindSessionSql, values)) ? 'bound' : 'ended';
        } catch (error) {
          if (sqlStateOf(error) === UNIQUE_VIOLATION) return 'duplicate';
          throw error;
        }
      };
      const outcome = await bind();
      if (outcome !== 'duplicate') return outcome;
      const freed = await changed(statements.endLostRunsSql(statements.isStaleHolderSql, 1), [session, id]);
      return freed ? bind() : 'duplicate';
    },

    async addInitialContext(id, variables) {
      await pool.query('UPDATE runs SET initial_context = initial_context || $2::jsonb WHERE id = $1', [id, encodeJson(variables)]);
    },

    markRunning: (id) => updated(statements.markRunningSql, [id]),

    finalise: (id, finalisation) => updated(statements.finaliseSql, [id, ...finalisationValues(finalisation)]),

    async heartbeat(nodeId, runIds, leaseMs) {
      const rows = await queryRows<{ id: string }>(pool, statements.heartbeatSql, [nodeId, runIds, leaseMs], BEAT_TIMEOUT_MS);
      return rows.map((row) => row.id);
    },

    async sweep({ nodeId, heldRunIds, isExclusive, leasesBelievedUntil }) {
      const values = [nodeId, heldRunIds, isExclusive, leasesBelievedUntil];
      const endedRunIds: string[] = [];
      for (;;) {
        const rows = await queryRows<{ id: string }>(pool, statements.endLostRunsSql(statements.isLostSql, SWEEP_BATCH), values, BEAT_TIMEOUT_MS);
        endedRunIds.push(...rows.map((row) => row.id));
        if (rows.length < SWEEP_BATCH) break;
      }
      const [now] = await queryRows<{ at: Date }>(pool, 'SELECT clock_timestamp() AS at', [], BEAT_TIMEOUT_MS);
      if (now === undefined) throw new Error('A SELECT without FROM returned no row');
      return { endedRunIds, at: now.at };
    },

    async get(organizationId, id) {
      if (!isUuid(organizationId) || !isUuid(id)) return null;
      return firstRun('organization_id = $1 AND id = $2', [organizationId, id]);
    },

    async list(organizationId, filter) {
      const agentUuid = filter.agentUuid ?? null;
      if (!isUuid(organizationId) || (agentUuid !== null && !isUuid(agentUuid))) return { items: [], nextCursor: null };
      const limit = pageLimit(filter);
      const values = [organizationId, agentUuid, ...filterValues(filter), decodeIdCursor(filter), limit + 1];
      const rows = await queryRows<Run>(pool, statements.listRunsSql, values);
      return toPage(rows, limit, (run) => [run.id]);
    },

    async findBySession(organizationId, sessionId) {
      if (!isUuid(organizationId)) return null;
      return firstRun('organization_id = $1 AND session_id = $2 ORDER BY id DESC LIMIT 1', [organizationId, storableText(sessionId)]);
    },

    async mergeLogs(id, logs) {
      await pool.query('UPDATE runs SET logs = logs || $2::jsonb WHERE id = $1', [id, encodeJson(logs)]);
    },
  };
}

/** Four round trips, the organization locked during the last two. */
async function mint({ pool, clock }: Database, input: Parameters<RunStore['mint']>[0]): Promise<MintResult> {
  const { agent, version, mode, agentConcurrentCalls, initialContext, gatheredContext, nodeId, leaseMs } = input;
  const client = await pool.connect();
  let failure: Error | undefined;
  try {
    const step = <Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) => queryRows<Row>(client, text, values, CALLER_TIMEOUT_MS);
    await step('BEGIN');
    const [organization] = await step<{ concurrentCalls: number }>(statements.lockOrganizationSql, [agent.organizationId]);
    if (organization === undefined) throw new AgentStreamError('not-found', { message: 'The agent’s organization does not exist.' });
    const [row] = await step<MintRow>(statements.mintSql, [
      ...[agent.organizationId, agent.ownerUserId, agent.uuid, organization.concurrentCalls, agentConcurrentCalls],
      ...[uuidv7(clock.wallMs()), runName(), version, mode, encodeJson(initialContext), encodeJson(gatheredContext), nodeId, leaseMs],
    ]);
    await step('COMMIT');
    if (row === undefined) throw new Error('The mint decided nothing');
    const { refusal, remainingMs, ...run } = row;
    return refusal === null ? { ok: true, run, remainingMs } : { ok: false, code: refusal };
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
    throw error;
  } finally {
    // Closing the connection of a failed transaction rolls it back, whatever state it is in.
    client.release(failure);
  }
}

function finalisationValues(end: RunFinalisation): unknown[] {
  return [
    ...[terminalStateOf(end.endReason), end.endReason, end.closeCode, end.closeReason === null ? null : storableText(end.closeReason)],
    ...[Math.max(0, Math.round(end.durationMs)), encodeJson(end.gatheredContext), encodeJson(end.usage), encodeJson(end.cost)],
    ...[encodeJson(end.latency), end.recordingPath],
  ];
}

function filterValues(filter: RunFilter): unknown[] {
  const q = storableText(filter.q ?? '').trim();
  const pattern = q === '' ? null : `%${q.replace(/[\\%_]/g, '\\$&')}%`;
  return [filter.state ?? null, filter.endReason ?? null, filter.from ?? null, filter.to ?? null, pattern];
}
