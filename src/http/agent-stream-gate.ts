import { repeat, type Clock } from '../base/clock.js';

/** Sockets that have not been answered yet: of one address, of one agent, and all. A carrier's burst of calls comes from one address. */
const MAX_PENDING_PER_ADDRESS = 200;
const MAX_PENDING_PER_AGENT = 100;
const MAX_PENDING = 1000;

/**
 * Of an agent's places, those that one address may hold: whoever got to know the agent's UUID must not keep a carrier's calls out. Most of
 * them, since a carrier's bursts too come from one address, or few.
 */
const MAX_PENDING_PER_ADDRESS_AND_AGENT = 0.75 * MAX_PENDING_PER_AGENT;

/** Upgrades with an unknown UUID that one address may try per window before they are answered 429. */
const MAX_MISSES_PER_ADDRESS = 20;

/** Sockets of one address to one agent that may end per window without having been answered: each of them cost a run. */
const MAX_FAILURES_PER_ADDRESS = 50;

/** How long misses and failures count. */
const WINDOW_MS = 10_000;

/** Addresses, or pairs of address and agent, remembered per window; beyond it, new ones are refused at once. */
const MAX_COUNTED = 10_000;

/** A socket's place among those that have not been answered. */
export interface PendingPlace {
  /** The call is answered: its session was validated, so it is no stranger's. */
  answered(): void;
  /** The socket is gone. Unanswered, it counts against its address. */
  gone(): void;
}

/** Decides on an upgrade before the WebSocket exists, without a query: floods must cost nothing. */
export interface StreamGate {
  /** Null: refuse with 429. `agentUuid` is null where no agent is known by what the URL names. */
  enter(address: string, agentUuid: string | null): PendingPlace | null;
  close(): void;
}

/** Counts by key. */
function createCounts() {
  const counts = new Map<string, number>();
  return {
    of: (key: string) => counts.get(key) ?? 0,
    /** False, counting nothing, for one key too many. */
    add(key: string): boolean {
      if (!counts.has(key) && counts.size >= MAX_COUNTED) return false;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      return true;
    },
    remove(key: string): void {
      const left = (counts.get(key) ?? 1) - 1;
      if (left === 0) counts.delete(key);
      else counts.set(key, left);
    },
    clear: () => counts.clear(),
  };
}

/** Creates the gate of this process. */
export function createStreamGate(clock: Clock): StreamGate {
  const pendingOfAddress = createCounts();
  const pendingOfAgent = createCounts();
  const pendingOfPair = createCounts();
  const misses = createCounts();
  const failures = createCounts();
  let pendingTotal = 0;
  const forgetting = repeat(clock, WINDOW_MS, () => {
    misses.clear();
    failures.clear();
  });

  /** Known agents pass: a guessing address must not shut out a carrier's real calls behind the same one. */
  const isGuessing = (address: string): boolean => misses.of(address) >= MAX_MISSES_PER_ADDRESS || !misses.add(address);

  const isFull = (address: string, agent: string, pair: string): boolean =>
    pendingTotal >= MAX_PENDING ||
    pendingOfAddress.of(address) >= MAX_PENDING_PER_ADDRESS ||
    pendingOfAgent.of(agent) >= MAX_PENDING_PER_AGENT ||
    pendingOfPair.of(pair) >= MAX_PENDING_PER_ADDRESS_AND_AGENT;

  return {
    enter(address, agentUuid) {
      if (agentUuid === null && isGuessing(address)) return null;
      const agent = agentUuid ?? 'unknown';
      const pair = `${address} ${agent}`;
      if (isFull(address, agent, pair) || failures.of(pair) >= MAX_FAILURES_PER_ADDRESS) return null;
      pendingTotal += 1;
      pendingOfAddress.add(address);
      pendingOfAgent.add(agent);
      pendingOfPair.add(pair);
      let hasLeft = false;
      const leave = (): boolean => {
        if (hasLeft) return false;
        hasLeft = true;
        pendingTotal -= 1;
        pendingOfAddress.remove(address);
        pendingOfAgent.remove(agent);
        pendingOfPair.remove(pair);
        return true;
      };
      return {
        answered: () => void leave(),
        gone: () => void (leave() && failures.add(pair)),
      };
    },
    close: () => forgetting.cancel(),
  };
}
