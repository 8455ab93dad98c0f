import { describe, expect, it } from 'vitest';
import { CHAR_MS, createScriptedTextToSpeech, type UtteranceScript } from '../../test/support/virtual/scripted-speech.js';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { TextToSpeechEvent } from '../speech/text-to-speech.js';
import { createPhraseCache } from './phrase-cache.js';
import { createSpeaker, type Voice } from './speaker.js';

const TEXT = 'We are open today.';
const BYTES = TEXT.length * CHAR_MS * 8;

function setUp(script: (index: number) => UtteranceScript = () => ({}), phrases = createPhraseCache()) {
  const clock = createVirtualClock();
  const product = createScriptedTextToSpeech(clock, script);
  const stream = product.open({ language: 'en', signal: new AbortController().signal });
  const voice: Voice = { product, language: 'en', stream, phrases, clips: new Map([['welcome', new Uint8Array(1600)]]) };
  const log: string[] = [];
  let bytes = 0;
  const speaker = createSpeaker(voice, {
    append: (audio) => (bytes += audio.length),
    appendFiller: (audio) => log.push(`filler ${audio.length}`),
    onVoiceRequested: () => log.push('voice-requested'),
    onFirstByte: () => log.push('first-byte'),
  });
  return { clock, product, speaker, phrases, log, bytes: () => bytes };
}

/** The promise's outcome, once it has one. */
function outcomeOf(promise: Promise<void>) {
  const state: { result: 'pending' | 'done' | AgentStreamError } = { result: 'pending' };
  promise.then(
    () => (state.result = 'done'),
    (error: AgentStreamError) => (state.result = error),
  );
  return state;
}

describe('fixed words', () => {
  it('are spoken, and kept for the next call', async () => {
    const phrases = createPhraseCache();
    const first = setUp(undefined, phrases);
    const spoken = outcomeOf(first.speaker.say(TEXT));
    await first.clock.advance(5000);
    expect(spoken.result).toBe('done');
    expect(first.bytes()).toBe(BYTES);
    expect(first.log).toEqual(['voice-requested', 'first-byte']);
    expect(first.speaker.vendorChars).toBe(TEXT.length);
    expect(first.speaker.segments).toMatchObject([{ text: TEXT, startMs: 0, audioMs: BYTES / 8, isComplete: true }]);

    const second = setUp(undefined, phrases);
    const cached = outcomeOf(second.speaker.say(TEXT));
    await second.clock.advance(0);
    expect(cached.result).toBe('done');
    expect(second.bytes()).toBe(BYTES);
    expect(second.log).toEqual(['first-byte']);
    expect(second.product.spoken).toEqual([]);
    expect(second.speaker.vendorChars).toBe(0);
  });

  it('are the clip in which they are said: whole, at once, without the voice; without the clip they are spoken', async () => {
    const { clock, product, speaker, log, bytes } = setUp();
    await speaker.say(TEXT, 'welcome');
    expect(speaker.segments).toMatchObject([{ text: TEXT, startMs: 0, audioMs: 200, isComplete: true }]);
    expect([bytes(), product.spoken, log, speaker.vendorChars, speaker.hasSpoken]).toEqual([1600, [], ['first-byte'], 0, false]);
    // A model that speaks is told of them.
    expect(speaker.takeSaid(Infinity)).toEqual([TEXT]);
    const spoken = outcomeOf(speaker.say(TEXT, 'gone'));
    await clock.advance(5000);
    expect(spoken.result).toBe('done');
    expect(speaker.segments[1]).toMatchObject({ startMs: 200, audioMs: BYTES / 8 });
  });

  it('follow each other in the reply’s audio', async () => {
    const { clock, speaker } = setUp();
    const first = speaker.say('One.');
    await clock.advance(2000);
    await first;
    const second = speaker.say('Two.');
    await clock.advance(2000);
    await second;
    expect(speaker.segments.map(({ text, startMs, audioMs }) => ({ text, startMs, audioMs }))).toEqual([
      { text: 'One.', startMs: 0, audioMs: 240 },
      { text: 'Two.', startMs: 240, audioMs: 240 },
    ]);
  });

  it.each<readonly [string, UtteranceScript]>([
    ['fails', { failsAfterMs: 0 }],
    ['gives no audio', { isEmpty: true }],
  ])('are asked for once more where the voice %s before it is heard', async (_name, script) => {
    const { clock, speaker, product, phrases, bytes } = setUp((index) => (index === 0 ? script : {}));
    const spoken = outcomeOf(speaker.say(TEXT));
    await clock.advance(5000);
    expect(spoken.result).toBe('done');
    expect(product.spoken).toEqual([TEXT, TEXT]);
    expect(bytes()).toBe(BYTES);
    expect(phrases.get('scripted\u0000en', TEXT)?.length).toBe(BYTES);
  });

  it('are lost where it fails twice', async () => {
    const { clock, speaker, product, phrases } = setUp(() => ({ failsAfterMs: 0 }));
    const spoken = outcomeOf(speaker.say(TEXT));
    await clock.advance(5000);
    expect(spoken.result).toMatchObject({ code: 'vendor-unreachable' });
    expect(product.spoken).toHaveLength(2);
    expect(phrases.get('scripted\u0000en', TEXT)).toBeUndefined();
  });

  it.each<readonly [string, UtteranceScript]>([
    ['the caller has heard a part of them', { failsAfterMs: 200 }],
    ['trying again cannot help', { failsAfterMs: 0, error: new AgentStreamError('vendor-unauthorized') }],
  ])('are not asked for again where %s', async (_name, script) => {
    const { clock, speaker, product } = setUp(() => script);
    const spoken = outcomeOf(speaker.say(TEXT));
    await clock.advance(5000);
    expect(spoken.result).toBeInstanceOf(AgentStreamError);
    expect(product.spoken).toHaveLength(1);
  });

  it('that were cancelled are not asked for again', async () => {
    const { clock, speaker, product, bytes } = setUp();
    const spoken = outcomeOf(speaker.say(TEXT));
    await clock.advance(40);
    speaker.cancel();
    await clock.advance(5000);
    expect(spoken.result).toBeInstanceOf(AgentStreamError);
    expect(product.spoken).toHaveLength(1);
    expect(product.openUtterances).toBe(0);
    expect(bytes()).toBe(0);
  });

  it('that were given up may be asked for once more', async () => {
    const { clock, speaker, product } = setUp((index) => (index === 0 ? { stallsAfterMs: 0 } : {}));
    const spoken = outcomeOf(speaker.say(TEXT));
    await clock.advance(4000);
    speaker.fail(new AgentStreamError('vendor-unreachable'));
    await clock.advance(5000);
    expect(spoken.result).toBe('done');
    expect(product.spoken).toHaveLength(2);
    expect(product.openUtterances).toBe(0);
  });
});

describe('words that stream in', () => {
  it('are one utterance and one segment', async () => {
    const { clock, speaker, product, bytes } = setUp();
    const segment = speaker.stream();
    segment.push('We are ');
    await clock.advance(300);
    segment.push('open today.');
    const spoken = outcomeOf(segment.end());
    await clock.advance(5000);
    expect(spoken.result).toBe('done');
    expect(product.spoken).toEqual([TEXT]);
    expect(speaker.segments).toMatchObject([{ text: TEXT, startMs: 0, audioMs: BYTES / 8, isComplete: true }]);
    expect(bytes()).toBe(BYTES);
    expect(speaker.vendorChars).toBe(TEXT.length);
  });

  it('without any word cost nothing', async () => {
    const { speaker, product } = setUp();
    await speaker.stream().end();
    expect(product.spoken).toEqual([]);
  });

  it('without anything to say but a mark need no audio', async () => {
    const { clock, speaker } = setUp(() => ({ isEmpty: true }));
    const segment = speaker.stream();
    segment.push('… ');
    const spoken = outcomeOf(segment.end());
    await clock.advance(1000);
    expect(spoken.result).toBe('done');
  });

  it('are spoken anew, all of them, where the voice failed before it was heard', async () => {
    const { clock, speaker, product, bytes } = setUp((index) => (index === 0 ? { failsAfterMs: 0 } : {}));
    const segment = speaker.stream();
    segment.push('We are ');
    await clock.advance(300);
    segment.push('open today.');
    const spoken = outcomeOf(segment.end());
    await clock.advance(5000);
    expect(spoken.result).toBe('done');
    expect(product.spoken).toEqual(['We are ', TEXT]);
    expect(bytes()).toBe(BYTES);
  });

  it('that come after a cancel open nothing', async () => {
    const { clock, speaker, product } = setUp();
    const segment = speaker.stream();
    speaker.cancel();
    expect(() => segment.push('We are ')).toThrow(AgentStreamError);
    await expect(speaker.say(TEXT)).rejects.toBeInstanceOf(AgentStreamError);
    await clock.advance(1000);
    expect(product.spoken).toEqual([]);
  });
});

describe('a fault of this program', () => {
  it('does not surface in the voice’s code, and is no failure of the voice', async () => {
    const clock = createVirtualClock();
    let tell: (event: TextToSpeechEvent) => void = () => undefined;
    const product = createScriptedTextToSpeech(clock, () => ({}));
    const stream = {
      speak: (onEvent: (event: TextToSpeechEvent) => void) => {
        tell = onEvent;
        return { push: () => undefined, end: () => undefined, cancel: () => undefined };
      },
      close: () => undefined,
    };
    const speaker = createSpeaker({ product, language: 'en', stream, phrases: createPhraseCache(), clips: new Map() }, {
      append() {
        throw new TypeError('broken');
      },
      appendFiller: () => undefined,
      onVoiceRequested: () => undefined,
      onFirstByte: () => undefined,
    });
    const spoken = speaker.say(TEXT);
    expect(() => tell({ type: 'audio', audio: new Uint8Array(160) })).not.toThrow();
    await expect(spoken).rejects.toBeInstanceOf(TypeError);
  });
});

describe('a filler', () => {
  const FILLER = 'One moment.';
  const FILLER_BYTES = FILLER.length * CHAR_MS * 8;

  it('is said once the voice has spoken all of it, and at once in the next call; the words after it lie behind it', async () => {
    const phrases = createPhraseCache();
    const first = setUp(undefined, phrases);
    const filled = outcomeOf(first.speaker.fill(FILLER, new AbortController().signal));
    expect(first.log).toEqual([]);
    await first.clock.advance(5000);
    expect(filled.result).toBe('done');
    expect(first.log).toEqual([`filler ${FILLER_BYTES}`]);
    expect([first.speaker.hasSpoken, first.speaker.vendorChars, first.product.openUtterances]).toEqual([false, FILLER.length, 0]);

    const second = setUp(undefined, phrases);
    await second.speaker.fill(FILLER, new AbortController().signal);
    const words = second.speaker.stream();
    words.push(TEXT);
    const ended = outcomeOf(words.end());
    await second.clock.advance(5000);
    expect(ended.result).toBe('done');
    expect(second.log).toEqual([`filler ${FILLER_BYTES}`, 'voice-requested', 'first-byte']);
    expect(second.product.spoken).toEqual([TEXT]);
    expect(second.speaker.segments.map(({ text, startMs }) => [text, startMs])).toEqual([[FILLER, 0], [TEXT, FILLER.length * CHAR_MS]]);
  });

  it('that is not wanted any more is not said, and leaves nothing behind', async () => {
    const { clock, product, speaker, log } = setUp();
    const controller = new AbortController();
    const filled = outcomeOf(speaker.fill(FILLER, controller.signal));
    await clock.advance(100);
    controller.abort(new AgentStreamError('vendor-failed'));
    await clock.advance(5000);
    expect([filled.result, log, product.openUtterances, clock.pendingTimers()]).toEqual(['done', [], 0, 0]);
  });

  it('that the voice fails to say is left out', async () => {
    const { clock, speaker, log } = setUp(() => ({ failsAfterMs: 0 }));
    const filled = outcomeOf(speaker.fill(FILLER, new AbortController().signal));
    await clock.advance(5000);
    expect([filled.result, log]).toEqual(['done', []]);
  });
});

describe('words that come with their speech', () => {
  const spoken = (isBroken: boolean) => {
    const { speaker } = setUp();
    const segment = speaker.receive(() => undefined);
    segment.push('A ticket is twelve euros, and children come in free.');
    segment.append(new Uint8Array(8 * 1000));
    void segment.end(isBroken);
    return speaker.segments;
  };

  it('are all heard where the model ended, however fast it spoke', () => expect(spoken(false)).toMatchObject([{ text: 'A ticket is twelve euros, and children come in free.', isComplete: true }]));

  it('are heard as far as their speech goes where it broke off', () => expect(spoken(true)).toMatchObject([{ text: 'A ticket is', audioMs: 1000, isComplete: true }]));
});
