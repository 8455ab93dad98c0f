import type { Delay } from './delays.js';

/** When each stage of one turn was passed, on the shared clock. */
export interface TurnTimes {
  sttFinalMs?: number;
  modelRequestMs?: number;
  modelFirstTokenMs?: number;
  voiceRequestMs?: number;
  voiceFirstByteMs?: number;
  /** Requests to the model with its words; those that came to nothing too. */
  modelRequests?: number;
}

/** What the process of fake vendors tells and is told. */
export type VendorMessage =
  | { readonly type: 'ready'; readonly deepgramUrl: string; readonly openaiUrl: string; readonly cartesiaUrl: string; readonly cloudonixUrl: string }
  | { readonly type: 'turns'; readonly turns: Readonly<Record<string, TurnTimes>> };

/** Asks for what was recorded since the last time, and forgets it. */
export interface VendorRequest {
  readonly type: 'take-turns';
}

/** Delays of the fake vendors, as performance comparisons of voice agents use them. */
export interface VendorDelays {
  /** End of speech, or Finalize → final transcript. */
  readonly sttMs: Delay;
  /** Request → first token; the rest follows at once. */
  readonly modelMs: Delay;
  /** Text → first audio. */
  readonly voiceMs: Delay;
}

/** One window of the control probe. */
export interface ProbeReport {
  readonly type: 'probe';
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly samples: number;
}

/** Ends the probe's window and begins the next. */
export interface ProbeRequest {
  readonly type: 'take-probe';
}
