import { repeat, type Clock } from '../base/clock.js';
import { toAgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { RunStore } from '../store/store.js';
import { HEARTBEAT_INTERVAL_MS, LEASE_MS } from './leases.js';

/** How often runs with expired leases are looked for. With the lease: a lost run has ended 20 s after its node died. */
export const SWEEP_INTERVAL_MS = 5_000;

/** A beat may take this long to reach the database. */
const BEAT_MARGIN_MS = 2_000;

/**
 * Longest break between two answers of the database over which a lease is still believed. A break that long swallows one beat of a living
 * node at most, and leaves its lease the margin; a longer one may have let every lease run out.
 */
export const MAX_BREAK_MS = LEASE_MS - HEARTBEAT_INTERVAL_MS - BEAT_MARGIN_MS;

/** The search for runs whose node died. */
export interface Sweeper {
  /** Resolves when the sweep of the start is done, successful or not. */
  readonly firstSweep: Promise<void>;
  /** Stops and waits for what is under way. Idempotent. */
  stop(): Promise<void>;
}

/** An unbroken series of answers: the database's own time at the first and the last of them. */
interface Contact {
  readonly sinceMs: number;
  readonly lastMs: number;
}

/**
 * Ends runs whose node died: at once, and every {@link SWEEP_INTERVAL_MS}. Every node sweeps; each run is ended once, and never one that the
 * sweeping node holds. A lease that ran out proves nothing while its node may have been unable to extend it: only after the database has
 * answered without a break for a whole lease, during which every living node had its beats, are leases believed. A database that was away, was
 * frozen, or whose clock jumped costs the dead a little more time and the living nothing.
 */
export function startSweeper(options: {
  store: { readonly runs: Pick<RunStore, 'sweep'> };
  nodeId: string;
  /** Runs whose calls this node holds. */
  heldRunIds: () => readonly string[];
  /** No other node uses the database (the embedded one): live runs of any other id are a former process's, and end at once. */
  isExclusive: boolean;
  clock: Clock;
  log: Log;
}): Sweeper {
  const { store, nodeId, heldRunIds, isExclusive, clock, log } = options;
  let contact: Contact | null = null;
  let current: Promise<void> | null = null;

  async function sweep(): Promise<void> {
    try {
      const leasesBelievedUntil = believedUntil(contact);
      const { endedRunIds, at } = await store.runs.sweep({ nodeId, heldRunIds: heldRunIds(), isExclusive, leasesBelievedUntil });
      contact = continued(contact, at.getTime());
      if (endedRunIds.length > 0) log.warn('Runs of a lost node were ended', { runs: endedRunIds.length });
    } catch (error) {
      contact = null;
      log.warn('The sweep failed; leases are believed again after the database has answered for a while', { code: toAgentStreamError(error).code });
    }
  }

  function start(): Promise<void> {
    current ??= sweep().finally(() => {
      current = null;
    });
    return current;
  }

  const firstSweep = start();
  const timer = repeat(clock, SWEEP_INTERVAL_MS, () => void start());

  return {
    firstSweep,
    async stop() {
      timer.cancel();
      await current;
    },
  };
}

/** The database's time until which expired leases count; null where they do not count yet. */
function believedUntil(contact: Contact | null): Date | null {
  return contact !== null && contact.lastMs - contact.sinceMs >= LEASE_MS ? new Date(contact.lastMs + MAX_BREAK_MS) : null;
}

function continued(contact: Contact | null, atMs: number): Contact {
  const isUnbroken = contact !== null && atMs >= contact.lastMs && atMs - contact.lastMs <= MAX_BREAK_MS;
  return { sinceMs: isUnbroken ? contact.sinceMs : atMs, lastMs: atMs };
}
