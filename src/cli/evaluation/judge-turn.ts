import { isDeepStrictEqual } from 'node:util';
import { parseJson } from '../../base/json.js';
import { toRegExp, type Expectation } from './scenario-file.js';

/** What the agent did in answer to one turn. */
export interface TurnOutcome {
  readonly said: readonly string[];
  /** Names of the nodes entered, in order. */
  readonly visits: readonly string[];
  /** Name of the node the conversation is at. */
  readonly node: string;
  readonly tools: readonly { readonly name: string; readonly argumentsJson: string }[];
  readonly variables: Readonly<Record<string, unknown>>;
  /** Why the conversation ended, `transfer` where it was handed over, null where it goes on. */
  readonly ending: string | null;
  /** From the caller's last act to the answer; null where there was none. */
  readonly answerMs: number | null;
}

const quoted = (texts: readonly string[]) => (texts.length === 0 ? 'nothing' : `“${texts.join(' ')}”`);

/** Everything in which the outcome is not as expected; empty: it is. */
export function judgeTurn(expectation: Expectation, outcome: TurnOutcome): readonly string[] {
  const spoken = outcome.said.join(' ');
  const has = (pattern: string) => toRegExp(pattern)?.test(spoken) === true;
  const { said = [], not_said: unsaid = [], node, visits, tools, variables = {}, ends, within_ms: limitMs } = expectation;
  return [
    ...said.filter((pattern) => !has(pattern)).map((pattern) => `expected to hear “${pattern}”, heard ${quoted(outcome.said)}`),
    ...unsaid.filter(has).map((pattern) => `expected not to hear “${pattern}”, heard ${quoted(outcome.said)}`),
    ...(node === undefined || node === outcome.node ? [] : [`expected to be at “${node}”, is at “${outcome.node}”`]),
    ...(visits === undefined || isDeepStrictEqual(visits, outcome.visits) ? [] : [`expected to enter ${visits.join(', ')}; entered ${listOf(outcome.visits)}`]),
    ...(tools === undefined ? [] : judgeTools(tools, outcome.tools)),
    ...judgeVariables(variables, outcome.variables),
    ...judgeEnding(ends, outcome.ending),
    ...judgeTime(limitMs, outcome.answerMs),
  ];
}

function judgeTime(limitMs: number | undefined, answerMs: number | null): readonly string[] {
  if (limitMs === undefined || (answerMs !== null && answerMs <= limitMs)) return [];
  return [`expected an answer within ${limitMs} ms, ${answerMs === null ? 'there was none' : `took ${Math.round(answerMs)} ms`}`];
}

const listOf = (names: readonly string[]) => (names.length === 0 ? 'none' : names.join(', '));

function judgeTools(expected: NonNullable<Expectation['tools']>, called: TurnOutcome['tools']): readonly string[] {
  const names = called.map(({ name }) => name);
  if (!isDeepStrictEqual(expected.map(({ name }) => name), names)) return [`expected calls of ${listOf(expected.map(({ name }) => name))}; called ${listOf(names)}`];
  return expected.flatMap(({ name, arguments: wanted = {} }, index) => {
    const given = parseJson(called[index]?.argumentsJson ?? '');
    const has = (key: string, value: unknown) => typeof given === 'object' && given !== null && isDeepStrictEqual((given as Record<string, unknown>)[key], value);
    return Object.entries(wanted)
      .filter(([key, value]) => !has(key, value))
      .map(([key, value]) => `expected ${name} to be called with ${key} ${JSON.stringify(value)}, got ${called[index]?.argumentsJson ?? 'nothing'}`);
  });
}

function judgeVariables(expected: Readonly<Record<string, unknown>>, variables: TurnOutcome['variables']): readonly string[] {
  return Object.entries(expected)
    .filter(([name, value]) => !isDeepStrictEqual(variables[name], value))
    .map(([name, value]) => `expected ${name} to be ${JSON.stringify(value)}, is ${variables[name] === undefined ? 'not set' : JSON.stringify(variables[name])}`);
}

function judgeEnding(expected: string | undefined, ending: string | null): readonly string[] {
  if (expected === undefined || expected === ending) return [];
  return [`expected the conversation to end (${expected}), ${ending === null ? 'it goes on' : `it ended (${ending})`}`];
}
