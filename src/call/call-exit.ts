import { sleep, type Clock } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { CallEnding } from './call-options.js';

/** After a hang-up or transfer at the provider, the stream's own end is waited for this long. */
const STOP_WAIT_MS = 2000;

/** Where a call is in its life. */
type ExitState =
  | { readonly name: 'live' }
  /** The provider is taking the caller elsewhere: the stream's end means success. */
  | { readonly name: 'moving' }
  /** Hung up at the provider: the stream's end is awaited. */
  | { readonly name: 'hanging-up'; readonly ending: CallEnding }
  | { readonly name: 'ended' };

/** The one way out of a call: whatever happens first decides how it ended, and everything is released once. */
export interface CallExit<Outcome> {
  /** Settles once, with what `release` gave. Never rejects. */
  readonly outcome: Promise<Outcome>;
  readonly isLive: boolean;
  /** Aborts when the call has ended: every await of the call hangs on it. */
  readonly signal: AbortSignal;
  /** Ends the call at the provider, waits briefly for the stream to end, then releases everything. */
  hangUp(ending: CallEnding): Promise<void>;
  /** The caller is about to be moved elsewhere. */
  beginMove(): void;
  /** The move failed: the caller stays. */
  cancelMove(): void;
  /** The caller was moved. */
  completeMove(): Promise<void>;
  /** The peer ended the stream. */
  onPeerEnded(ending: CallEnding): void;
}

/** What leaving takes. */
export interface CallExitPorts<Outcome> {
  readonly clock: Clock;
  /** @throws AgentStreamError `provider-*` */
  hangUpAtProvider(signal: AbortSignal): Promise<void>;
  /** The agent falls silent: nobody listens any more. */
  onHangingUp(): void;
  /** Closes and releases everything. Called once; the signal has aborted. Must not reject. */
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
  // A function, so that the compiler does not take the state for unchanged after an await.
  const current = (): ExitState => state;

  const finish = async (ending: CallEnding) => {
    if (state.name === 'ended') return;
    state = { name: 'ended' };
    controller.abort(new AgentStreamError('run-not-live', { message: 'The call has ended' }));
    settle(await ports.release(ending));
  };

  /** Resolves after the wait, or at once when the call ends. */
  const waitForStop = () => sleep(clock, STOP_WAIT_MS, signal).catch(() => undefined);

  return {
    outcome,
    signal,
    get isLive() {
      return state.name === 'live';
    },
    async hangUp(ending) {
      if (state.name !== 'live' && state.name !== 'moving') return;
      state = { name: 'hanging-up', ending };
      ports.onHangingUp();
      try {
        await ports.hangUpAtProvider(signal);
        record('hangup-confirmed');
        await waitForStop();
      } catch (error) {
        if (!signal.aborted) record('hangup-failed', { code: toAgentStreamError(error).code });
      }
      await finish(ending);
    },
    beginMove() {
      if (state.name === 'live') state = { name: 'moving' };
    },
    cancelMove() {
      if (state.name === 'moving') state = { name: 'live' };
    },
    async completeMove() {
      if (current().name !== 'moving') return;
      await waitForStop();
      await finish({ endReason: 'transferred', close: { code: 1000, reason: 'Transferred' } });
    },
    onPeerEnded(ending) {
      if (state.name === 'moving') void finish({ endReason: 'transferred', close: ending.close });
      else if (state.name === 'hanging-up') void finish(state.ending);
      else void finish(ending);
    },
  };
}
