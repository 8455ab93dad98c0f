import { AgentStreamError } from '../base/errors.js';

/** When a caller opens their mouth. */
export type SpeakWhen =
  /** Once the agent has finished its turn: the polite default. */
  | { readonly type: 'agent-finished' }
  /** `afterMs` after the agent became audible in its current or next turn: a barge-in. */
  | { readonly type: 'agent-speaking'; readonly afterMs: number }
  | { readonly type: 'at-once' };

/** One thing a scripted caller does. */
export type CallerStep =
  | { readonly type: 'say'; readonly text: string; readonly when: SpeakWhen }
  /** A WAV file, spoken like `say`. */
  | { readonly type: 'play-wav'; readonly path: string; readonly when: SpeakWhen }
  | { readonly type: 'wait'; readonly forMs: number }
  /** Waits until the agent has finished its turn. */
  | { readonly type: 'listen' }
  | { readonly type: 'dtmf'; readonly digits: string }
  | { readonly type: 'hang-up' }
  /** The line breaks: no `stop`, no close frame. */
  | { readonly type: 'drop' };

/** Lines of one script. */
const SCRIPT_LINES_LIMIT = 1000;

/** Longest single `wait`. */
const WAIT_LIMIT_MS = 10 * 60_000;

const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|s)?$/;

/** Milliseconds of `1500`, `1500ms` or `2s`; null where it is none of these or beyond {@link WAIT_LIMIT_MS}. */
export function parseDurationMs(text: string): number | null {
  const match = DURATION.exec(text.trim());
  if (match === null) return null;
  const durationMs = Number(match[1]) * (match[2] === 's' ? 1000 : 1);
  return durationMs <= WAIT_LIMIT_MS ? durationMs : null;
}

const invalid = (lineNumber: number, problem: string) =>
  new AgentStreamError('invalid-request', { message: `Script line ${lineNumber}: ${problem}` });

function parseInterrupt(argument: string, lineNumber: number): SpeakWhen {
  const afterMs = parseDurationMs(argument);
  if (afterMs === null) throw invalid(lineNumber, 'interrupt takes a time, as in "interrupt 1500: stop, please"');
  return { type: 'agent-speaking', afterMs };
}

function parseSpeech(when: SpeakWhen, value: string, lineNumber: number): CallerStep {
  if (value === '') throw invalid(lineNumber, 'nothing to say');
  const wav = /^wav\s+(\S.*)$/.exec(value);
  return wav?.[1] === undefined ? { type: 'say', text: value, when } : { type: 'play-wav', path: wav[1], when };
}

function parseLine(line: string, lineNumber: number): CallerStep {
  const colon = line.indexOf(':');
  const head = (colon === -1 ? line : line.slice(0, colon)).trim();
  const value = colon === -1 ? '' : line.slice(colon + 1).trim();
  const [verb = '', argument = ''] = head.split(/\s+/, 2);
  switch (verb) {
    case 'caller':
      return parseSpeech({ type: 'agent-finished' }, value, lineNumber);
    case 'now':
      return parseSpeech({ type: 'at-once' }, value, lineNumber);
    case 'interrupt':
      return parseSpeech(parseInterrupt(argument, lineNumber), value, lineNumber);
    case 'wait': {
      const forMs = parseDurationMs(value);
      if (forMs === null) throw invalid(lineNumber, 'wait takes a time up to 10 minutes, as in "wait: 2s"');
      return { type: 'wait', forMs };
    }
    case 'dtmf':
      if (!/^[0-9*#A-D]+$/.test(value)) throw invalid(lineNumber, 'dtmf takes keys out of 0-9 * # A-D');
      return { type: 'dtmf', digits: value };
    case 'listen':
      return { type: 'listen' };
    case 'hangup':
      return { type: 'hang-up' };
    case 'drop':
      return { type: 'drop' };
    default:
      throw invalid(lineNumber, 'expected caller, interrupt, now, wait, listen, dtmf, hangup or drop');
  }
}

/**
 * Reads a caller's script: one step per line; empty lines and lines that begin with `#` are skipped.
 *
 *     caller: When do you open?            says it once the agent has finished
 *     interrupt 1500: Stop, please.        says it 1500 ms into the agent's turn
 *     now: Hello?                          says it at once
 *     caller: wav question.wav             any of these three may play a WAV file instead
 *     dtmf: 5#                             presses keys, 200 ms apart
 *     wait: 2s                             stays silent (ms or s)
 *     listen                               waits for the end of the agent's turn
 *     hangup                               hangs up; `drop` breaks the line without a word
 *
 * @throws AgentStreamError `invalid-request`, naming the line
 */
export function parseCallerScript(text: string): readonly CallerStep[] {
  const lines = text.split(/\r?\n/);
  if (lines.length > SCRIPT_LINES_LIMIT) throw invalid(SCRIPT_LINES_LIMIT + 1, `a script has at most ${SCRIPT_LINES_LIMIT} lines`);
  const steps: CallerStep[] = [];
  lines.forEach((raw, index) => {
    const line = raw.trim();
    if (line !== '' && !line.startsWith('#')) steps.push(parseLine(line, index + 1));
  });
  return steps;
}
