import { describe, expect, it } from 'vitest';
import { createPhraseCache } from '../../src/call/phrase-cache.js';
import type { Hedge } from '../../src/speech/language-model.js';
import { createHedging } from '../../src/speech/fallback/hedging.js';
import { createFallbackLanguageModel } from '../../src/speech/fallback/language-model.js';
import { lineUp } from '../support/lineup.js';
import { expectCleanEnd } from '../support/virtual/call-invariants.js';
import { afterGreeting, ANSWER, goodbyePasses, messagesOf } from '../support/virtual/scenes.js';
import { createScriptedModel, type PassScript, type ScriptedModel } from '../support/virtual/scripted-model.js';
import { END_TOOL, type PlainVendors, type VirtualCall, type VirtualCallOptions } from '../support/virtual/virtual-call.js';

const FILLER = 'One moment, please.';
const QUESTION = 'How much is a ticket?';

async function ask(call: VirtualCall): Promise<number> {
  const turns = call.eventsOf('caller-said').length + 1;
  call.carrier.says(QUESTION);
  return (await call.untilEvent('caller-said', turns)).atMs;
}

async function leave(call: VirtualCall) {
  await call.advance(500);
  call.carrier.says('Goodbye.');
  return expectCleanEnd(call, 'agent_hangup');
}

/** Ends a call in which phrases came from the cache: they are not the call's own voice, which {@link expectCleanEnd} listens for. */
async function hangUp(call: VirtualCall) {
  call.carrier.stops();
  await call.until(() => call.outcome !== null);
  expect(call.llm.openPasses + call.tts.openUtterances).toBe(0);
  return call.outcome;
}

/** A cache of a process that has said the filler before. */
function fillerInCache() {
  const phrases = createPhraseCache();
  const audio = Buffer.alloc(8000, 0x90);
  return { get: (voice: string, text: string) => (text === FILLER ? audio : phrases.get(voice, text)), set: phrases.set };
}

const slowCall = (firstTokenMs: number, options: VirtualCallOptions = {}) => afterGreeting({ passes: [{ text: ANSWER, firstTokenMs }, ...goodbyePasses], ...options });

describe('a caller who waits for a slow model', () => {
  it('hears a filler 2.5 s after the turn, once, and then the answer; the conversation keeps both', async () => {
    const call = await slowCall(5000, { phrases: fillerInCache() });
    const askedAtMs = await ask(call);
    const said = await call.untilEvent('filler-said');
    expect(said.atMs - askedAtMs).toBeGreaterThanOrEqual(2500);
    expect(said.atMs - askedAtMs).toBeLessThanOrEqual(2520);
    await call.untilEvent('agent-said', 2);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${FILLER} ${ANSWER}`]);
    await ask(call);
    await call.untilEvent('agent-said', 3);
    const turns = (await hangUp(call))?.turns ?? [];
    expect(call.eventsOf('filler-said')).toHaveLength(1);
    expect(messagesOf(call, 1)).toContain(`assistant: ${FILLER} ${ANSWER}`);
    // The parts of the answer itself are known as in any other turn, and the gap is what the caller heard.
    expect(turns[0]).toMatchObject({ filler: true, modelFirstTokenMs: 5000, voiceFirstByteMs: 80 });
    expect(turns[0]).not.toHaveProperty('firstFrameMs');
    expect(turns[0]?.heardGapMs).toBeLessThan(3500);
    expect(turns[1]).not.toHaveProperty('filler');
  });

  it('is not made to wait longer by it: the model is given up when it would be without', async () => {
    const failureAfterMs = async (enabled: boolean) => {
      const call = await afterGreeting({ passes: [{ hangs: true }, ...goodbyePasses], phrases: fillerInCache(), settings: { turn: { filler: { enabled } } } });
      const askedAtMs = await ask(call);
      const { atMs } = await call.untilEvent('vendor-failed');
      expect(call.eventsOf('filler-said')).toHaveLength(enabled ? 1 : 0);
      await hangUp(call);
      return atMs - askedAtMs;
    };
    expect(await failureAfterMs(true)).toBe(await failureAfterMs(false));
  });

  it('hears it as soon as the voice has spoken it, where it is not cached; later calls have it at once', async () => {
    const phrases = createPhraseCache();
    for (const isFirst of [true, false]) {
      const call = await slowCall(6000, { phrases });
      const askedAtMs = await ask(call);
      const { atMs } = await call.untilEvent('filler-said');
      expect(atMs - askedAtMs > 2560).toBe(isFirst);
      await call.untilEvent('agent-said', 2);
      expect(call.transcript().slice(-1)).toEqual([`agent: ${FILLER} ${ANSWER}`]);
      expect(call.tts.spoken.includes(FILLER)).toBe(isFirst);
      if (isFirst) await leave(call);
      else await hangUp(call);
    }
  });

  it.each([
    ['where the model has begun to speak', 2200, {}],
    ['where its first words come while the filler is being spoken', 2700, {}],
    ['where it is switched off', 5000, { settings: { turn: { filler: { enabled: false } } } }],
    ['where the voice does not speak it', 5000, { tts: (index: number) => (index === 1 ? { stallsAfterMs: 0 } : {}) }],
  ] as const)('hears none %s', async (_name, firstTokenMs, options) => {
    const call = await slowCall(firstTokenMs, options);
    await ask(call);
    await call.untilEvent('agent-said', 2);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${ANSWER}`]);
    expect([call.eventsOf('filler-said'), call.eventsOf('vendor-failed')]).toEqual([[], []]);
    await leave(call);
    expect(call.tts.openUtterances).toBe(0);
  });

  it('hears none before the turn is over, however early the reply was begun', async () => {
    const call = await slowCall(4000, { phrases: fillerInCache(), settings: { turn: { endpointing: { min_delay_ms: 2900, max_delay_ms: 3000 } } } });
    const askedAtMs = await ask(call);
    await call.untilEvent('agent-said', 2);
    expect(call.eventsOf('reply-prepared')[0]?.atMs).toBeLessThan(askedAtMs - 2500);
    expect(call.eventsOf('filler-said')).toEqual([]);
    await hangUp(call);
  });

  it('hears one before the words of the node that the model chose', async () => {
    const call = await afterGreeting({ phrases: fillerInCache(), passes: [{ tools: [END_TOOL], firstTokenMs: 3000 }, { text: 'Goodbye.', firstTokenMs: 3000 }] });
    await ask(call);
    await call.until(() => call.outcome !== null);
    expect(call.outcome?.ending.endReason).toBe('agent_hangup');
    expect(call.eventsOf('filler-said')).toHaveLength(1);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${FILLER} Goodbye.`]);
  });

  it('may interrupt it; then nothing more comes of the reply', async () => {
    const call = await slowCall(6000, { phrases: fillerInCache() });
    await ask(call);
    await call.untilEvent('filler-said');
    await call.advance(200);
    call.carrier.says('No, wait, on Sunday.');
    await call.untilEvent('caller-said', 2);
    expect(call.llm.openPasses).toBeLessThanOrEqual(1);
    await call.until(() => call.eventsOf('agent-said').length >= 3);
    expect(call.transcript().some((line) => line.includes(ANSWER))).toBe(false);
    await hangUp(call);
  });
});

/** A call whose model is hedged with a second one. */
function hedgedCall(first: readonly PassScript[], second: readonly PassScript[], options: VirtualCallOptions = {}) {
  const spares: ScriptedModel[] = [];
  const hedges: Hedge[] = [];
  const compose = ({ clock, llm }: PlainVendors) => {
    const spare = createScriptedModel(clock, second);
    spares.push(spare);
    return { llm: createFallbackLanguageModel(lineUp('llm', [llm, spare], { clock }), clock, createHedging(700)) };
  };
  const adjust: VirtualCallOptions['adjust'] = (given) => ({ ...given, onModelHedged: (hedge) => void hedges.push(hedge) });
  const answered = afterGreeting({ passes: first, compose, adjust, ...options });
  return { answered, spares, hedges };
}

describe('a hedged model', () => {
  it('answers with the quicker of two requests; the turn, an event and the counter tell of it', async () => {
    const { answered, spares, hedges } = hedgedCall([{ text: 'Never heard.', firstTokenMs: 1900 }, ...goodbyePasses], [{ text: ANSWER, firstTokenMs: 300 }]);
    const call = await answered;
    await ask(call);
    const started = await call.untilEvent('reply-started', 2);
    expect(started.data['latency']).toMatchObject({ model_first_token_ms: 1000, hedged: true });
    await call.untilEvent('agent-said', 2);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${ANSWER}`]);
    expect([call.llm.openPasses, spares[0]?.openPasses]).toEqual([0, 0]);
    const { turns } = await leave(call);
    expect(call.eventsOf('model-hedged').map(({ data }) => data)).toEqual([
      { reply_id: started.data['reply_id'], from: 'first', from_model: 'llm', to: 'second', to_model: 'llm', after_ms: 700, winner: 'second' },
    ]);
    expect(hedges).toHaveLength(1);
    expect(call.eventsOf('vendor-fallback')).toEqual([]);
    expect(turns.map(({ hedged }) => hedged)).toEqual([true, undefined]);
    // The call has stayed with its vendor of choice.
    expect([call.llm.requests.length, spares[0]?.requests.length]).toEqual([3, 1]);
  });

  it('of a reply that the caller makes void, or the end of the call, is told of once and leaves no request open', async () => {
    const slow = { text: 'Never heard.', firstTokenMs: 1900 };
    const { answered, spares } = hedgedCall([slow, slow], [slow, slow], { settings: { turn: { endpointing: { min_delay_ms: 1500, max_delay_ms: 3000 } } } });
    const call = await answered;
    call.carrier.says('I would like a table.');
    call.carrier.pauses(1300);
    call.carrier.says('For two please.');
    await call.untilEvent('prepared-reply-dropped');
    expect(call.eventsOf('model-hedged').map(({ data }) => data['winner'])).toEqual(['none']);
    expect([call.llm.openPasses, spares[0]?.openPasses]).toEqual([0, 0]);
    await call.until(() => spares[0]?.requests.length === 2);
    call.carrier.stops();
    await expectCleanEnd(call, 'caller_hangup');
    expect(call.eventsOf('model-hedged').map(({ data }) => data['winner'])).toEqual(['none', 'none']);
    expect([call.llm.openPasses, spares[0]?.openPasses]).toEqual([0, 0]);
  });
});
