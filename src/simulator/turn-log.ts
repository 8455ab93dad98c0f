/** What became of a barge-in. Both values are null where the agent was not stopped. */
export interface BargeIn {
  /** First frame with the caller's speech on the wire → `clear` received. */
  readonly clearAfterMs: number | null;
  /** Onset of the caller's speech → last agent speech that was heard. */
  readonly agentHeardForMs: number | null;
}

/** One turn of a call as the carrier heard it. Times are on the call's timeline. */
export type ConversationTurn =
  | {
      readonly who: 'caller';
      readonly text: string;
      readonly startMs: number;
      readonly endMs: number;
      /** Set where the caller began while the agent was audible. */
      readonly bargeIn: BargeIn | null;
    }
  | { readonly who: 'caller-key'; readonly digit: string; readonly startMs: number; readonly endMs: number }
  | {
      readonly who: 'agent';
      /** What the recogniser understood of what was played. */
      readonly text: string;
      readonly startMs: number;
      readonly endMs: number;
      /** Silence before it: from the caller's last sample or key press, else from the start of the call. Null after the agent's own turn. */
      readonly gapMs: number | null;
      readonly gapFrom: 'caller' | 'call-start' | 'agent';
      /** The carrier's buffer was cleared while it played. */
      readonly isCut: boolean;
    };

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A turn that is still being written. */
export type OpenTurn = { [W in ConversationTurn['who']]: Mutable<Extract<ConversationTurn, { who: W }>> };

/** How long a finished agent turn waits for the recogniser's last words. */
const TRANSCRIPT_WAIT_MS = 1500;

/** A turn on its way into the log. `open`: still spoken; `settling`: over, words may still come. */
export interface TurnEntry<W extends ConversationTurn['who'] = ConversationTurn['who']> {
  readonly turn: OpenTurn[W];
  phase: { readonly name: 'open' } | { readonly name: 'settling'; readonly sinceMs: number } | { readonly name: 'done' };
}

/** The turns of one call, handed on in order of their starts, each once it is complete. Pure. */
export interface TurnLog {
  /** Turns handed on so far. */
  readonly turns: readonly ConversationTurn[];
  add<W extends ConversationTurn['who']>(turn: OpenTurn[W] & { who: W }, phase?: TurnEntry['phase']): void;
  newest<W extends ConversationTurn['who']>(who: W): TurnEntry<W> | undefined;
  /** Words heard at the given time belong to the agent turn of that time, else to the newest one. */
  addAgentWords(text: string, span: { readonly startMs: number; readonly endMs: number } | null): void;
  /** The recogniser has reported everything of the oldest agent turn that waits for it. */
  settleOldest(): void;
  /** Hands on what is complete by `atMs`. */
  flush(atMs: number): void;
  /** Completes and hands on everything. */
  finish(): void;
}

const overlaps = (turn: ConversationTurn, isOpen: boolean, span: { startMs: number; endMs: number }) =>
  span.endMs > turn.startMs && (isOpen || span.startMs < turn.endMs);

/** Creates an empty log. */
export function createTurnLog(onTurn: (turn: ConversationTurn) => void): TurnLog {
  const entries: TurnEntry[] = [];
  const turns: ConversationTurn[] = [];

  const handOn = () => {
    for (let entry = entries[turns.length]; entry?.phase.name === 'done'; entry = entries[turns.length]) {
      turns.push(entry.turn);
      onTurn(entry.turn);
    }
  };
  const isOf = <W extends ConversationTurn['who']>(entry: TurnEntry, who: W): entry is TurnEntry<W> => entry.turn.who === who;
  const newest = <W extends ConversationTurn['who']>(who: W) => entries.findLast((entry): entry is TurnEntry<W> => isOf(entry, who));

  return {
    turns,
    add: (turn, phase = { name: 'open' }) => void entries.push({ turn, phase }),
    newest,
    addAgentWords(text, span) {
      const spoken = entries.filter((entry) => isOf(entry, 'agent'));
      const byTime = span === null ? undefined : spoken.findLast((entry) => overlaps(entry.turn, entry.phase.name === 'open', span));
      const turn = (byTime ?? spoken.at(-1))?.turn;
      if (turn !== undefined) turn.text = `${turn.text} ${text.trim()}`.trim();
    },
    settleOldest() {
      const entry = entries.find((candidate) => candidate.phase.name === 'settling');
      if (entry !== undefined) entry.phase = { name: 'done' };
    },
    flush(atMs) {
      for (let index = turns.length; index < entries.length; index += 1) {
        const entry = entries[index];
        if (entry?.phase.name === 'settling' && atMs - entry.phase.sinceMs >= TRANSCRIPT_WAIT_MS) entry.phase = { name: 'done' };
      }
      handOn();
    },
    finish() {
      for (const entry of entries) entry.phase = { name: 'done' };
      handOn();
    },
  };
}
