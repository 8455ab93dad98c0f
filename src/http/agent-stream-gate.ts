import { repeat, type Clock } from '../base/clock.js';

/** Sockets of one address that have not been answered yet. A carrier's burst of calls comes from one address. */
const MAX_PENDING_PER_ADDRESS = 200;

/** All sockets that have not been answered yet. */
const MAX_PENDING = 1000;

/** Upgrades with an unknown UUID that one address may try per window before they are answered 429. */
const MAX_MISSES_PER_ADDRESS = 20;
const MISS_WINDOW_MS = 10_000;

/** Addresses remembered per window; beyond it, misses of new addresses are refused at once. */
const MAX_ADDRESSES = 10_000;

/** Decides on an upgrade before the WebSocket exists, without a query: floods must cost nothing. */
export interface StreamGate {
  /** Null: refuse with 429. Else the place among the unanswered, to be given back once the call is answered or gone. */
  enter(address: string, isKnownAgent: boolean): { leave(): void } | null;
  close(): void;
}

/** Creates the gate of this process. */
export function createStreamGate(clock: Clock): StreamGate {
  const pending = new Map<string, number>();
  const misses = new Map<string, number>();
  let pendingTotal = 0;
  const forgetting = repeat(clock, MISS_WINDOW_MS, () => misses.clear());

  /** Known agents pass: a guessing address must not shut out a carrier's real calls behind the same one. */
  const isGuessing = (address: string): boolean => {
    const count = (misses.get(address) ?? 0) + 1;
    if (count > MAX_MISSES_PER_ADDRESS || (count === 1 && misses.size >= MAX_ADDRESSES)) return true;
    misses.set(address, count);
    return false;
  };

  return {
    enter(address, isKnownAgent) {
      if (!isKnownAgent && isGuessing(address)) return null;
      const count = pending.get(address) ?? 0;
      if (count >= MAX_PENDING_PER_ADDRESS || pendingTotal >= MAX_PENDING) return null;
      pending.set(address, count + 1);
      pendingTotal += 1;
      let hasLeft = false;
      return {
        leave() {
          if (hasLeft) return;
          hasLeft = true;
          pendingTotal -= 1;
          const left = (pending.get(address) ?? 1) - 1;
          if (left === 0) pending.delete(address);
          else pending.set(address, left);
        },
      };
    },
    close: () => forgetting.cancel(),
  };
}
