import { repeat, type Clock, type Timer } from './clock.js';

/** A message that the kernel has not taken for this long means that the peer stopped reading. */
const SEND_AGE_LIMIT_MS = 2000;
/** A ping that brings nothing back for this long means that the peer is gone. */
const PONG_LIMIT_MS = 2000;
/** How often an open connection is looked at. */
const WATCH_PERIOD_MS = 500;

/** What is known of an open connection; times are those of the clock. */
export interface Vitals {
  /** Messages handed to the kernel's queue and not yet taken. */
  readonly unsent: number;
  readonly sendProgressMs: number;
  readonly receivedMs: number;
  readonly pingedMs: number | null;
}

/** What a look at a connection finds. */
export type Verdict = 'alive' | 'ping' | 'stuck' | 'silent';

/** Decides whether a connection is alive: `stuck` when the peer stopped reading, `silent` when it does not answer a ping. */
export function judgeVitals(vitals: Vitals, nowMs: number, idlePingMs: number | undefined): Verdict {
  if (vitals.unsent > 0 && nowMs - vitals.sendProgressMs >= SEND_AGE_LIMIT_MS) return 'stuck';
  if (idlePingMs === undefined) return 'alive';
  if (vitals.pingedMs !== null) return nowMs - vitals.pingedMs >= PONG_LIMIT_MS ? 'silent' : 'alive';
  return nowMs - vitals.receivedMs >= idlePingMs ? 'ping' : 'alive';
}

/** Watches one open connection. */
export interface VitalsMonitor {
  /** A message was handed to the kernel's queue. */
  noteSent(): void;
  /** The kernel took a message. A stable function, so that sending allocates no closure. */
  readonly noteWritten: () => void;
  /** Anything arrived. */
  readonly noteReceived: () => void;
  stop(): void;
}

/** Starts watching; `onPing` and `onDead` run from the clock's timer. */
export function monitorVitals(options: {
  readonly clock: Clock;
  /** Undefined: the peer may stay silent. */
  readonly idlePingMs: number | undefined;
  readonly onPing: () => void;
  readonly onDead: (verdict: 'stuck' | 'silent') => void;
}): VitalsMonitor {
  const { clock } = options;
  const vitals = { unsent: 0, sendProgressMs: clock.nowMs(), receivedMs: clock.nowMs(), pingedMs: null as number | null };
  const timer: Timer = repeat(clock, WATCH_PERIOD_MS, () => {
    const verdict = judgeVitals(vitals, clock.nowMs(), options.idlePingMs);
    if (verdict === 'ping') {
      vitals.pingedMs = clock.nowMs();
      options.onPing();
    } else if (verdict !== 'alive') {
      timer.cancel();
      options.onDead(verdict);
    }
  });
  return {
    noteSent() {
      if (vitals.unsent === 0) vitals.sendProgressMs = clock.nowMs();
      vitals.unsent += 1;
    },
    noteWritten() {
      vitals.unsent -= 1;
      vitals.sendProgressMs = clock.nowMs();
    },
    noteReceived() {
      vitals.receivedMs = clock.nowMs();
      vitals.pingedMs = null;
    },
    stop: () => timer.cancel(),
  };
}
