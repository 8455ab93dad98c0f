import { sleep, type Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Notifications, RunCommand } from '../store/store.js';
import type { CallSession } from './call-session.js';
import { createRemoteControl } from './remote-control.js';

/** After the drain deadline, calls get this long for a goodbye. */
const DRAIN_GOODBYE_MS = 20_000;

/** Calls that were hung up by force get this long to come to their end. */
const FORCED_END_MS = 5_000;

/** A place among the calls of this node, taken before anything is allocated for the call. */
export interface Reservation {
  /** The call's run is minted: this node holds it until the place is released. */
  hold(runId: string): void;
  /** The call is answered: it can be controlled and drained. */
  attach(session: CallSession): void;
  /** Idempotent. */
  release(): void;
}

/** The calls this node holds: admission, control, drain. */
export interface CallDirectory {
  readonly maxCalls: number;
  /**
   * `cut` ends a call that is not answered when the node gives up its calls.
   * @throws AgentStreamError `node-full`, `node-draining`
   */
  reserve(cut: () => void): Reservation;
  /** Calls with a place, answered or not. */
  activeCount(): number;
  /** Runs this node is responsible for, from their minting until they are finalised. */
  heldRunIds(): string[];
  isDraining(): boolean;
  /** Carries out a command, whichever node holds the call. @throws AgentStreamError `run-not-live`, or what the command threw */
  control(runId: string, command: RunCommand, signal: AbortSignal): Promise<void>;
  /** Hangs up calls whose runs another node has ended. */
  endLost(runIds: readonly string[]): void;
  /** Begins the goodbye of calls whose owner's quota ran out. */
  endExhausted(runIds: readonly string[]): void;
  /** The provider says the call is over: ends the session if its socket lingers. */
  noteCallEnded(runId: string): void;
  /** Takes no new calls and resolves when the last has ended: at the deadline with a goodbye, then by force. */
  drain(timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** Stops listening for commands of other nodes. */
  close(): void;
}

/** Taking calls; waiting for the last to end; saying goodbye; cutting what is left. */
type Stage = 'open' | 'draining' | 'ending' | 'cutting';

/** Creates the directory of this node. */
export function createCallDirectory(options: {
  readonly maxCalls: number;
  readonly notifications: Notifications;
  readonly clock: Clock;
  readonly log: Log;
}): CallDirectory {
  const { maxCalls, notifications, clock, log } = options;
  const held = new Set<string>();
  const sessions = new Map<string, CallSession>();
  /** How to end the calls that are not answered. */
  const unanswered = new Set<() => void>();
  const waiting = new Set<() => void>();
  let places = 0;
  let stage: Stage = 'open';

  const remote = createRemoteControl({ ...options, find: (runId) => sessions.get(runId) });
  const unsubscribeEnded = notifications.subscribe('run_ended', ({ runId }) => sessions.get(runId)?.loseRun());

  const whenEmpty = () =>
    new Promise<void>((resolve) => {
      if (places === 0) resolve();
      else waiting.add(resolve);
    });

  /** Applies the stage to a call that has been answered. */
  const endIfLate = (session: CallSession) => {
    if (stage === 'ending') session.requestEnd('drained');
    else if (stage === 'cutting') session.abandon('drained');
  };

  return {
    maxCalls,
    activeCount: () => places,
    heldRunIds: () => [...held],
    isDraining: () => stage !== 'open',
    reserve(cut) {
      if (stage !== 'open') throw new AgentStreamError('node-draining');
      if (places >= maxCalls) throw new AgentStreamError('node-full');
      places += 1;
      unanswered.add(cut);
      let runId: string | null = null;
      let isReleased = false;
      return {
        hold(mintedRunId) {
          runId = mintedRunId;
          held.add(mintedRunId);
        },
        attach(session) {
          unanswered.delete(cut);
          sessions.set(session.runId, session);
          endIfLate(session);
        },
        release() {
          if (isReleased) return;
          isReleased = true;
          places -= 1;
          unanswered.delete(cut);
          if (runId !== null) {
            held.delete(runId);
            sessions.delete(runId);
          }
          if (places > 0) return;
          for (const resolve of waiting) resolve();
          waiting.clear();
        },
      };
    },
    async control(runId, command, signal) {
      const session = sessions.get(runId);
      await (session === undefined ? remote.send(runId, command, signal) : session.command(command));
    },
    endLost(runIds) {
      for (const runId of runIds) sessions.get(runId)?.loseRun();
    },
    endExhausted(runIds) {
      for (const runId of runIds) sessions.get(runId)?.requestEnd('quota_exceeded');
    },
    noteCallEnded: (runId) => sessions.get(runId)?.abandon('caller_hangup'),
    async drain(timeoutMs, signal) {
      if (stage === 'open') stage = 'draining';
      const isEmpty = whenEmpty();
      await Promise.race([isEmpty, sleep(clock, timeoutMs, signal).catch(() => undefined)]);
      if (places === 0) return;
      log.warn('The drain deadline passed with live calls', { calls: places });
      if (stage === 'draining') stage = 'ending';
      // Nobody has spoken there yet: no goodbye is owed.
      for (const cut of unanswered) cut();
      for (const session of sessions.values()) session.requestEnd('drained');
      await Promise.race([isEmpty, sleep(clock, DRAIN_GOODBYE_MS, signal).catch(() => undefined)]);
      stage = 'cutting';
      for (const session of sessions.values()) session.abandon('drained');
      await Promise.race([isEmpty, sleep(clock, FORCED_END_MS)]);
    },
    close() {
      unsubscribeEnded();
      remote.close();
    },
  };
}
