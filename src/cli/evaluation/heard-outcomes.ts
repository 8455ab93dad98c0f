import type { RunAnswer, RunEventAnswer } from '../api-shapes.js';
import type { ConversationTurn } from '../../simulator/turn-log.js';
import type { CallerAct } from './evaluation-caller.js';
import type { TurnOutcome } from './judge-turn.js';

/** The server's clock begins when the call's first message arrives, the carrier's when it is sent; the caller leaves more than this between an answer and the next act. */
const CLOCK_SKEW_MS = 300;

/** A call that is over, as its run and the carrier saw it. */
export interface HeardCall {
  readonly run: Pick<RunAnswer, 'initial_context' | 'gathered_context'>;
  readonly events: readonly RunEventAnswer[];
  readonly acts: readonly CallerAct[];
  /** Turns as the caller heard them. */
  readonly turns: readonly ConversationTurn[];
}

/** What one act of the caller led to. */
export interface HeardOutcome extends TurnOutcome {
  /** What the agent understood of the caller. */
  readonly understood: readonly string[];
}

/** When an event happened; words that were said, when they began: what was cut off is reported after what cut it off. */
const timeOf = ({ type, at_ms, data }: RunEventAnswer): number => (type === 'agent-said' && typeof data.start_ms === 'number' ? data.start_ms : at_ms);

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

/** What the call came to in these events; a caller who hangs up has not ended the conversation. */
function endingOf(events: readonly RunEventAnswer[]): string | null {
  const endings = events.flatMap(({ type, data }) => {
    if (type === 'transfer-started') return ['transfer'];
    if (type !== 'run-ended' || data.end_reason === 'caller_hangup') return [];
    return [data.end_reason === 'transferred' ? 'transfer' : textOf(data.end_reason)];
  });
  return endings.at(-1) ?? null;
}

/** From the act to the first audio the caller heard then; after what only the run knows of, to the first words it tells of. */
function answerTimeOf(act: CallerAct | null, endMs: number, events: readonly RunEventAnswer[], turns: readonly ConversationTurn[]): number | null {
  const idle = events.find(({ type }) => type === 'caller-idle');
  const fromMs = act === null ? 0 : (act.doneMs ?? idle?.at_ms ?? act.startMs);
  const heard = turns.find(({ who, startMs }) => who === 'agent' && startMs < endMs && (act === null || startMs > act.startMs));
  const said = events.find(({ type }) => type === 'agent-said');
  const startMs = heard?.startMs ?? said?.data.start_ms;
  return typeof startMs === 'number' ? Math.max(0, startMs - fromMs) : null;
}

/** What the opening and every act of a call led to, in order. Variables are those of the run when it had ended. */
export function heardOutcomes({ run, events, acts, turns }: HeardCall): readonly HeardOutcome[] {
  const borders = acts.map(({ clock, startMs }) => (clock === 'run' ? startMs : startMs - CLOCK_SKEW_MS));
  const spans = [Number.NEGATIVE_INFINITY, ...borders].map((startMs, index) => ({ startMs, endMs: borders[index] ?? Number.POSITIVE_INFINITY }));
  let node = '';
  return spans.map(({ startMs, endMs }, index) => {
    const own = events.filter((event) => timeOf(event) >= startMs && timeOf(event) < endMs);
    const texts = (wanted: string, field: string) => own.flatMap(({ type, data }) => (type === wanted ? [textOf(data[field])] : []));
    const visits = texts('node-entered', 'name');
    node = visits.at(-1) ?? node;
    return {
      said: texts('agent-said', 'text'),
      visits,
      node,
      tools: own.flatMap(({ type, data }) => (type === 'tool-called' ? [{ name: textOf(data.name), argumentsJson: textOf(data.arguments) }] : [])),
      variables: { ...run.initial_context, ...run.gathered_context },
      ending: endingOf(own),
      answerMs: answerTimeOf(acts[index - 1] ?? null, endMs, own, turns),
      understood: texts('caller-said', 'text'),
    };
  });
}
