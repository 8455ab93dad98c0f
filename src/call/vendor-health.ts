import type { AgentStreamError } from '../base/errors.js';
import type { Hedge } from '../speech/language-model.js';
import type { Fallover } from '../speech/fallback/lineup.js';
import type { ResolvedModels } from '../speech/models.js';
import type { Leg } from '../speech/vendor.js';
import type { CallOptions } from './call-options.js';
import type { CallReporter } from './call-reporter.js';

/** Replies lost to the voice vendor, in a row, after which the call is given up. */
const MAX_VOICE_FAILURES = 2;

/** What a call does about vendors that fail: a call without ears or voice is over; a failed model pass is the workflow's to answer. */
export interface VendorHealth {
  /** A vendor failed: it is recorded, counted and logged. */
  note(leg: Leg, error: AgentStreamError): void;
  /** The call goes on with another vendor: it is recorded, counted and logged. */
  noteFallover(fallover: Fallover): void;
  /** A request to the model was sent twice: it is recorded and counted. */
  noteHedge(replyId: string, hedge: Hedge): void;
  /** The recogniser is lost for good. */
  loseEars(): void;
  /** Ends a call that lost its ears, but for somebody else who may be about to take it. Asked again when a transfer failed. */
  endIfDeaf(): void;
  /** The voice failed before the caller heard anything. The next words open it anew; if they are lost too, the call is given up. */
  loseVoice(canApologise: boolean): void;
  /** A reply that the voice spoke was heard: it works. */
  onReplyHeard(): void;
}

/** What the health of a call's vendors leads to. */
export interface VendorHealthPorts {
  readonly options: Pick<CallOptions, 'runId' | 'log' | 'models' | 'onVendorFailed' | 'onVendorFallover' | 'onModelHedged'>;
  readonly reporter: Pick<CallReporter, 'onVendorFailed' | 'onVendorFallover' | 'onHedged'>;
  readonly isBeingMoved: () => boolean;
  /** Says goodbye in words that need no ears, then ends the call. */
  readonly endWithoutEars: () => void;
  readonly apologise: () => void;
  readonly giveUp: () => void;
}

/** A speech-to-speech model fails as one, whatever it failed at; a voice beside it fails for itself. */
const legOf = (models: ResolvedModels, failed: Leg): Leg =>
  models.kind === 'cascaded' || (failed === 'tts' && models.tts !== null) ? failed : 'realtime';

/** Whom an error says it is of, where that may serve the call no more. */
const vendorOf = ({ details }: AgentStreamError): string | null => {
  const vendor = details?.['vendor'];
  return typeof vendor === 'string' ? vendor : null;
};

/** Watches over the vendors of one call. */
export function createVendorHealth(ports: VendorHealthPorts): VendorHealth {
  const { runId, log, models, onVendorFailed, onVendorFallover, onModelHedged } = ports.options;
  let isDeaf = false;
  let voiceFailures = 0;

  const endIfDeaf = () => {
    if (isDeaf && !ports.isBeingMoved()) ports.endWithoutEars();
  };

  return {
    note(failed, error) {
      const leg = legOf(models, failed);
      const vendor = vendorOf(error) ?? models.choice[leg]?.vendor ?? leg;
      ports.reporter.onVendorFailed(leg, vendor, error);
      onVendorFailed?.(leg, vendor, error.code);
      log.warn('A vendor failed during a call', { runId, leg, vendor, code: error.code });
    },
    noteFallover(fallover) {
      const { leg, from, to, code } = fallover;
      ports.reporter.onVendorFallover(fallover);
      onVendorFallover?.(fallover);
      log.warn('A call went on with another vendor', { runId, leg, from: from.vendor, to: to.vendor, code });
    },
    noteHedge(replyId, hedge) {
      ports.reporter.onHedged(replyId, hedge);
      onModelHedged?.(hedge);
    },
    loseEars() {
      isDeaf = true;
      endIfDeaf();
    },
    endIfDeaf,
    loseVoice(canApologise) {
      voiceFailures += 1;
      if (voiceFailures < MAX_VOICE_FAILURES && canApologise) ports.apologise();
      else ports.giveUp();
    },
    onReplyHeard() {
      voiceFailures = 0;
    },
  };
}
