import { describe, expect, it } from 'vitest';
import type { RunEventAnswer } from '../api-shapes.js';
import type { ConversationTurn } from '../../simulator/turn-log.js';
import { heardOutcomes } from './heard-outcomes.js';

const events = (...written: [atMs: number, type: string, data?: Record<string, unknown>][]): RunEventAnswer[] =>
  written.map(([at_ms, type, data = {}], seq) => ({ seq, at_ms, type, data }));

const agentTurn = (startMs: number): ConversationTurn => ({ who: 'agent', text: '', startMs, endMs: startMs + 900, gapMs: null, gapFrom: 'agent', isCut: false });

const run = { initial_context: { shop: 'Spokes' }, gathered_context: { day: 'sunday' } };

describe('the outcomes of a call', () => {
  it('give every event to the act before it, and words that were cut off to the answer they belong to', () => {
    const outcomes = heardOutcomes({
      run,
      events: events(
        [0, 'node-entered', { name: 'Hello' }],
        [1200, 'agent-said', { text: 'Hello.', start_ms: 100 }],
        [3100, 'caller-said', { text: 'hours' }],
        [3110, 'tool-called', { name: 'hours', arguments: '{"day":"sunday"}' }],
        [4600, 'agent-said', { text: 'From nine', start_ms: 3300 }],
        [5400, 'node-entered', { name: 'Bye' }],
        [6500, 'agent-said', { text: 'Bye.', start_ms: 5500 }],
        [6600, 'run-ended', { end_reason: 'agent_hangup' }],
      ),
      acts: [
        { clock: 'carrier', startMs: 2000, doneMs: 3000 },
        { clock: 'carrier', startMs: 4500, doneMs: 5200 },
      ],
      turns: [agentTurn(110), agentTurn(3310), agentTurn(5520)],
    });
    expect(outcomes).toMatchObject([
      { said: ['Hello.'], visits: ['Hello'], node: 'Hello', tools: [], ending: null, answerMs: 110 },
      { said: ['From nine'], visits: [], node: 'Hello', tools: [{ name: 'hours', argumentsJson: '{"day":"sunday"}' }], ending: null, answerMs: 310, understood: ['hours'] },
      { said: ['Bye.'], visits: ['Bye'], node: 'Bye', ending: 'agent_hangup', answerMs: 320 },
    ]);
    expect(outcomes[0]?.variables).toEqual({ shop: 'Spokes', day: 'sunday' });
  });

  it('count from the idle time-out where the caller says nothing, and know of no answer where there is none', () => {
    const silence = { clock: 'carrier', startMs: 2000, doneMs: null } as const;
    const idle = events([12_000, 'caller-idle', { count: 1 }], [13_000, 'agent-said', { text: 'Still there?', start_ms: 12_050 }]);
    expect(heardOutcomes({ run, events: idle, acts: [silence], turns: [agentTurn(12_060)] })[1]).toMatchObject({ said: ['Still there?'], answerMs: 60 });
    expect(heardOutcomes({ run, events: [], acts: [silence], turns: [] })[1]).toMatchObject({ said: [], answerMs: null });
  });

  it('part a transfer from its failure by the run’s own clock, and leave out that the caller hung up', () => {
    const outcomes = heardOutcomes({
      run,
      events: events(
        [2500, 'agent-said', { text: 'One moment.', start_ms: 2100 }],
        [2510, 'transfer-started'],
        [2530, 'transfer-failed'],
        [3600, 'agent-said', { text: 'Nobody is there.', start_ms: 2580 }],
        [5000, 'run-ended', { end_reason: 'caller_hangup' }],
      ),
      acts: [
        { clock: 'carrier', startMs: 2000, doneMs: 2000 },
        { clock: 'run', startMs: 2530, doneMs: 2530 },
      ],
      turns: [agentTurn(2110)],
    });
    expect(outcomes.slice(1)).toMatchObject([
      { said: ['One moment.'], ending: 'transfer' },
      { said: ['Nobody is there.'], ending: null, answerMs: 50 },
    ]);
  });
});
