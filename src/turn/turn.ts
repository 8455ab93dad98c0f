/** Identifies one agent reply within a call. */
export type ReplyId = string;

/** What the caller said in the turn so far: settled segments and the revisable rest. */
export interface Words {
  readonly final: string;
  readonly interim: string;
  /** When the last of them came; 0 where there are none. */
  readonly atMs: number;
}

/** The reply that is being prepared while the caller pauses, in case the turn is over. */
export interface Preparation {
  /** The words it answers; null: none is being prepared. */
  readonly text: string | null;
  /** How many were begun since the last committed turn. */
  readonly count: number;
}

/** The silence within the caller's speech: there is none, or the recogniser was asked for its words, or has told them all. */
export type Lull = 'none' | 'asked' | 'settled';

/** The caller's voice as it was detected, whatever phase the turn was in. */
export interface CallerVoice {
  readonly isOn: boolean;
  /** Null where there was none since the last committed turn. */
  readonly startedAtMs: number | null;
  /** When the last voice that is over ended. */
  readonly endedAtMs: number;
}

/**
 * Who has the floor. Each phase says when one is in it; leaving a phase cancels its timers.
 */
export type TurnPhase =
  /** Nobody speaks: the caller is waited for. */
  | { readonly name: 'listening' }
  /** The caller speaks. */
  | { readonly name: 'caller-speaking'; readonly words: Words; readonly startedAtMs: number; readonly lull: Lull }
  /** The caller paused: words are settling, and the silence may end the turn. */
  | {
      readonly name: 'endpointing';
      readonly words: Words;
      readonly startedAtMs: number;
      /** When the speech ended (the pause window before it was noticed is already subtracted). */
      readonly speechEndMs: number;
      readonly isSettled: boolean;
    }
  /** The turn is the agent's; nothing of its reply is on the wire yet. */
  | { readonly name: 'thinking'; readonly replyId: ReplyId; readonly allowInterrupt: boolean; readonly words: Words }
  /** The agent is heard, or about to be. `words`: what the caller said into it without taking the turn. */
  | { readonly name: 'agent-speaking'; readonly replyId: ReplyId; readonly allowInterrupt: boolean; readonly words: Words }
  /** The caller may be interrupting: playout is held, nothing is lost yet. */
  | { readonly name: 'held'; readonly replyId: ReplyId; readonly words: Words }
  /** The caller spoke long enough: playout is cleared; words decide whether it was an interruption. */
  | {
      readonly name: 'interrupted';
      readonly replyId: ReplyId;
      readonly words: Words;
      readonly startedAtMs: number;
      /** Set once the caller paused. */
      readonly speechEndMs: number | null;
    }
  /** The call is over. */
  | { readonly name: 'ended' };

/** The whole state of turn-taking. */
export interface TurnState {
  readonly phase: TurnPhase;
  /** Number of the last committed caller turn; 0 before the first. */
  readonly turnId: number;
  /** Idle time-outs since the caller last said or pressed something. */
  readonly idleCount: number;
  readonly voice: CallerVoice;
  /** Words that were committed before they were settled: they are no new ones when they come again, settled. */
  readonly unsettled: string;
  readonly preparation: Preparation;
  /** How often the recogniser was asked for its words and has not answered yet. */
  readonly openFinalizes: number;
  /** Interruptions by a voice that took no turn, since the caller's last turn. */
  readonly falseInterruptions: number;
}

/** What happens; `atMs` is on the call clock. */
export type TurnEvent =
  /** The first sign of a voice. */
  | { readonly type: 'speech-onset'; readonly atMs: number }
  /** The voice has lasted for the confirm window. */
  | { readonly type: 'speech-start'; readonly atMs: number }
  /** A short silence within speech, which is mostly not its end. */
  | { readonly type: 'speech-lull'; readonly atMs: number }
  /** The voice went on after it. */
  | { readonly type: 'speech-resumed'; readonly atMs: number }
  /** Silence; `speechEndMs` is when it began. */
  | { readonly type: 'speech-pause'; readonly atMs: number; readonly speechEndMs: number }
  /** The onset was nothing. */
  | { readonly type: 'speech-dropped'; readonly atMs: number }
  | { readonly type: 'transcript-interim'; readonly atMs: number; readonly text: string }
  | { readonly type: 'transcript-final'; readonly atMs: number; readonly text: string }
  /** The recogniser has reported everything up to the pause. */
  | { readonly type: 'transcript-settled'; readonly atMs: number }
  /** The recogniser believes that the turn may be over. */
  | { readonly type: 'vendor-turn-pause'; readonly atMs: number }
  /** The recogniser heard the caller go on after that. */
  | { readonly type: 'vendor-turn-resumed'; readonly atMs: number }
  /** The recogniser decided that the turn is over. */
  | { readonly type: 'vendor-turn-end'; readonly atMs: number }
  /** The caller is there, but says nothing. */
  | { readonly type: 'key-pressed'; readonly atMs: number }
  /** The agent is about to reply (answer, greeting, check, injected words). */
  | { readonly type: 'reply-requested'; readonly atMs: number; readonly replyId: ReplyId; readonly allowInterrupt: boolean }
  /** The reply's first frame is on the wire. */
  | { readonly type: 'reply-started'; readonly atMs: number; readonly replyId: ReplyId }
  /** The reply was heard to its end, or came to nothing. */
  | { readonly type: 'reply-ended'; readonly atMs: number; readonly replyId: ReplyId }
  | { readonly type: 'timer-fired'; readonly atMs: number; readonly timer: TurnTimer }
  | { readonly type: 'call-ended'; readonly atMs: number };

/** Named waits; at most one of each runs. */
export type TurnTimer = 'endpointing' | 'transcript' | 'false-interruption' | 'wordless-voice' | 'idle';

/** What the shell must do. */
export type TurnEffect =
  | { readonly type: 'set-timer'; readonly timer: TurnTimer; readonly delayMs: number }
  | { readonly type: 'cancel-timer'; readonly timer: TurnTimer }
  | { readonly type: 'hold-playout' }
  | { readonly type: 'resume-playout' }
  /** Empty the carrier's buffer and rewind to what was heard. */
  | { readonly type: 'clear-playout' }
  /** Cancel model and voice of the reply; the conversation keeps what was heard. */
  | { readonly type: 'discard-reply'; readonly replyId: ReplyId }
  | { readonly type: 'finalize-transcript' }
  /** The turn may be over: the reply to it may be begun, unheard and without consequences, as the answer to turn `turnId`. */
  | { readonly type: 'prepare-reply'; readonly turnId: number; readonly text: string }
  /** The caller goes on: the reply that was begun is of no use. */
  | { readonly type: 'drop-prepared-reply' }
  /** The caller's turn is over. */
  | { readonly type: 'commit-turn'; readonly turnId: number; readonly text: string; readonly startedAtMs: number; readonly speechEndMs: number }
  /** The call ended before the turn did: the words are kept, not answered. */
  | { readonly type: 'keep-words'; readonly turnId: number; readonly text: string; readonly startedAtMs: number; readonly speechEndMs: number }
  | { readonly type: 'report-idle'; readonly count: number }
  /** For the run's events. */
  | {
      readonly type: 'note-event';
      readonly event: 'interruption-confirmed' | 'interruption-false' | 'acknowledgement-heard' | 'turn-without-words';
    };

/** The result of one transition. */
export interface TurnTransition {
  readonly state: TurnState;
  readonly effects: readonly TurnEffect[];
}

/** No words yet. */
export const noWords: Words = { final: '', interim: '', atMs: 0 };

/** The state before anybody spoke. */
export const initialTurnState: TurnState = {
  phase: { name: 'listening' },
  turnId: 0,
  idleCount: 0,
  voice: { isOn: false, startedAtMs: null, endedAtMs: 0 },
  unsettled: '',
  preparation: { text: null, count: 0 },
  openFinalizes: 0,
  falseInterruptions: 0,
};
