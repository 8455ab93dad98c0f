import { sleep, type Clock } from '../../../src/base/clock.js';
import { AgentStreamError } from '../../../src/base/errors.js';
import type { ProviderControl, TransferRequest } from '../../../src/telephony/provider.js';
import type { VirtualCarrier } from './virtual-carrier.js';

/** What becomes of a request: done, refused, or never answered. */
export type RequestScript = 'ok' | 'fails' | 'hangs' | 'ok-without-stop';

/** How the provider's API behaves. Every answer takes 50 ms. */
export interface ScriptedControlOptions {
  readonly hangUp?: RequestScript;
  readonly transferCold?: RequestScript;
  readonly dial?: RequestScript;
  readonly moveCaller?: RequestScript;
  /** Before the answer. Default 50. */
  readonly answerMs?: number;
  /** From the provider's taking the call away to `stop`, before or after the answer. Default 70. */
  readonly stopAfterMs?: number;
}

/** One request as it came. */
export interface ControlRequest {
  readonly atMs: number;
  readonly type: 'hang-up' | 'transfer-cold' | 'dial' | 'move-caller' | 'cancel-destination';
  readonly destination?: string;
}

/** A provider's API in front of the virtual carrier. */
export interface ScriptedControl extends ProviderControl {
  readonly requests: readonly ControlRequest[];
  /** Requests without an answer. */
  readonly openRequests: number;
}

/** Creates the API. What it does to the call ends the carrier's stream. */
export function createScriptedControl(clock: Clock, carrier: VirtualCarrier, options: ScriptedControlOptions): ScriptedControl {
  const requests: ControlRequest[] = [];
  const { answerMs = 50, stopAfterMs = 70 } = options;
  let openRequests = 0;

  async function answer(script: RequestScript, signal: AbortSignal | undefined, isEndingStream: boolean): Promise<void> {
    openRequests += 1;
    try {
      if (script === 'ok' && isEndingStream) clock.setTimer(stopAfterMs, () => carrier.stops());
      await sleep(clock, script === 'hangs' ? 10_000 : answerMs, signal);
      if (script === 'fails') throw new AgentStreamError('provider-rejected');
      if (script === 'hangs') throw new AgentStreamError('provider-unreachable');
    } finally {
      openRequests -= 1;
    }
  }
  const note = (type: ControlRequest['type'], request?: TransferRequest) =>
    requests.push({ atMs: clock.nowMs(), type, ...(request === undefined ? {} : { destination: request.destination }) });

  return {
    requests,
    get openRequests() {
      return openRequests;
    },
    validateSession: () => Promise.resolve({ isLive: true, status: 'connected' }),
    testCredential: () => Promise.resolve('ok'),
    hangUp(_call, signal) {
      note('hang-up');
      return answer(options.hangUp ?? 'ok', signal, true);
    },
    transferCold(_call, request, signal) {
      note('transfer-cold', request);
      return answer(options.transferCold ?? 'ok', signal, true);
    },
    async transferWarm(_call, request, signal) {
      note('dial', request);
      await answer(options.dial ?? 'ok', signal, false);
      return {
        transferId: request.transferId,
        moveCaller(moveSignal) {
          note('move-caller');
          return answer(options.moveCaller ?? 'ok', moveSignal, true);
        },
        cancel() {
          note('cancel-destination');
          return answer('ok', undefined, false);
        },
      };
    },
  };
}
