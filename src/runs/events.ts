/** What a run's event log holds: appended while the call lives, ordered by `seq`, gaps allowed. */
export interface RunEvent {
  readonly seq: number;
  /** Milliseconds since the call's media clock started (0 before it did). */
  readonly atMs: number;
  /** `noun-action`: `turn-started`, `transcript-final`, `reply-started`, `dtmf-received`, … */
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A transcript line as the API shows it. Times are on the call clock. */
export interface TranscriptLine {
  readonly turnId: number;
  readonly role: 'caller' | 'agent';
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
  /** Agent lines: the caller interrupted, and `text` is what was heard. */
  readonly interrupted?: boolean;
}

/** Where the time of one turn went. Spans in ms, absent where they could not be measured. */
export interface TurnLatency {
  readonly turnId: number;
  /** End of the caller's speech → decision that the turn is over. */
  readonly endpointingMs?: number;
  /** End of the caller's speech → last final transcript. */
  readonly transcriptMs?: number;
  /** Reply begun → decision that the turn is over, where it was begun on a pause: the parts below began that much earlier. */
  readonly headStartMs?: number;
  /** Model request → first token. */
  readonly modelFirstTokenMs?: number;
  /** The model was asked a second time before the first token. */
  readonly hedged?: true;
  /** A filler was said before the reply's own words. */
  readonly filler?: true;
  /** First token → first clause handed to the voice. */
  readonly firstClauseMs?: number;
  /** First clause → first audio of the voice. */
  readonly voiceFirstByteMs?: number;
  /** First audio → first frame on the wire; absent where a filler came before. */
  readonly firstFrameMs?: number;
  /** End of the caller's speech → first agent audio, measured on the recording. */
  readonly heardGapMs?: number;
}
