import { describe, expect, it } from 'vitest';
import { AgentStreamError } from '../../src/base/errors.js';
import { createFalloverFeed } from '../../src/speech/fallback/fallover-feed.js';
import { createFallbackRealtimeModel } from '../../src/speech/fallback/realtime.js';
import type { SpeechToSpeechModels } from '../../src/speech/models.js';
import { createWorkMeter } from '../../src/speech/work-meter.js';
import { lineUp } from '../support/lineup.js';
import { expectCleanEnd, heardCharacters } from '../support/virtual/call-invariants.js';
import { afterGreeting, ANSWER, goodbyePasses } from '../support/virtual/scenes.js';
import type { PassScript } from '../support/virtual/scripted-model.js';
import { createScriptedRealtime, scriptRealtimeParts, type ScriptedRealtime } from '../support/virtual/scripted-realtime.js';
import type { ScriptedSpeechToTextOptions, UtteranceScript } from '../support/virtual/scripted-speech.js';
import { answerVirtualCall, GREETING, type PlainVendors, type VirtualCall } from '../support/virtual/virtual-call.js';

const QUESTION = 'How much is a ticket?';
const LONG_GREETING = 'Hello, this is the museum by the river. How can I help you?';
const failure = (code: 'vendor-unauthorized' | 'vendor-rejected' | 'vendor-unreachable') => new AgentStreamError(code);

/** What one speech-to-speech model of a call does. */
interface Script {
  readonly stt?: ScriptedSpeechToTextOptions;
  readonly passes?: readonly PassScript[];
  readonly tts?: (index: number) => UtteranceScript;
}

/** Speech-to-speech models in a line: the call's own scripted legs are the first one's parts. */
function inLine(scripts: readonly Script[], hasVoice = false): { spares: ScriptedRealtime[]; realtime: (plain: PlainVendors) => SpeechToSpeechModels; firstOf: () => ScriptedRealtime } {
  const spares: ScriptedRealtime[] = [];
  let first: ScriptedRealtime | null = null;
  return {
    spares,
    firstOf() {
      if (first === null) throw new Error('the call has not begun');
      return first;
    },
    realtime({ clock, stt, llm, tts, wordEndingIn }) {
      const feed = createFalloverFeed();
      first = createScriptedRealtime('first', { stt, llm, tts });
      spares.push(...scripts.map((script, index) => createScriptedRealtime(['second', 'third'][index] ?? 'another', scriptRealtimeParts(clock, wordEndingIn, script, (index + 1) * 1_000_000))));
      const beside = scriptRealtimeParts(clock, wordEndingIn, {}, 9_000_000);
      tts.others.push(...spares.map((spare) => spare.tts), beside.tts);
      const line = lineUp('realtime', [first, ...spares], { clock, onFallover: feed.tell });
      const choiceOf = (vendor: string) => ({ vendor, model: 'realtime', reason: 'agent' as const, isSimulated: true });
      return {
        kind: 'speech-to-speech',
        realtime: createFallbackRealtimeModel(line, clock),
        llm: beside.llm,
        tts: hasVoice ? beside.tts : null,
        fallovers: feed,
        meter: createWorkMeter(),
        get choice() {
          return { realtime: choiceOf(line.current.vendor), llm: choiceOf('beside') };
        },
      };
    },
  };
}

const falloversOf = (call: VirtualCall) => call.eventsOf('vendor-fallback').map(({ data }) => `${String(data['leg'])} ${String(data['from'])}>${String(data['to'])} ${String(data['code'])}`);

async function ask(call: VirtualCall, text = QUESTION): Promise<void> {
  call.carrier.says(text);
  await call.untilEvent('caller-said', call.eventsOf('caller-said').length + 1);
}

async function leave(call: VirtualCall, spares: readonly ScriptedRealtime[]): Promise<void> {
  await call.advance(300);
  call.carrier.says('Goodbye.');
  await expectCleanEnd(call, 'agent_hangup');
  expectFreed(spares);
}

function expectFreed(spares: readonly ScriptedRealtime[]): void {
  for (const { stt, llm, tts } of spares) expect([stt.isOpen, llm.openPasses, tts.isOpen, tts.openUtterances]).toEqual([false, 0, false, 0]);
}

/** How often the caller heard a text as a whole. */
const timesHeard = (call: VirtualCall, text: string) => heardCharacters(call).split(text).length - 1;

describe('a speech-to-speech model that fails before it is heard', () => {
  it.each([
    ['refuses the key', { stt: { turnEndMs: 500, failsAtMs: 10, error: failure('vendor-unauthorized') } }, 'vendor-unauthorized'],
    ['cannot be reached', { stt: { turnEndMs: 500, failsAtMs: 10 } }, 'vendor-unreachable'],
    ['is never set up', { stt: { turnEndMs: 500, isNeverReady: true }, tts: () => ({ stallsAfterMs: 0 }) }, 'vendor-unreachable'],
    ['refuses to speak', { tts: () => ({ failsAfterMs: 0, error: failure('vendor-rejected') }) }, 'vendor-rejected'],
    ['stays silent', { tts: () => ({ stallsAfterMs: 0 }) }, 'vendor-unreachable'],
  ] as const)('because it %s is followed by the next, which greets once and holds the call', async (_name, script, code) => {
    const { spares, realtime } = inLine([{ passes: [{ text: ANSWER }, ...goodbyePasses] }]);
    const call = await afterGreeting({ realtime, stt: { turnEndMs: 500 }, ...script });
    expect(timesHeard(call, GREETING)).toBe(1);
    await ask(call);
    await call.untilEvent('agent-said', 2);
    expect(call.transcript()).toEqual([`agent: ${GREETING}`, `caller: ${QUESTION}`, `agent: ${ANSWER}`]);
    expect(falloversOf(call)).toEqual([`realtime first>second ${code}`]);
    expect(call.eventsOf('vendor-failed')).toEqual([]);
    await leave(call, spares);
  });
});

describe('a speech-to-speech model that fails in mid-call', () => {
  it.each([
    ['breaks', { error: failure('vendor-unreachable'), firstTokenMs: 50 }, 'vendor-unreachable'],
    ['refuses the request', { error: failure('vendor-rejected'), firstTokenMs: 50 }, 'vendor-rejected'],
    ['stays silent', { firstTokenMs: 3_600_000 }, 'vendor-unreachable'],
  ] as const)('because it %s is followed by the next, which is told the conversation and answers', async (_name, pass, code) => {
    const { spares, realtime, firstOf } = inLine([{ passes: [{ text: ANSWER }, ...goodbyePasses] }]);
    const call = await afterGreeting({ realtime, stt: { turnEndMs: 500 }, passes: [pass] });
    await ask(call);
    await call.untilEvent('agent-said', 2);
    expect(call.transcript()).toEqual([`agent: ${GREETING}`, `caller: ${QUESTION}`, `agent: ${ANSWER}`]);
    expect(falloversOf(call)).toEqual([`realtime first>second ${code}`]);
    expect(call.eventsOf('vendor-failed')).toEqual([]);
    expect(firstOf().opened).toEqual([{ isUnderWay: false, hasSpare: true }]);
    expect(spares[0]?.opened).toEqual([{ isUnderWay: true, hasSpare: false }]);
    const told = spares[0]?.llm.requests[0]?.messages.map(({ role, ...rest }) => `${role}: ${'text' in rest ? rest.text : ''}`);
    expect(told?.slice(-2)).toEqual([`assistant: ${GREETING}`, `user: ${QUESTION}`]);
    await leave(call, spares);
  });

  it('while the caller speaks loses and repeats no word', async () => {
    const { spares, realtime } = inLine([{ passes: [{ text: ANSWER }, ...goodbyePasses] }]);
    const call = await afterGreeting({ realtime, stt: { turnEndMs: 500 }, passes: [{ text: ANSWER }] });
    await ask(call);
    await call.untilEvent('agent-said', 2);
    call.carrier.says('I want to change my reservation please');
    await call.advance(1200);
    call.stt.fail();
    await call.untilEvent('agent-said', 3);
    expect(call.transcript().filter((line) => line.startsWith('caller'))).toEqual([`caller: ${QUESTION}`, 'caller: I want to change my reservation please']);
    expect(falloversOf(call)).toEqual(['realtime first>second vendor-unreachable']);
    await leave(call, spares);
  });

  it('in the middle of an answer is not asked again: what was heard of it stays, and the record names who failed', async () => {
    const { spares, realtime } = inLine([{ passes: [{ text: 'Twelve euros.' }, ...goodbyePasses] }]);
    const call = await afterGreeting({ realtime, stt: { turnEndMs: 500 }, passes: [{ text: ANSWER }], tts: (index) => (index === 1 ? { failsAfterMs: 1860 } : {}) });
    await ask(call);
    await call.untilEvent('agent-said', 2);
    await call.advance(3000);
    expect(call.transcript().slice(-1)).toEqual(['agent: A ticket for an adult is']);
    expect(timesHeard(call, 'A ticket for an adult')).toBe(1);
    expect(call.eventsOf('vendor-failed')).toMatchObject([{ data: { leg: 'realtime', vendor: 'first', code: 'vendor-unreachable' } }]);
    expect(falloversOf(call)).toEqual(['realtime first>second vendor-unreachable']);
    await ask(call, 'Say it again.');
    await call.until(() => call.transcript().at(-1) === 'agent: Twelve euros.');
    await leave(call, spares);
  });

  it('in the middle of fixed words is followed by the next, which repeats and skips nothing', async () => {
    const { spares, realtime } = inLine([{ passes: goodbyePasses }]);
    const nodes = [
      { id: 'start', type: 'startCall', data: { name: 'start', greeting: LONG_GREETING, prompt: 'Help the caller.' } },
      { id: 'end', type: 'endCall', data: { name: 'end', prompt: 'Say goodbye.' } },
    ];
    const call = await afterGreeting({ realtime, nodes, stt: { turnEndMs: 500 }, tts: () => ({ failsAfterMs: 1400 }) });
    // 1.4 s are 23 characters of this voice: it broke off within "museum".
    expect(spares[0]?.tts.spoken.map((text) => text.trim())).toEqual(['museum by the river. How can I help you?']);
    expect(call.transcript()).toEqual([`agent: ${LONG_GREETING}`]);
    expect(falloversOf(call)).toEqual(['realtime first>second vendor-unreachable']);
    await leave(call, spares);
  });

  it('goes back to a vendor that has answered, where the next one fails later', async () => {
    const { spares, realtime } = inLine([{ passes: [{ text: ANSWER }, { error: failure('vendor-unreachable'), firstTokenMs: 50 }] }]);
    const call = await afterGreeting({ realtime, stt: { turnEndMs: 500 }, passes: [{ error: failure('vendor-unreachable'), firstTokenMs: 50 }, { text: 'Ten o’clock.' }, ...goodbyePasses] });
    await ask(call);
    await call.untilEvent('agent-said', 2);
    await ask(call, 'When do you open?');
    await call.untilEvent('agent-said', 3);
    expect(call.transcript().slice(-1)).toEqual(['agent: Ten o’clock.']);
    expect(falloversOf(call)).toEqual(['realtime first>second vendor-unreachable', 'realtime second>first vendor-unreachable']);
    await leave(call, spares);
  });
});

describe('speech-to-speech models that all fail', () => {
  it('are apologised for by the voice beside them, and the call ends', async () => {
    const { spares, realtime } = inLine([{ stt: { failsAtMs: 100, error: failure('vendor-unauthorized') } }, { stt: { failsAtMs: 100 } }], true);
    const call = await afterGreeting({ realtime, stt: { turnEndMs: 500 } });
    call.stt.fail();
    await expectCleanEnd(call, 'vendor_error');
    expectFreed(spares);
    expect(falloversOf(call)).toEqual(['realtime first>second vendor-unreachable', 'realtime second>third vendor-unauthorized']);
    expect(call.eventsOf('vendor-failed')).toMatchObject([{ data: { leg: 'realtime', vendor: 'third', code: 'vendor-unreachable' } }]);
    expect(call.transcript().slice(-1)).toEqual(['agent: I am sorry, I cannot go on right now. Please call again later. Goodbye.']);
  });

  it('end the call where nobody is left to apologise', async () => {
    const { spares, realtime } = inLine([{ stt: { failsAtMs: 10, error: failure('vendor-unauthorized') } }]);
    const call = await answerVirtualCall({ realtime, stt: { failsAtMs: 10, turnEndMs: 500 } });
    await expectCleanEnd(call, 'vendor_error');
    expectFreed(spares);
  });

  it('each of which begins and breaks off are not gone back to for ever', async () => {
    const breaking = () => ({ failsAfterMs: 100 });
    const { spares, realtime } = inLine([{ tts: breaking }]);
    const call = await answerVirtualCall({ realtime, stt: { turnEndMs: 500 }, tts: breaking });
    await expectCleanEnd(call, 'vendor_error');
    expectFreed(spares);
    expect(spares[0]?.tts.spoken.length).toBeLessThanOrEqual(4);
  });
});
