import { describe, expect, it } from 'vitest';
import { AgentStreamError } from '../../src/base/errors.js';
import { createPhraseCache } from '../../src/call/phrase-cache.js';
import { createFalloverFeed } from '../../src/speech/fallback/fallover-feed.js';
import { createHealthTable, type HealthTable } from '../../src/speech/fallback/health-table.js';
import { createFallbackLanguageModel } from '../../src/speech/fallback/language-model.js';
import { createFallbackSpeechToText } from '../../src/speech/fallback/speech-to-text.js';
import { createFallbackTextToSpeech } from '../../src/speech/fallback/text-to-speech.js';
import type { CascadedModels } from '../../src/speech/models.js';
import { lineUp } from '../support/lineup.js';
import { expectCleanEnd, heardCharacters } from '../support/virtual/call-invariants.js';
import { afterGreeting, ANSWER, goodbyePasses, messagesOf } from '../support/virtual/scenes.js';
import { createScriptedModel, type PassScript, type ScriptedModel } from '../support/virtual/scripted-model.js';
import {
  createScriptedSpeechToText,
  createScriptedTextToSpeech,
  type ScriptedSpeechToText,
  type ScriptedSpeechToTextOptions,
  type ScriptedTextToSpeech,
  type UtteranceScript,
} from '../support/virtual/scripted-speech.js';
import { answerVirtualCall, GREETING, type PlainVendors, type VirtualCall } from '../support/virtual/virtual-call.js';

const APOLOGY = 'Sorry, something went wrong on my side. Could you say that again?';
const LAST_APOLOGY = 'I am sorry, I cannot go on right now. Please call again later. Goodbye.';
const QUESTION = 'How much is a ticket?';

const failure = (code: 'vendor-unauthorized' | 'vendor-rejected' | 'vendor-rate-limited' | 'vendor-unreachable' | 'vendor-protocol') =>
  new AgentStreamError(code);

/** The vendors that stand in for those of the call, made once the call has its clock. */
interface Spares {
  stt: ScriptedSpeechToText[];
  llm: ScriptedModel[];
  tts: ScriptedTextToSpeech[];
}

/** What the spares do. */
interface SpareScripts {
  readonly stt?: readonly ScriptedSpeechToTextOptions[];
  readonly llm?: readonly (readonly PassScript[])[];
  readonly tts?: readonly ((index: number) => UtteranceScript)[];
  readonly health?: (clock: PlainVendors['clock']) => HealthTable;
}

/** Puts spares behind the vendors of a virtual call. */
function withSpares(scripts: SpareScripts): { spares: Spares; compose: (plain: PlainVendors) => Partial<CascadedModels> } {
  const spares: Spares = { stt: [], llm: [], tts: [] };
  return {
    spares,
    compose({ clock, stt, tts, llm, wordEndingIn }) {
      const feed = createFalloverFeed();
      const options = { clock, health: scripts.health?.(clock) ?? createHealthTable(clock), onFallover: feed.tell };
      spares.stt = (scripts.stt ?? []).map((script) => createScriptedSpeechToText(clock, wordEndingIn, script));
      spares.llm = (scripts.llm ?? []).map((script) => createScriptedModel(clock, script));
      spares.tts = (scripts.tts ?? []).map((script, index) => createScriptedTextToSpeech(clock, script, (index + 1) * 1_000_000));
      tts.others.push(...spares.tts);
      return {
        stt: createFallbackSpeechToText(lineUp('stt', [stt, ...spares.stt], options), clock),
        llm: createFallbackLanguageModel(lineUp('llm', [llm, ...spares.llm], options), clock),
        tts: createFallbackTextToSpeech(lineUp('tts', [tts, ...spares.tts], options), clock),
        fallovers: feed,
      };
    },
  };
}

const falloversOf = (call: VirtualCall) => call.eventsOf('vendor-fallback').map(({ data }) => `${String(data['leg'])} ${String(data['from'])}>${String(data['to'])} ${String(data['code'])}`);

async function ask(call: VirtualCall): Promise<void> {
  call.carrier.says(QUESTION);
  await call.untilEvent('caller-said', call.eventsOf('caller-said').length + 1);
}

async function leave(call: VirtualCall, spares: Spares): Promise<void> {
  await call.advance(300);
  call.carrier.says('Goodbye.');
  await expectCleanEnd(call, 'agent_hangup');
  expectFreed(spares);
}

function expectFreed(spares: Spares): void {
  for (const stt of spares.stt) expect(stt.isOpen).toBe(false);
  for (const llm of spares.llm) expect(llm.openPasses).toBe(0);
  for (const tts of spares.tts) expect([tts.isOpen, tts.openUtterances]).toEqual([false, 0]);
}

/** From the end of the question to the first sound of the answer. */
async function answerDelayMs(call: VirtualCall): Promise<number> {
  const askedAtMs = call.carrier.voiceEndMs;
  await call.until(() => call.carrier.heard.some(({ playAtMs, tag }) => tag !== null && playAtMs > askedAtMs));
  const heard = call.carrier.heard.find(({ playAtMs, tag }) => tag !== null && playAtMs > askedAtMs);
  return (heard?.playAtMs ?? Infinity) - askedAtMs;
}

/** What every failure must cost the caller at most, beyond an answer without one. */
const STALL_LIMIT_MS = 2000;
const PLAIN_DELAY_MS = 1200;

describe('a model that fails before its first word', () => {
  it.each([
    ['refuses the key', { error: failure('vendor-unauthorized'), firstTokenMs: 50 }, 'vendor-unauthorized'],
    ['refuses the request', { error: failure('vendor-rejected'), firstTokenMs: 50 }, 'vendor-rejected'],
    ['limits requests', { error: failure('vendor-rate-limited'), firstTokenMs: 50 }, 'vendor-rate-limited'],
    ['answers 500', { error: failure('vendor-unreachable'), firstTokenMs: 50 }, 'vendor-unreachable'],
    ['sends nonsense', { error: failure('vendor-protocol'), firstTokenMs: 50 }, 'vendor-protocol'],
    ['throws something of its own', { error: new TypeError('undefined is not a function'), firstTokenMs: 50 }, 'vendor-failed'],
    ['stays silent', { firstTokenMs: 3_600_000 }, 'vendor-unreachable'],
  ] as const)('because it %s is replaced for the rest of the call', async (_name, pass, code) => {
    const { spares, compose } = withSpares({ llm: [[{ text: ANSWER }, ...goodbyePasses]] });
    const call = await afterGreeting({ compose, passes: [pass] });
    await ask(call);
    const delayMs = await answerDelayMs(call);
    expect(delayMs).toBeLessThanOrEqual(PLAIN_DELAY_MS + STALL_LIMIT_MS);
    if (code !== 'vendor-unreachable') expect(delayMs).toBeLessThanOrEqual(PLAIN_DELAY_MS);
    await call.untilEvent('agent-said', 2);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${ANSWER}`]);
    expect(falloversOf(call)).toEqual([`llm first>second ${code}`]);
    expect(call.eventsOf('vendor-failed')).toEqual([]);
    await leave(call, spares);
    expect(call.llm.requests).toHaveLength(1);
    expect(spares.llm[0]?.requests).toHaveLength(3);
  });

  it('hands on to the third where the second fails as well', async () => {
    const { spares, compose } = withSpares({ llm: [[{ error: failure('vendor-rate-limited') }], [{ text: ANSWER }, ...goodbyePasses]] });
    const call = await afterGreeting({ compose, passes: [{ error: failure('vendor-unauthorized') }] });
    await ask(call);
    await call.untilEvent('agent-said', 2);
    expect(falloversOf(call)).toEqual(['llm first>second vendor-unauthorized', 'llm second>third vendor-rate-limited']);
    await leave(call, spares);
  });
});

describe('a model that fails after its first word', () => {
  it('is heard as far as it went, once, and is not replaced in the middle of its answer', async () => {
    const { spares, compose } = withSpares({ llm: [[{ text: 'Never asked.' }]] });
    const call = await afterGreeting({ compose, passes: [{ text: 'It is twelve euros. Children under', error: failure('vendor-unreachable') }, ...goodbyePasses] });
    await ask(call);
    await call.untilEvent('agent-said', 2);
    expect(call.transcript().slice(-1)).toEqual(['agent: It is twelve euros. Children under']);
    expect(call.eventsOf('vendor-failed')).toMatchObject([{ data: { leg: 'llm', code: 'vendor-unreachable' } }]);
    expect(falloversOf(call)).toEqual([]);
    expect(spares.llm[0]?.requests).toEqual([]);
    await leave(call, spares);
  });
});

it('models that all fail are apologised for and given up as one would be', async () => {
  const down = Array.from({ length: 3 }, () => ({ error: failure('vendor-unreachable'), firstTokenMs: 50 }));
  const { spares, compose } = withSpares({ llm: [down] });
  const call = await afterGreeting({ compose, passes: down });
  for (let turn = 1; turn <= 3; turn += 1) {
    await ask(call);
    await call.untilEvent('agent-said', turn + 1);
  }
  await expectCleanEnd(call, 'vendor_error');
  expectFreed(spares);
  expect(call.transcript().filter((line) => line === `agent: ${APOLOGY}`)).toHaveLength(2);
  expect(call.transcript().slice(-1)).toEqual([`agent: ${LAST_APOLOGY}`]);
  expect(call.eventsOf('vendor-failed')).toHaveLength(3);
});

describe('a voice that fails before it is heard', () => {
  it.each([
    ['refuses the key', { failsAfterMs: 0, error: failure('vendor-unauthorized') }, 'vendor-unauthorized'],
    ['limits requests', { failsAfterMs: 0, error: failure('vendor-rate-limited') }, 'vendor-rate-limited'],
    ['breaks', { failsAfterMs: 0 }, 'vendor-unreachable'],
    ['gives no audio', { isEmpty: true }, 'vendor-protocol'],
    ['stays silent', { stallsAfterMs: 0 }, 'vendor-unreachable'],
  ] as const)('because it %s is replaced for the rest of the call', async (_name, script, code) => {
    const { spares, compose } = withSpares({ tts: [() => ({})] });
    const call = await afterGreeting({ compose, passes: [{ text: ANSWER }, ...goodbyePasses], tts: (index) => (index === 0 ? {} : script) });
    await ask(call);
    expect(await answerDelayMs(call)).toBeLessThanOrEqual(PLAIN_DELAY_MS + STALL_LIMIT_MS);
    await call.untilEvent('agent-said', 2);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${ANSWER}`]);
    expect(falloversOf(call)).toEqual([`tts first>second ${code}`]);
    expect(call.eventsOf('vendor-failed')).toEqual([]);
    await leave(call, spares);
    expect(call.tts.spoken).toHaveLength(2);
    expect(spares.tts[0]?.spoken.map((text) => text.trim())).toEqual([ANSWER, 'Thank you. Goodbye.']);
  });
});

describe('a voice that fails in the middle', () => {
  const LONG = 'A ticket is twelve euros. Children under six come in free. We open at nine, and close at five.';

  it.each([
    ['fails', { failsAfterMs: 2500 }],
    ['falls silent', { stallsAfterMs: 2500 }],
  ])('because it %s is followed by the next, which repeats and skips nothing', async (_name, script) => {
    const { spares, compose } = withSpares({ tts: [() => ({})] });
    const call = await afterGreeting({ compose, passes: [{ text: LONG }, ...goodbyePasses], tts: (index) => (index === 1 ? script : {}) });
    await ask(call);
    const askedAtMs = call.carrier.voiceEndMs;
    await call.untilEvent('agent-said', 2);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${LONG}`]);
    expect(falloversOf(call)).toEqual(['tts first>second vendor-unreachable']);
    expect(call.carrier.longestSilenceMs(askedAtMs, call.clock.nowMs())).toBeLessThanOrEqual(STALL_LIMIT_MS);
    // 2.5 s are 41 characters of this voice: it broke off within "six".
    expect(spares.tts[0]?.spoken.map((text) => text.trim())).toEqual(['six come in free. We open at nine, and close at five.']);
    expect(heardCharacters(call)).toMatch(/twelve euros\. Children under s six come in free\. We open/);
    await leave(call, spares);
  });

  it('is not followed by anything where it had said everything', async () => {
    const text = 'Twelve euros.';
    const { spares, compose } = withSpares({ tts: [() => ({})] });
    const call = await afterGreeting({ compose, passes: [{ text }, ...goodbyePasses], tts: (index) => (index === 1 ? { failsAfterMs: text.length * 60 } : {}) });
    await ask(call);
    await call.untilEvent('agent-said', 2);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${text}`]);
    expect(spares.tts[0]?.spoken.join('').trim()).toBe('');
    await leave(call, spares);
  });
});

describe('voices that all fail', () => {
  const down = () => ({ failsAfterMs: 0 });

  it('leave the apology that was rendered before, in whichever voice, and the call is given up', async () => {
    const phrases = createPhraseCache();
    const { compose } = withSpares({ tts: [down] });
    const cached = Buffer.alloc(8000, 0x90);
    phrases.set('scripted\u0000en', APOLOGY, cached);
    const call = await afterGreeting({ compose, phrases, passes: [{ text: ANSWER }, { text: ANSWER }], tts: (index) => (index === 0 ? {} : down()) });
    await ask(call);
    await call.untilEvent('agent-said', 2);
    expect(call.transcript().slice(-1)).toEqual([`agent: ${APOLOGY}`]);
    await ask(call);
    await call.until(() => call.outcome !== null);
    expect(call.outcome?.ending.endReason).toBe('vendor_error');
    expect(call.eventsOf('vendor-failed').map(({ data }) => data['leg'])).toEqual(['tts', 'tts']);
  });

  it('end the call in time where nothing was rendered', async () => {
    const { spares, compose } = withSpares({ tts: [down, down] });
    const call = await answerVirtualCall({ compose, tts: down });
    await expectCleanEnd(call, 'vendor_error');
    expectFreed(spares);
  });

  it('that stay silent end the call in time', async () => {
    const { spares, compose } = withSpares({ tts: [() => ({ stallsAfterMs: 0 })] });
    const call = await answerVirtualCall({ compose, tts: () => ({ stallsAfterMs: 0 }) });
    await expectCleanEnd(call, 'vendor_error');
    expect(call.control.requests[0]?.atMs).toBeLessThanOrEqual(10_000);
    expectFreed(spares);
  });
});

describe('a recogniser that', () => {
  it.each([
    ['refuses the key', { failsAtMs: 10, error: failure('vendor-unauthorized') }, 'vendor-unauthorized'],
    ['limits requests', { failsAtMs: 10, error: failure('vendor-rate-limited') }, 'vendor-rate-limited'],
    ['cannot be reached', { failsAtMs: 10 }, 'vendor-unreachable'],
    ['never takes audio', { isNeverReady: true }, 'vendor-unreachable'],
    ['has no word for speech', { isMute: true }, 'vendor-unreachable'],
  ] as const)('%s is replaced, and every word is heard once', async (_name, stt, code) => {
    const { spares, compose } = withSpares({ stt: [{}] });
    const call = await afterGreeting({ compose, stt, passes: [{ text: ANSWER }, ...goodbyePasses] });
    await ask(call);
    expect(call.transcript().slice(-1)).toEqual([`caller: ${QUESTION}`]);
    await call.untilEvent('agent-said', 2);
    expect(falloversOf(call)).toEqual([`stt first>second ${code}`]);
    expect(call.eventsOf('vendor-failed')).toEqual([]);
    await leave(call, spares);
    expect(call.transcript().filter((line) => line.startsWith('caller'))).toEqual([`caller: ${QUESTION}`, 'caller: Goodbye.']);
  });

  it('fails while the caller speaks is replaced without a word lost or repeated', async () => {
    const { spares, compose } = withSpares({ stt: [{}] });
    const call = await afterGreeting({ compose, passes: [{ text: ANSWER }, { text: ANSWER }, ...goodbyePasses] });
    await ask(call);
    await call.untilEvent('agent-said', 2);
    call.carrier.says('I want to change my reservation please');
    await call.advance(1200);
    call.stt.fail();
    await call.untilEvent('agent-said', 3);
    expect(call.transcript().filter((line) => line.startsWith('caller'))).toEqual([`caller: ${QUESTION}`, 'caller: I want to change my reservation please']);
    expect(falloversOf(call)).toEqual(['stt first>second vendor-unreachable']);
    await leave(call, spares);
  });

  it('is doubted for noise is kept', async () => {
    const { spares, compose } = withSpares({ stt: [{}] });
    const call = await afterGreeting({ compose, passes: [{ text: ANSWER }, ...goodbyePasses] });
    call.carrier.coughs(1600);
    await call.advance(6000);
    expect(spares.stt[0]?.isOpen).toBe(false);
    await ask(call);
    await call.untilEvent('agent-said', 2);
    expect(falloversOf(call)).toEqual([]);
    await leave(call, spares);
  });
});

it('recognisers that all fail end the call as one would', async () => {
  const { spares, compose } = withSpares({ stt: [{ failsAtMs: 100, error: failure('vendor-unauthorized') }] });
  const call = await afterGreeting({ compose });
  call.stt.fail();
  await expectCleanEnd(call, 'vendor_error');
  expectFreed(spares);
  expect(falloversOf(call)).toEqual(['stt first>second vendor-unreachable']);
  expect(call.eventsOf('vendor-failed')).toMatchObject([{ data: { leg: 'stt', code: 'vendor-unauthorized' } }]);
  expect(call.transcript().slice(-1)).toEqual([`agent: ${LAST_APOLOGY}`]);
});

it('a call begins with the spare while other calls know that the vendor of choice is down', async () => {
  const health = (clock: PlainVendors['clock']) => {
    const table = createHealthTable(clock);
    for (let call = 0; call < 3; call += 1) table.noteFailure('llm first', 'vendor-rate-limited');
    return table;
  };
  const { spares, compose } = withSpares({ llm: [[{ text: ANSWER }, ...goodbyePasses]], health });
  const call = await afterGreeting({ compose });
  expect(falloversOf(call)).toEqual(['llm first>second vendor-rate-limited']);
  await ask(call);
  await call.untilEvent('agent-said', 2);
  expect(call.llm.requests).toEqual([]);
  expect(messagesOf(call, 0)).toEqual([]);
  expect(call.transcript().slice(0, 1)).toEqual([`agent: ${GREETING}`]);
  await leave(call, spares);
});
