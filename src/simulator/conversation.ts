import { FRAME_MS } from '../audio/frame.js';
import { createSpeechTracker, type SpeechTracker } from './speech-tracker.js';
import { createTurnLog, type ConversationTurn, type OpenTurn, type TurnLog } from './turn-log.js';

/** Silence after which a speaker's turn counts as over. */
export const TURN_PAUSE_MS = 700;

/** What a conversation reports. */
export interface ConversationCallbacks {
  /** A turn is complete; called in order of the turns' starts. */
  onTurn(turn: ConversationTurn): void;
  /** The agent's turn is over: ask the recogniser for what it still holds. */
  onAgentTurnEnded(): void;
}

/** Understands one call from its two tracks: who spoke when, after what gap, and what became of barge-ins. Pure: its clock is the frames. */
export interface Conversation {
  /** Complete turns by their start. */
  readonly turns: readonly ConversationTurn[];
  readonly isAgentSpeaking: boolean;
  /** Start of the agent's current or last turn; -1 before the first. */
  readonly agentTurnStartMs: number;
  /** The 20 ms that have just passed: what the caller said and what the caller heard. */
  frame(index: number, said: Uint8Array, heard: Uint8Array): void;
  /** The carrier's buffer was cleared. */
  cleared(atMs: number): void;
  keyPressed(digit: string, atMs: number): void;
  /** What the caller is about to say, for the log. */
  announce(text: string): void;
  /** Words recognised in what was heard; `span` on the call's timeline, where the recogniser tells. */
  agentWords(text: string, span: { readonly startMs: number; readonly endMs: number } | null): void;
  /** The recogniser has reported everything of the oldest finished agent turn. */
  wordsSettled(): void;
  /** The call is over: every turn is complete. */
  finish(): void;
}

function newAgentTurn(log: TurnLog, agent: SpeechTracker, callerMs: number): OpenTurn['agent'] {
  const previous = log.newest('agent')?.turn;
  const isAnswer = callerMs >= 0 && (previous === undefined || callerMs > previous.startMs);
  const gapFrom = isAnswer ? 'caller' : previous === undefined ? 'call-start' : 'agent';
  const gapMs = gapFrom === 'caller' ? agent.startMs - callerMs : gapFrom === 'call-start' ? agent.startMs : null;
  return { who: 'agent', text: '', startMs: agent.startMs, endMs: agent.startMs, gapMs, gapFrom, isCut: false };
}

/** Creates the conversation of a call that has just started. */
export function createConversation(callbacks: ConversationCallbacks): Conversation {
  const log = createTurnLog((turn) => callbacks.onTurn(turn));
  const agent = createSpeechTracker(TURN_PAUSE_MS);
  const caller = createSpeechTracker(TURN_PAUSE_MS);
  let announced = '';
  let lastKeyMs = -1;
  /** A `clear` that arrived within the frame that is still to be seen. */
  let clearedAtMs: number | null = null;

  const startCallerTurn = () => {
    const bargeIn = agent.isSpeaking ? { clearAfterMs: null, agentHeardForMs: null } : null;
    log.add({ who: 'caller', text: announced, startMs: caller.startMs, endMs: caller.startMs, bargeIn });
    announced = '';
  };

  const endCallerTurn = () => {
    const entry = log.newest('caller');
    if (entry === undefined) return;
    entry.turn.endMs = caller.lastSpeechMs;
    entry.phase = { name: 'done' };
  };

  const endAgentTurn = (atMs: number, isCut: boolean) => {
    const entry = log.newest('agent');
    if (entry?.phase.name !== 'open') return;
    entry.turn.endMs = agent.lastSpeechMs;
    entry.turn.isCut = isCut;
    entry.phase = { name: 'settling', sinceMs: atMs };
    callbacks.onAgentTurnEnded();
  };

  const cutAgentTurn = (atMs: number) => {
    clearedAtMs = null;
    if (!agent.cut()) return;
    endAgentTurn(atMs, true);
    const turn = log.newest('caller')?.turn;
    if (turn?.bargeIn?.clearAfterMs !== null) return;
    const onWireMs = (caller.startFrame + 1) * FRAME_MS;
    turn.bargeIn = { clearAfterMs: atMs - onWireMs, agentHeardForMs: Math.max(0, agent.lastSpeechMs - turn.startMs) };
  };

  return {
    turns: log.turns,
    get isAgentSpeaking() {
      return agent.isSpeaking;
    },
    get agentTurnStartMs() {
      return log.newest('agent')?.turn.startMs ?? -1;
    },
    frame(index, said, heard) {
      const atMs = (index + 1) * FRAME_MS;
      const callerChange = caller.push(index, said);
      const agentChange = agent.push(index, heard);
      if (callerChange === 'started') startCallerTurn();
      if (callerChange === 'ended') endCallerTurn();
      if (agentChange === 'started') log.add(newAgentTurn(log, agent, Math.max(caller.lastSpeechMs, lastKeyMs)));
      if (agentChange === 'ended') endAgentTurn(atMs, false);
      if (clearedAtMs !== null && clearedAtMs <= atMs) cutAgentTurn(clearedAtMs);
      log.flush(atMs);
    },
    cleared(atMs) {
      clearedAtMs = atMs;
    },
    keyPressed(digit, atMs) {
      lastKeyMs = atMs;
      log.add({ who: 'caller-key', digit, startMs: atMs, endMs: atMs }, { name: 'done' });
    },
    announce(text) {
      announced = text;
    },
    agentWords: (text, span) => log.addAgentWords(text, span),
    wordsSettled: () => log.settleOldest(),
    finish() {
      if (agent.cut()) endAgentTurn(Number.MAX_SAFE_INTEGER, false);
      if (caller.cut()) endCallerTurn();
      log.finish();
    },
  };
}
