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
  /** Path below the data directory, null where nothing was recorded. */
  readonly recordingPath: string | null;
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
    },
  ): Promise<'bound' | 'duplicate' | 'ended'>;
  /** `initialized` → `running`; stamps `answered_at`. False if the run has ended meanwhile. */
  markRunning(id: string): Promise<boolean>;
  /** Compare-and-set to the terminal state that follows from the reason, and the owner's usage with it. False if already ended. */
  finalise(id: string, finalisation: RunFinalisation): Promise<boolean>;
  /** Extends the leases of the node's live runs. */
  heartbeat(nodeId: string, leaseMs: number): Promise<void>;
  /**
   * Ends runs whose lease has expired as `node_lost`, and releases what they held; duration up to the last event.
   * `exclusiveNodeId` set (embedded database, one node): every live run of another node is lost at once.
   */
  sweep(exclusiveNodeId?: string): Promise<readonly string[]>;
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
