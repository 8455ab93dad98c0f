import { defaultTurnOptions, type TurnOptions } from '../turn/options.js';
import type { WorkflowSettings } from '../workflow/settings.js';
import type { OpenLegs } from './legs.js';

/** The turn machine's options from an agent's settings and what its vendors can do. */
export function turnOptionsOf(
  settings: WorkflowSettings,
  { hasVendorTurns, canFinalizeEarly, canPrepare }: Pick<OpenLegs, 'hasVendorTurns' | 'canFinalizeEarly' | 'canPrepare'>,
): TurnOptions {
  const { endpointing, interruption, preemptive_generation: preparation } = settings.turn;
  return {
    endpointing: {
      minDelayMs: endpointing.min_delay_ms,
      maxDelayMs: endpointing.max_delay_ms,
      transcriptTimeoutMs: defaultTurnOptions.endpointing.transcriptTimeoutMs,
      vendorTurnTimeoutMs: defaultTurnOptions.endpointing.vendorTurnTimeoutMs,
    },
    interruption: {
      isEnabled: interruption.enabled,
      minDurationMs: interruption.min_duration_ms ?? null,
      maxFalseInARow: defaultTurnOptions.interruption.maxFalseInARow,
      minWords: interruption.min_words,
      acknowledgementWords: interruption.acknowledgement_words,
      falseInterruptionTimeoutMs: interruption.false_interruption_timeout_ms,
      canResume: interruption.resume,
    },
    preparation: { isEnabled: preparation.enabled && canPrepare, maxPerTurn: preparation.max_per_turn },
    hasVendorTurns,
    canFinalizeEarly,
    idleTimeoutMs: settings.max_user_idle_timeout * 1000,
  };
}
