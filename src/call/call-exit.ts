import { sleep, type Clock } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { CallEnding } from './call-options.js';

/** After a hang-up or transfer at the provider, the stream's own end is waited for this long. */
const STOP_WAIT_MS = 2000;

/** Where a call is in its life. */
type ExitState =
  | { readonly name: 'live' }
  /**
   * The provider was asked to take the caller elsewhere. What ends the call meanwhile waits for the answer: the stream's end may be the
   * move itself, and a caller who was moved must not be hung up.
   */
  | { readonly name: 'moving'; readonly pending: PendingEnd | null }
  /** The provider took the caller: the stream's end is awaited. */
  | { readonly name: 'moved' }
  /** Hung up at the provider: the stream's end is awaited. */
  | { readonly name: 'hanging-up'; readonly ending: CallEnding }
  | { readonly name: 'ended' };

/** What happened while the caller was being moved. */
interface PendingEnd {
  readonly by: 'us' | 'peer';
  readonly ending: CallEnding;
}

/** The one way out of a call: whatever happens first decides how it ended, and everything is released once. */
export interface CallExit<Outcome> {
  /** Settles once, with what `release` gave. Never rejects. */
  readonly outcome: Promise<Outcome>;
  /** False once the call is ending, and while the caller is being moved. */
  readonly isLive: boolean;
  /** Aborts when the call has ended: every await of the call hangs on it. */
  readonly signal: AbortSignal;
  /** Ends the call at the provider, waits briefly for the stream to end, then releases everything. */
  hangUp(ending: CallEnding): void;
  /** The caller is about to be moved elsewhere. @throws AgentStreamError `run-not-live` where the call is ending */
  beginMove(): void;
  /** The move failed: the caller stays, unless the call ended meanwhile. */
  cancelMove(): void;
  /** The caller was moved. */
  completeMove(): void;
  /** The peer ended the stream. */
  onPeerEnded(ending: CallEnding): void;
}

/** What leaving takes. None of it may throw or reject but `hangUpAtProvider`. */
export interface CallExitPorts<Outcome> {
  readonly clock: Clock;
  /** @throws AgentStreamError `provider-*` */
  hangUpAtProvider(signal: AbortSignal): Promise<void>;
  /** The agent falls silent: nobody listens any more. */
  onHangingUp(): void;
  /** Closes and releases everything. Called once; the signal has aborted. */
  release(ending: CallEnding): Promise<Outcome>;
  record(type: string, data?: Readonly<Record<string, unknown>>): void;
}

/** Creates the exit of one call. */
export function createCallExit<Outcome>(ports: CallExitPorts<Outcome>): CallExit<Outcome> {
  const { clock, record } = ports;
  const controller = new AbortController();
  const { signal } = controller;
  let state: ExitState = { name: 'live' };
  let settle: (outcome: Outcome) => void = () => undefined;
  const outcome = new Promise<Outcome>((resolve) => {
    settle = resolve;
  });

  const finish = (ending: CallEnding) => {
    if (state.name === 'ended') return;
    state = { name: 'ended' };
    controller.abort(new AgentStreamError('run-not-live', { message: 'The call has ended' }));
    void ports.release(ending).then(settle);
  };

  /** Finishes after the wait; the stream's own end comes first where it does come. */
  const finishWithoutStop = (ending: CallEnding) => {
    sleep(clock, STOP_WAIT_MS, signal).then(
      () => finish(ending),
      () => undefined,
    );
  };

  const hangUpAndFinish = async (ending: CallEnding) => {
    try {
      await ports.hangUpAtProvider(signal);
    } catch (error) {
      if (signal.aborted) return;
      record('hangup-failed', { code: toAgentStreamError(error).code });
      finish(ending);
      return;
    }
    if (signal.aborted) return;
    record('hangup-confirmed');
    finishWithoutStop(ending);
  };

  const hangUp = (ending: CallEnding) => {
    if (state.name === 'moving') state = { name: 'moving', pending: state.pending ?? { by: 'us', ending } };
    if (state.name !== 'live') return;
    state = { name: 'hanging-up', ending };
    ports.onHangingUp();
    void hangUpAndFinish(ending);
  };

  const transferred = (close: CallEnding['close']): CallEnding => ({ endReason: 'transferred', close });

  return {
    outcome,
    signal,
    get isLive() {
      return state.name === 'live';
    },
    hangUp,
    beginMove() {
      if (state.name !== 'live') throw new AgentStreamError('run-not-live', { message: 'The call is ending' });
      state = { name: 'moving', pending: null };
    },
    cancelMove() {
      if (state.name !== 'moving') return;
      const { pending } = state;
      state = { name: 'live' };
      if (pending?.by === 'peer') finish(pending.ending);
      else if (pending !== null) hangUp(pending.ending);
    },
    completeMove() {
      if (state.name !== 'moving') return;
      const { pending } = state;
      state = { name: 'moved' };
      record('transfer-completed');
      if (pending?.by === 'peer') finish(transferred(pending.ending.close));
      else finishWithoutStop(transferred({ code: 1000, reason: 'Transferred' }));
    },
    onPeerEnded(ending) {
      if (state.name === 'moving') {
        if (state.pending?.by === 'peer') return;
        state = { name: 'moving', pending: { by: 'peer', ending } };
        ports.onHangingUp();
      } else if (state.name === 'moved') finish(transferred(ending.close));
      else if (state.name === 'hanging-up') finish(state.ending);
      else finish(ending);
    },
  };
}
