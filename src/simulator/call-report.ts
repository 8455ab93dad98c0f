import type { PlacedCall } from './place-call.js';
import type { ConversationTurn } from './turn-log.js';

/** Where the time of one answer went, ms; each part only where it was measured. */
export interface GapParts {
  /** End of the caller's speech → end of turn decided. */
  readonly eou?: number | undefined;
  /** Reply begun on a pause → end of turn decided: what follows began so much earlier. */
  readonly ahead?: number | undefined;
  /** Model request → first clause. */
  readonly llm?: number | undefined;
  /** First clause → first audio of the voice. */
  readonly tts?: number | undefined;
  /** First audio → first frame on the wire. */
  readonly out?: number | undefined;
}

/** One turn, laid out in columns by whoever prints it. */
export interface TurnLine {
  /** Start of the turn, as `12.34 s`. */
  readonly at: string;
  readonly who: 'caller' | 'agent';
  readonly text: string;
  /** What is worth knowing about its timing. Empty where there is nothing. */
  readonly note: string;
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
const whole = (ms: number) => `${Math.round(ms)} ms`;

/** `eou 320 · llm 1 · tts 40 · out 0`; empty where nothing was measured. */
function formatGapParts(parts: GapParts): string {
  return (['eou', 'ahead', 'llm', 'tts', 'out'] as const)
    .flatMap((name) => (parts[name] === undefined ? [] : [`${name} ${Math.round(parts[name])}`]))
    .join(' · ');
}

function agentNote(turn: ConversationTurn & { who: 'agent' }, parts: GapParts): string {
  const partsText = formatGapParts(parts);
  const gap = turn.gapMs === null ? '' : turn.gapFrom === 'call-start' ? `${whole(turn.gapMs)} after the start` : `gap ${whole(turn.gapMs)}`;
  const cut = turn.isCut ? `cut off after ${seconds(turn.endMs - turn.startMs)}` : '';
  return [gap === '' || partsText === '' ? gap : `${gap} (${partsText})`, cut].filter((part) => part !== '').join(', ');
}

function callerNote(turn: ConversationTurn & { who: 'caller' }): string {
  if (turn.bargeIn === null) return '';
  if (turn.bargeIn.clearAfterMs === null) return 'over the agent, which went on';
  return `interrupts: clear ${whole(turn.bargeIn.clearAfterMs)} after speech`;
}

/** What a turn looks like in print. */
export function describeTurn(turn: ConversationTurn, parts: GapParts = {}): TurnLine {
  const at = seconds(turn.startMs);
  switch (turn.who) {
    case 'agent':
      return { at, who: 'agent', text: turn.text === '' ? '(not understood)' : turn.text, note: agentNote(turn, parts) };
    case 'caller':
      return { at, who: 'caller', text: turn.text, note: callerNote(turn) };
    case 'caller-key':
      return { at, who: 'caller', text: `presses ${turn.digit}`, note: '' };
  }
}

/** How the stream ended, in one sentence without a full stop. */
export function describeEnding(call: Pick<PlacedCall, 'ending' | 'durationMs' | 'asked'>): string {
  const { ending } = call;
  switch (ending.type) {
    case 'unreachable':
      return `the server could not be reached (${ending.problem})`;
    case 'not-upgraded':
      return `the server answered ${ending.httpStatus} in place of a WebSocket`;
    case 'closed': {
      const close = `${ending.code}${ending.reason === '' ? '' : ` "${ending.reason}"`}`;
      if (ending.by === 'server') return `the server closed with ${close} after ${seconds(call.durationMs)}`;
      const who = call.asked === 'hang-up' ? 'the agent hung up' : call.asked === 'transfer' ? 'the agent transferred the call' : 'the caller hung up';
      return `${who} after ${seconds(call.durationMs)} (closed with ${close})`;
    }
  }
}
