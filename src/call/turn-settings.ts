import { defaultTurnOptions, type TurnOptions } from '../turn/options.js';
import type { WorkflowSettings } from '../workflow/settings.js';

/** The turn machine's options from an agent's settings. */
export function turnOptionsOf(settings: WorkflowSettings, hasVendorTurns: boolean): TurnOptions {
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
      minDurationMs: interruption.min_duration_ms,
      minWords: interruption.min_words,
      acknowledgementWords: interruption.acknowledgement_words,
      falseInterruptionTimeoutMs: interruption.false_interruption_timeout_ms,
      canResume: interruption.resume,
    },
    preparation: { isEnabled: preparation.enabled, maxPerTurn: preparation.max_per_turn },
    hasVendorTurns,
    idleTimeoutMs: settings.max_user_idle_timeout * 1000,
  };
}
