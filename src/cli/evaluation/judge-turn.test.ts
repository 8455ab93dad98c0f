import { describe, expect, it } from 'vitest';
import { judgeTurn, type TurnOutcome } from './judge-turn.js';
import type { Expectation } from './scenario-file.js';

const outcome: TurnOutcome = {
  said: ['We are open from nine to five.', 'Anything else?'],
  visits: ['Hours'],
  node: 'Hours',
  tools: [{ name: 'opening_hours', argumentsJson: '{"day":"sunday","count":2}' }],
  variables: { day: 'sunday', guests: { adults: 2 } },
  ending: null,
  answerMs: 400,
};

describe('a judged turn', () => {
  const good: [string, Expectation][] = [
    ['nothing expected', {}],
    ['a part of what was said, in any case', { said: ['NINE TO FIVE'] }],
    ['words over two sentences', { said: ['/five\\..*Anything/'] }],
    ['words that were not said', { not_said: ['six'] }],
    ['where it is, and how it got there', { node: 'Hours', visits: ['Hours'] }],
    ['a call with some of its arguments', { tools: [{ name: 'opening_hours', arguments: { day: 'sunday' } }] }],
    ['variables, deeply', { variables: { guests: { adults: 2 } } }],
    ['an answer in time', { within_ms: 400 }],
  ];
  it.each(good)('passes with %s', (_title, expectation) => expect(judgeTurn(expectation, outcome)).toEqual([]));

  const bad: [string, Expectation, string][] = [
    ['other words', { said: ['ten'] }, 'expected to hear “ten”, heard “We are open from nine to five. Anything else?”'],
    ['a dot that stands for itself', { said: ['n.ne'] }, 'expected to hear “n.ne”'],
    ['words it must not say', { not_said: ['nine'] }, 'expected not to hear “nine”'],
    ['another node', { node: 'Goodbye' }, 'expected to be at “Goodbye”, is at “Hours”'],
    ['another way', { visits: ['Menu', 'Hours'] }, 'expected to enter Menu, Hours; entered Hours'],
    ['no call where there was one', { tools: [] }, 'expected calls of none; called opening_hours'],
    ['another argument', { tools: [{ name: 'opening_hours', arguments: { day: 'monday' } }] }, 'expected opening_hours to be called with day "monday"'],
    ['another value', { variables: { day: 'monday' } }, 'expected day to be "monday", is "sunday"'],
    ['a variable that is not there', { variables: { toString: 1 } }, 'expected toString to be 1'],
    ['an end', { ends: 'agent_hangup' }, 'expected the conversation to end (agent_hangup), it goes on'],
    ['an earlier answer', { within_ms: 399 }, 'expected an answer within 399 ms, took 400 ms'],
  ];
  it.each(bad)('fails with %s', (_title, expectation, problem) => {
    const problems = judgeTurn(expectation, outcome);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(problem);
  });

  it('tells everything that is wrong at once', () => {
    expect(judgeTurn({ said: ['ten'], node: 'Goodbye', ends: 'transfer' }, { ...outcome, ending: 'agent_hangup' })).toHaveLength(3);
  });
});
