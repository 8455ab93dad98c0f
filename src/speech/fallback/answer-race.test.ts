import { describe, expect, it } from 'vitest';
import { lineUp } from '../../../test/support/lineup.js';
import { createScriptedModel, type PassScript } from '../../../test/support/virtual/scripted-model.js';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { AgentStreamError } from '../../base/errors.js';
import type { Hedge, LanguageModelPart, ModelMessage } from '../language-model.js';
import { meterLanguageModel } from '../metered.js';
import { createWorkMeter } from '../work-meter.js';
import { createHealthTable } from './health-table.js';
import { createHedging } from './hedging.js';
import { createFallbackLanguageModel } from './language-model.js';

const AFTER_MS = 700;
const messages: readonly ModelMessage[] = [{ role: 'user', text: 'Hello' }];

interface SetUp {
  /** False: nobody waits for the answers. */
  readonly isAwaited?: boolean;
  /** Vendors that other calls found to fail, by their place in the line. */
  readonly resting?: readonly number[];
}

/** A hedged line of models, each with its script. */
function setUp(scripts: readonly [readonly PassScript[], ...(readonly PassScript[])[]], { isAwaited = true, resting = [] }: SetUp = {}) {
  const clock = createVirtualClock();
  const health = createHealthTable(clock);
  const meter = createWorkMeter();
  const [first, ...others] = scripts.map((script) => createScriptedModel(clock, script));
  if (first === undefined) throw new Error('no model');
  const models = [first, ...others];
  for (const place of resting) for (let n = 0; n < 3; n += 1) health.noteFailure(`llm ${['first', 'second', 'third'][place] ?? ''}`, 'vendor-unreachable');
  const counted = models.map((model, place) => meterLanguageModel({ ...model, model: `m${place + 1}` }, meter));
  const line = lineUp('llm', counted as [typeof first, ...(typeof first)[]], { clock, health });
  const model = createFallbackLanguageModel(line, clock, createHedging(AFTER_MS));
  const hedges: Hedge[] = [];

  /** Asks; the parts come with their time. */
  function ask(signal = new AbortController().signal) {
    const startMs = clock.nowMs();
    const read: { parts: LanguageModelPart[]; text: string; firstAtMs: number | null; error: unknown; isOver: boolean } = { parts: [], text: '', firstAtMs: null, error: null, isOver: false };
    const request = { messages, tools: [], maxOutputTokens: 100, signal, ...(isAwaited ? { onHedged: (hedge: Hedge) => void hedges.push(hedge) } : {}) };
    void (async () => {
      try {
        for await (const part of model.stream(request)) {
          read.firstAtMs ??= clock.nowMs() - startMs;
          read.parts.push(part);
          if (part.type === 'text-delta') read.text += part.text;
        }
      } catch (error) {
        read.error = error;
      }
      read.isOver = true;
    })();
    return read;
  }
  const requestsOf = () => models.map(({ requests }) => requests.length);
  const open = () => models.reduce((sum, { openPasses }) => sum + openPasses, 0);
  const fallovers = () => line.fallovers.map(({ from, to, code }) => `${from.vendor}>${to.vendor} ${code}`);
  const winners = () => hedges.map(({ from, to, winner }) => `${from.vendor}+${to.vendor}: ${winner}`);
  return { clock, model, meter, health, models, ask, hedges, winners, requestsOf, open, fallovers };
}

const failure = (code: 'vendor-unreachable' | 'vendor-rejected' | 'vendor-rate-limited') => new AgentStreamError(code);
const silent: PassScript = { firstTokenMs: 3_600_000 };

describe('a request that is slow', () => {
  it('is sent to the next vendor as well, whose answer is taken; the first is ended at once and has not failed', async () => {
    const { clock, model, ask, hedges, requestsOf, open, models, fallovers, health } = setUp([[{ text: 'Slow.', firstTokenMs: 1900 }], [{ text: 'Quick.', firstTokenMs: 300 }]]);
    const answer = ask();
    await clock.advance(699);
    expect(requestsOf()).toEqual([1, 0]);
    await clock.advance(1);
    expect(requestsOf()).toEqual([1, 1]);
    await clock.advance(300);
    expect([answer.firstAtMs, answer.text]).toEqual([1000, 'Quick.']);
    expect(models[0]?.openPasses).toBe(0);
    await clock.advance(5000);
    expect(answer.text).toBe('Quick.');
    expect(answer.parts.filter(({ type }) => type === 'finish')).toHaveLength(1);
    expect(hedges).toEqual([{ from: { vendor: 'first', model: 'm1' }, to: { vendor: 'second', model: 'm2' }, afterMs: AFTER_MS, winner: 'second' }]);
    expect([fallovers(), model.model, health.restCode('llm first'), open(), clock.pendingTimers()]).toEqual([[], 'm1', null, 0, 0]);
  });

  it('may still be the one that answers first', async () => {
    const { clock, ask, winners, open, fallovers } = setUp([[{ text: 'Slow.', firstTokenMs: 800 }], [{ text: 'Late.', firstTokenMs: 300 }]]);
    const answer = ask();
    await clock.advance(5000);
    expect([answer.firstAtMs, answer.text, winners()]).toEqual([800, 'Slow.', ['first+second: first']]);
    expect([fallovers(), open(), clock.pendingTimers()]).toEqual([[], 0, 0]);
  });

  it('is sent to the same vendor again where there is no other that works', async () => {
    for (const { clock, ask, winners, requestsOf, fallovers, open } of [
      setUp([[silent, { text: 'Again.' }]]),
      setUp([[silent, { text: 'Again.' }], [{ text: 'Never asked.' }]], { resting: [1] }),
    ]) {
      const answer = ask();
      await clock.advance(5000);
      expect([answer.text, winners(), requestsOf()[0], fallovers(), open()]).toEqual(['Again.', ['first+first: second'], 2, [], 0]);
      expect(clock.pendingTimers()).toBe(0);
    }
  });

  it('calls no function twice', async () => {
    const { clock, ask } = setUp([[{ tools: ['book'], firstTokenMs: 850 }], [{ tools: ['book'], firstTokenMs: 150 }]]);
    const answer = ask();
    await clock.advance(5000);
    expect(answer.parts.filter(({ type }) => type === 'tool-call')).toHaveLength(1);
  });

  it('is paid for at both vendors', async () => {
    const { clock, ask, meter } = setUp([[{ text: 'Slow.', firstTokenMs: 1900 }], [{ text: 'Quick.' }]]);
    ask();
    await clock.advance(5000);
    expect(meter.work).toEqual([
      { leg: 'llm', vendor: 'scripted', model: 'm1', uncountedRequests: 1 },
      { leg: 'llm', vendor: 'scripted', model: 'm2', inputTokens: 100, outputTokens: 1 },
    ]);
  });

  it('is sent twice at most, and 20 times in a call', async () => {
    const { clock, ask, hedges, requestsOf } = setUp([Array.from({ length: 30 }, () => ({ text: 'Slow.', firstTokenMs: 1000 })), Array.from({ length: 30 }, () => silent)]);
    for (let turn = 0; turn < 25; turn += 1) {
      ask();
      await clock.advance(3000);
    }
    expect([hedges.length, requestsOf()]).toEqual([20, [25, 20]]);
    expect(clock.pendingTimers()).toBe(0);
  });
});

describe('a request that is not hedged', () => {
  it.each([
    ['because it is answered in time', [[{ text: 'Quick.', firstTokenMs: 699 }], [{ text: 'Never asked.' }]], {}],
    ['because nobody waits for it', [[{ text: 'Quick.', firstTokenMs: 1900 }], [{ text: 'Never asked.' }]], { isAwaited: false }],
  ] as const)('%s', async (_name, scripts, options) => {
    const { clock, ask, hedges, requestsOf } = setUp(scripts, options);
    const answer = ask();
    await clock.advance(5000);
    expect([answer.text, hedges, requestsOf(), clock.pendingTimers()]).toEqual(['Quick.', [], [1, 0], 0]);
  });

  it('because it failed at once goes to the next vendor, and is hedged there where that is slow', async () => {
    const { clock, ask, winners, fallovers } = setUp([[{ error: failure('vendor-unreachable'), firstTokenMs: 100 }], [silent], [{ text: 'Third.' }]]);
    const answer = ask();
    await clock.advance(799);
    expect(winners()).toEqual([]);
    await clock.advance(5000);
    expect([answer.firstAtMs, answer.text, winners()]).toEqual([950, 'Third.', ['second+third: second']]);
    expect(fallovers()).toEqual(['first>second vendor-unreachable']);
  });
});

describe('of two requests under way', () => {
  it('the first may fail: the call goes on with the second, and stays there', async () => {
    const { clock, model, ask, winners, fallovers, requestsOf } = setUp([[{ error: failure('vendor-unreachable'), firstTokenMs: 900 }], [{ text: 'Second.', firstTokenMs: 600 }, { text: 'Still.' }]]);
    const answer = ask();
    await clock.advance(5000);
    expect([answer.firstAtMs, answer.text, winners(), fallovers()]).toEqual([1300, 'Second.', ['first+second: second'], ['first>second vendor-unreachable']]);
    expect(model.model).toBe('m2');
    const next = ask();
    await clock.advance(5000);
    expect([next.text, requestsOf()]).toEqual(['Still.', [1, 2]]);
  });

  it('the first is left after 2 s of silence, as without a hedge; the last one has its time', async () => {
    const { clock, ask, fallovers, winners } = setUp([[silent], [{ text: 'At last.', firstTokenMs: 4000 }]]);
    const answer = ask();
    await clock.advance(2000);
    expect(fallovers()).toEqual(['first>second vendor-unreachable']);
    await clock.advance(5000);
    expect([answer.firstAtMs, answer.text, winners()]).toEqual([4700, 'At last.', ['first+second: second']]);
  });

  it('the second may fail: the first is waited for, and then the others are asked', async () => {
    const scripts = [[{ error: failure('vendor-rate-limited'), firstTokenMs: 1500 }], [{ error: failure('vendor-unreachable'), firstTokenMs: 100 }], [{ text: 'Third.' }]] as const;
    const { clock, ask, fallovers, winners, requestsOf } = setUp(scripts);
    const answer = ask();
    await clock.advance(1000);
    expect([fallovers(), answer.isOver]).toEqual([[], false]);
    await clock.advance(5000);
    expect([answer.firstAtMs, answer.text, winners()]).toEqual([1650, 'Third.', ['first+second: none']]);
    expect([fallovers(), requestsOf()]).toEqual([['first>third vendor-rate-limited'], [1, 1, 1]]);
  });

  it('both may fail where nobody else is left: the last failure is the request’s', async () => {
    const { clock, ask, winners, open } = setUp([[{ error: failure('vendor-unreachable'), firstTokenMs: 900 }, { error: failure('vendor-rejected'), firstTokenMs: 900 }]]);
    const answer = ask();
    await clock.advance(5000);
    expect([answer.error, winners(), open(), clock.pendingTimers()]).toEqual([expect.objectContaining({ code: 'vendor-rejected' }), ['first+first: none'], 0, 0]);
  });

  it('the winner may break off: what was said is not said again', async () => {
    const { clock, ask, requestsOf } = setUp([[silent], [{ text: 'Half of', error: failure('vendor-unreachable') }]]);
    const answer = ask();
    await clock.advance(5000);
    expect([answer.text, answer.error, requestsOf()]).toEqual(['Half of', expect.objectContaining({ code: 'vendor-unreachable' }), [1, 1]]);
  });

  it('none is left once the request is given up, which is told at once', async () => {
    const { clock, ask, winners, open, fallovers } = setUp([[silent], [silent]]);
    const controller = new AbortController();
    const answer = ask(controller.signal);
    await clock.advance(800);
    const reason = new AgentStreamError('run-not-live');
    controller.abort(reason);
    expect(winners()).toEqual(['first+second: none']);
    await clock.advance(0);
    expect([answer.error, open(), clock.pendingTimers(), fallovers()]).toEqual([reason, 0, 0, []]);
  });
});
