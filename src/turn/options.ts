/** When a pause ends the caller's turn. All times in ms of silence after speech. */
export interface EndpointingOptions {
  /** Silence that ends a turn whose words sound complete. Default 300. */
  readonly minDelayMs: number;
  /** Silence that ends a turn whatever its words. Default 1,200. */
  readonly maxDelayMs: number;
  /** How long the settled transcript is waited for after `finalize`; then the interim text counts. Default 1,500. */
  readonly transcriptTimeoutMs: number;
  /**
   * Where the recogniser decides: silence after the last word that ends a turn it never ends. Default 8,000, longer than any recogniser may
   * wait by its own options.
   */
  readonly vendorTurnTimeoutMs: number;
}

/** When the caller's voice stops the agent. */
export interface InterruptionOptions {
  /** False: the caller's words are kept, but never stop the agent. Default true. */
  readonly isEnabled: boolean;
  /** Speech that must last before playout is cleared, ms: the detector's confirm window. Default null: the detector's own. */
  readonly minDurationMs: number | null;
  /** Interruptions in vain after which the voice alone no longer stops the agent, but words do, until the caller's next turn. Default 2. */
  readonly maxFalseInARow: number;
  /** Words that must be recognised before playout is cleared. Default 0: the voice alone is enough. */
  readonly minWords: number;
  /** Words that show attention and do not take the turn, lower-case. */
  readonly acknowledgementWords: readonly string[];
  /** After a cleared interruption without words, the agent goes on from where it was heard. Default 1,500 ms. */
  readonly falseInterruptionTimeoutMs: number;
  /** False: a false interruption ends the reply. Default true. */
  readonly canResume: boolean;
}

/** Replies that are begun on a pause, before it is known that the turn is over. */
export interface PreparationOptions {
  /** Default true. */
  readonly isEnabled: boolean;
  /** Replies begun per caller turn: each that is of no use costs a request to the model, and perhaps one to the voice. Default 2. */
  readonly maxPerTurn: number;
}

/** Everything the turn machine can be told. */
export interface TurnOptions {
  readonly endpointing: EndpointingOptions;
  readonly interruption: InterruptionOptions;
  readonly preparation: PreparationOptions;
  /** True: the recogniser decides when a turn is over, and the delays of `endpointing` do not count. */
  readonly hasVendorTurns: boolean;
  /** True: the recogniser may be asked for its words at every lull; false: only once the caller has paused. */
  readonly canFinalizeEarly: boolean;
  /** Silence of both sides after which the caller is asked whether they are there. Default 10,000 ms. */
  readonly idleTimeoutMs: number;
}

/** The defaults, every one visible. */
export const defaultTurnOptions = {
  endpointing: { minDelayMs: 300, maxDelayMs: 1200, transcriptTimeoutMs: 1500, vendorTurnTimeoutMs: 8000 },
  interruption: {
    isEnabled: true,
    minDurationMs: null,
    maxFalseInARow: 2,
    minWords: 0,
    acknowledgementWords: ['mm-hm', 'mhm', 'mm', 'uh-huh', 'uhuh', 'yeah', 'yes', 'yep', 'ok', 'okay', 'right', 'sure', 'i see', 'aha', 'hm', 'hmm'],
    falseInterruptionTimeoutMs: 1500,
    canResume: true,
  },
  preparation: { isEnabled: true, maxPerTurn: 2 },
  hasVendorTurns: false,
  canFinalizeEarly: false,
  idleTimeoutMs: 10_000,
} as const satisfies TurnOptions;
