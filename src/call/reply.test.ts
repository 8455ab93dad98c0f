import { describe, expect, it } from 'vitest';
import { createScriptedModel, type PassScript } from '../../test/support/virtual/scripted-model.js';
import { createScriptedTextToSpeech, type UtteranceScript } from '../../test/support/virtual/scripted-speech.js';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { AgentStreamError } from '../base/errors.js';
import { createPhraseCache } from './phrase-cache.js';
import { startReply, type ModelPass, type ReplyListener, type SpeechAction } from './reply.js';
import { createWrittenResponder } from './responder.js';

const say = (text: string): SpeechAction => ({ type: 'say', text, allowInterrupt: true });
const ask: SpeechAction = { type: 'ask-model', messages: [{ role: 'user', text: 'Hi' }], tools: [], allowInterrupt: true, fallbackText: '', filler: null };

interface SetUp {
  readonly passes?: readonly PassScript[];
  readonly tts?: (index: number) => UtteranceScript;
  /** What follows a pass. */
  readonly following?: (pass: ModelPass) => readonly SpeechAction[];
  readonly listener?: Partial<ReplyListener>;
  readonly signal?: AbortSignal;
}

function begin(actions: readonly SpeechAction[], options: SetUp = {}) {
  const clock = createVirtualClock();
  const product = createScriptedTextToSpeech(clock, options.tts ?? (() => ({})));
  const model = createScriptedModel(clock, options.passes ?? []);
  const signal = options.signal ?? new AbortController().signal;
  const log: string[] = [];
  const passes: ModelPass[] = [];
  let bytes = 0;
  const reply = startReply(
    actions,
    {
      id: 'reply-1',
      clock,
      responder: createWrittenResponder(model),
      voice: { product, language: 'en', stream: product.open({ language: 'en', signal }), phrases: createPhraseCache(), clips: new Map() },
      waitingSinceMs: clock.nowMs(),
      signal,
    },
    {
      onAudio: (audio) => (bytes += audio.length),
      onPassEnded(pass) {
        passes.push(pass);
        return options.following?.(pass) ?? [];
      },
      onHedged: () => undefined,
      onFillerSaid: () => log.push(`${clock.nowMs()} filler`),
      onToolsAwaited: () => Promise.resolve([]),
      onComplete: (hasAudio) => log.push(`${clock.nowMs()} complete ${hasAudio}`),
      onVoiceFailed: (error) => log.push(`${clock.nowMs()} voice-failed ${error.code}`),
      onFault: (error) => log.push(`fault ${(error as Error).message}`),
      ...options.listener,
    },
  );
  const rest = () => ({ timers: clock.pendingTimers(), utterances: product.openUtterances, passes: model.openPasses });
  return { clock, product, model, reply, log, passes, bytes: () => bytes, rest };
}

const nothingLeft = { timers: 0, utterances: 0, passes: 0 };

describe('a reply', () => {
  it('tells nothing before its owner knows it', async () => {
    const { log, clock } = begin([]);
    expect(log).toEqual([]);
    await clock.advance(0);
    expect(log).toEqual(['0 complete false']);
  });

  it('speaks fixed words and model passes in order, and says when each part happened', async () => {
    const { clock, product, reply, passes, log, rest } = begin([say('One moment.'), ask], { passes: [{ text: 'We are open. Come in.' }] });
    await clock.advance(20_000);
    expect(product.spoken).toEqual(['One moment.', 'We are open. Come in. ']);
    expect(passes).toMatchObject([{ text: 'We are open. Come in.', toolCalls: [], failure: null, usage: { inputTokens: 100 } }]);
    expect(log).toHaveLength(1);
    const { timings } = reply;
    expect(timings.voiceRequestedAtMs).toBe(0);
    expect(timings.firstByteAtMs).toBe(80);
    expect(timings.modelRequestedAtMs).toBeGreaterThan(80);
    expect(timings.firstTokenAtMs).toBe((timings.modelRequestedAtMs ?? 0) + 150);
    expect(rest()).toEqual(nothingLeft);
  });

  it('goes on with what a pass leads to', async () => {
    const { clock, product, model } = begin([ask], {
      passes: [{ tools: ['next'] }, { text: 'Here we are.' }],
      following: (pass) => (pass.toolCalls.length > 0 ? [say('Just a second.'), ask] : []),
    });
    await clock.advance(20_000);
    expect(model.requests).toHaveLength(2);
    expect(product.spoken).toEqual(['Just a second.', 'Here we are. ']);
  });

  it('speaks the first clause while the model still writes', async () => {
    const { clock, product, model } = begin([ask], { passes: [{ text: 'We are open today. And tomorrow from nine to six.', perWordMs: 200 }] });
    await clock.advance(150 + 5 * 200 + 80);
    expect(product.spoken).toEqual(['We are open today. ']);
    expect(model.openPasses).toBe(1);
  });

  it('knows the words that were heard', async () => {
    const { clock, reply } = begin([say('One two three four.')]);
    await clock.advance(5000);
    expect(reply.settle(0)).toBe('');
    expect(reply.settle(600)).toBe('One two');
    expect(reply.settle(Number.POSITIVE_INFINITY)).toBe('One two three four.');
  });

  it('that is cancelled stops model and voice, and says nothing more', async () => {
    const { clock, reply, log, bytes, rest } = begin([ask], { passes: [{ text: 'We are open. '.repeat(20), perWordMs: 100 }] });
    await clock.advance(1500);
    const heard = bytes();
    expect(heard).toBeGreaterThan(0);
    reply.cancel();
    reply.cancel();
    await clock.advance(20_000);
    expect(bytes()).toBe(heard);
    expect(log).toEqual([]);
    expect(rest()).toEqual(nothingLeft);
  });

  it('ends with its call', async () => {
    const call = new AbortController();
    const { clock, log, rest } = begin([ask], { signal: call.signal });
    await clock.advance(50);
    call.abort(new AgentStreamError('run-not-live'));
    await clock.advance(20_000);
    expect(log).toEqual([]);
    expect(rest()).toEqual(nothingLeft);
  });

  it('of a call that is over does nothing', async () => {
    const call = new AbortController();
    call.abort(new AgentStreamError('run-not-live'));
    const { clock, product, model, log, rest } = begin([say('Hello.'), ask], { signal: call.signal });
    await clock.advance(20_000);
    expect(product.spoken).toEqual([]);
    expect(model.requests).toEqual([]);
    expect(log).toEqual([]);
    expect(rest()).toEqual(nothingLeft);
  });
});

describe('a model', () => {
  it('that fails is reported with its error; what follows is spoken', async () => {
    const { clock, product, passes } = begin([ask], {
      passes: [{ error: new AgentStreamError('vendor-rate-limited') }],
      following: () => [say('Sorry.')],
    });
    await clock.advance(5000);
    expect(passes).toMatchObject([{ text: '', failure: { code: 'vendor-rate-limited' } }]);
    expect(product.spoken).toEqual(['Sorry.']);
  });

  it('that breaks off is spoken as far as it went', async () => {
    const { clock, product, passes } = begin([ask], { passes: [{ text: 'We are open. Until', error: new AgentStreamError('vendor-unreachable') }] });
    await clock.advance(5000);
    expect(passes).toMatchObject([{ text: 'We are open. Until', failure: { code: 'vendor-unreachable' } }]);
    expect(product.spoken).toEqual(['We are open. Until ']);
  });

  it('that stays silent is given up after 7 s', async () => {
    const { clock, passes, log, rest } = begin([ask], { passes: [{ hangs: true }], following: () => [say('Sorry.')] });
    await clock.advance(6999);
    expect(passes).toEqual([]);
    await clock.advance(5000);
    expect(passes).toMatchObject([{ text: '', failure: { code: 'vendor-unreachable' } }]);
    expect(log).toHaveLength(1);
    expect(rest()).toEqual(nothingLeft);
  });

  it('that never ends is cut', async () => {
    const { clock, passes, rest } = begin([ask], { passes: [{ text: 'and so on.', isEndless: true, perWordMs: 1 }] });
    await clock.advance(60_000);
    expect(passes[0]?.text.length).toBeGreaterThanOrEqual(1600);
    expect(passes[0]?.text.length).toBeLessThan(1620);
    expect(passes[0]?.failure).toBeNull();
    expect(rest()).toEqual(nothingLeft);
  });
});

describe('a voice', () => {
  it('that fails twice ends the reply', async () => {
    const { clock, log, rest } = begin([say('Hello.'), say('Not said.')], { tts: () => ({ failsAfterMs: 0 }) });
    await clock.advance(20_000);
    expect(log).toEqual(['160 voice-failed vendor-unreachable']);
    expect(rest()).toEqual(nothingLeft);
  });

  it('that stays silent is asked once more, and then given up, within 8.5 s', async () => {
    const { clock, product, log, rest } = begin([say('Hello.')], { tts: () => ({ stallsAfterMs: 0 }) });
    await clock.advance(20_000);
    expect(product.spoken).toHaveLength(2);
    expect(log).toEqual(['8000 voice-failed vendor-unreachable']);
    expect(rest()).toEqual(nothingLeft);
  });

  it('that falls silent in the middle is given up 4 s after its last audio has played', async () => {
    const { clock, log } = begin([say('Hello, how are you today?')], { tts: () => ({ stallsAfterMs: 600 }) });
    await clock.advance(20_000);
    expect(log).toEqual(['4680 voice-failed vendor-unreachable']);
  });
});

describe('a fault of this program', () => {
  it.each<readonly [string, Partial<ReplyListener>]>([
    ['where audio goes', { onAudio: () => { throw new TypeError('broken'); } }],
    ['where a pass leads', { onPassEnded: () => { throw new TypeError('broken'); } }],
    ['at the end', { onComplete: () => { throw new TypeError('broken'); } }],
  ])('%s is told as what it is, once', async (_name, listener) => {
    const { clock, log } = begin([ask], { passes: [{ text: 'Hello.' }], listener });
    await clock.advance(20_000);
    expect(log).toEqual(['fault broken']);
  });

  it('in what is done about a failed voice is told too', async () => {
    const { clock, log } = begin([say('Hello.')], {
      tts: () => ({ failsAfterMs: 0 }),
      listener: { onVoiceFailed: () => { throw new TypeError('broken'); } },
    });
    await clock.advance(20_000);
    expect(log).toEqual(['fault broken']);
  });

  it('of a voice that throws is no failure of the model', async () => {
    const { clock, log, passes } = begin([ask], { passes: [{ text: 'Hello there, come in.' }], tts: () => ({ throws: true }) });
    await clock.advance(20_000);
    expect(log).toEqual(['fault The voice is broken']);
    expect(passes).toEqual([]);
  });
});
