import type { RunEvent } from '../../runs/events.js';
import type { EndReason, RunEnding, RunState } from '../../runs/lifecycle.js';
import type { Agent } from './agents.js';
import type { Page, PageRequest } from './paging.js';

/** One conversation (WorkflowRun). */
export interface Run {
  readonly id: string;
  readonly name: string;
  readonly organizationId: string;
  readonly ownerUserId: string;
  readonly agentUuid: string;
  readonly agentVersion: number;
  readonly telephonyConfigId: string | null;
  readonly callType: 'inbound';
  readonly mode: string;
  readonly state: RunState;
  readonly initialContext: Readonly<Record<string, unknown>>;
  readonly gatheredContext: Readonly<Record<string, unknown>>;
  readonly logs: Readonly<Record<string, unknown>>;
  /** The provider's session id, indexed: provider callbacks and one-socket-per-session are matched by it. */
  readonly sessionId: string | null;
  readonly endReason: EndReason | null;
  readonly closeCode: number | null;
  readonly closeReason: string | null;
  readonly createdAt: Date;
  readonly answeredAt: Date | null;
  readonly endedAt: Date | null;
  readonly durationMs: number | null;
  readonly usage: Readonly<Record<string, unknown>>;
  readonly cost: Readonly<Record<string, unknown>>;
  readonly latency: Readonly<Record<string, unknown>>;
  /** What `qa` nodes found once the call had ended (after-call/analyse-run.ts); null where there are none, and until then. */
  readonly analysis: Readonly<Record<string, unknown>> | null;
  /** Path below the data directory, null where nothing was recorded. */
  readonly recordingPath: string | null;
  /** When the recording is to be deleted, null where it is kept or the run is live. */
  readonly recordingExpiresAt: Date | null;
  /** When it was deleted. */
  readonly recordingDeletedAt: Date | null;
  /** Node that holds the call while it is live. */
  readonly nodeId: string;
}

/** Refusals of `mint`, in the order they are checked. */
export type MintResult =
  | { readonly ok: true; readonly run: Run; readonly remainingMs: number | null }
  | { readonly ok: false; readonly code: 'quota-exceeded' | 'concurrency-limit' };

/** Conditions of a list of runs; all must hold. */
export interface RunFilter {
  readonly agentUuid?: string | undefined;
  readonly state?: RunState | undefined;
  readonly endReason?: string | undefined;
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
  /** Matches name, id, caller or called number, session or call id. */
  readonly q?: string | undefined;
}

/** Everything the finaliser writes, in one statement, only if the run is still live. */
export interface RunFinalisation extends RunEnding {
  readonly durationMs: number;
  readonly gatheredContext: Readonly<Record<string, unknown>>;
  readonly usage: Readonly<Record<string, unknown>>;
  readonly cost: Readonly<Record<string, unknown>>;
  readonly latency: Readonly<Record<string, unknown>>;
  readonly recordingPath: string | null;
}

/** How long the recording of a call is to be kept, and where it lies. */
export interface RecordingRetention {
  /** Id of the data directory (UUID). */
  readonly storeId: string;
  /** 24 h each, from the end of the run. */
  readonly days: number;
}

/** A recording whose time is over. Its place follows from the run's id and creation. */
export interface ExpiredRecording {
  readonly id: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** Whose runs a sweep may end: never one that the sweeping node holds. */
export interface SweepRequest {
  readonly nodeId: string;
  /** Runs whose calls the node holds. */
  readonly heldRunIds: readonly string[];
  /** No other node uses the database: every live run of another id is lost, whatever its lease. */
  readonly isExclusive: boolean;
  /** Until then, by the database's clock, a lease that ran out counts. Null: none does. */
  readonly leasesBelievedUntil: Date | null;
}

/** What a sweep did, and the database's time after it. */
export interface SweepResult {
  readonly endedRunIds: readonly string[];
  readonly at: Date;
}

/**
 * Runs. A live run (`initialized` or `running` with an unexpired lease) *is* the concurrency slot: there is no second ledger that
 * could leak. All of a node's leases are extended by one statement (`heartbeat`).
 */
export interface RunStore {
  /**
   * One transaction under the organization's row lock: quota of the owner, live runs of organization and agent, insert.
   * `remainingMs`: what the owner's minutes leave for this call, null if unlimited.
   */
  mint(input: {
    agent: Agent;
    version: number;
    mode: string;
    agentConcurrentCalls: number | null;
    initialContext: Readonly<Record<string, unknown>>;
    gatheredContext: Readonly<Record<string, unknown>>;
    nodeId: string;
    leaseMs: number;
  }): Promise<MintResult>;
  /**
   * Binds the run to its provider session and telephony configuration.
   * `duplicate` where another live run holds the session (unique index over live runs).
   */
  bindSession(
    id: string,
    input: {
      sessionId: string;
      telephonyConfigId: string;
      initialContext: Readonly<Record<string, unknown>>;
      gatheredContext: Readonly<Record<string, unknown>>;
      logs: Readonly<Record<string, unknown>>;
      /** Null or absent: a recording is kept until somebody deletes it. */
      recordingRetention?: RecordingRetention | null;
    },
  ): Promise<'bound' | 'duplicate' | 'ended'>;
  /** Lays variables over a run's initial context: what was fetched for it. */
  addInitialContext(id: string, variables: Readonly<Record<string, unknown>>): Promise<void>;
  /** `initialized` → `running`; stamps `answered_at`. False if the run has ended meanwhile. */
  markRunning(id: string): Promise<boolean>;
  /** Compare-and-set to the terminal state that follows from the reason, and the owner's usage with it. False if already ended. */
  finalise(id: string, finalisation: RunFinalisation): Promise<boolean>;
  /** Extends the leases of those of `runIds` that are the node's and live, and returns them; the others have ended. Answers or fails within seconds. */
  heartbeat(nodeId: string, runIds: readonly string[], leaseMs: number): Promise<readonly string[]>;
  /**
   * Ends lost runs as `node_lost`, and releases what they held; duration up to the last event. Lost are runs whose lease ran out, as far
   * as leases are believed, and all of other nodes where the database is exclusive. Answers or fails within seconds.
   */
  sweep(request: SweepRequest): Promise<SweepResult>;
  /** Recordings of a data directory whose time is over, oldest first, those behind `after` only. Answers or fails within seconds. */
  listExpiredRecordings(request: { storeId: string; after: ExpiredRecording | null; limit: number }): Promise<readonly ExpiredRecording[]>;
  /** Their files are gone. */
  markRecordingsDeleted(runIds: readonly string[]): Promise<void>;
  get(organizationId: string, id: string): Promise<Run | null>;
  list(organizationId: string, filter: RunFilter & PageRequest): Promise<Page<Run>>;
  /** The newest run bound to the provider session within the organization. */
  findBySession(organizationId: string, sessionId: string): Promise<Run | null>;
  /** Merges into `logs`, for provider callbacks that arrive after the call. */
  mergeLogs(id: string, logs: Readonly<Record<string, unknown>>): Promise<void>;
  appendEvents(id: string, events: readonly RunEvent[]): Promise<void>;
  /** Events of many runs in one statement. Those already stored (same run and `seq`) and those of unknown runs are skipped, so that a retry is safe. */
  appendEventBatches(batches: readonly { readonly runId: string; readonly events: readonly RunEvent[] }[]): Promise<void>;
  listEvents(organizationId: string, id: string, afterSeq: number, limit: number): Promise<readonly RunEvent[] | null>;
}
