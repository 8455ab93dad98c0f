import { describe, expect, it } from 'vitest';
import { encodeMulaw } from '../../audio/g711.js';
import { systemClock } from '../../base/clock.js';
import type { SpeechToTextEvent } from '../speech-to-text.js';
import type { TextToSpeechEvent } from '../text-to-speech.js';
import { splitClauses } from './clauses.js';
import { builtinTtsSettingsSchema } from './settings.js';
import { createBuiltinSpeechToText } from './speech-to-text.js';
import { createBuiltinTextToSpeech } from './text-to-speech.js';
import { UNINTELLIGIBLE } from './unintelligible.js';
import { builtinVoiceName, espeakVoice, renderClause } from './voice.js';

type Settings = Parameters<typeof builtinTtsSettingsSchema.parse>[0];

const OPENING_HOURS = 'We are open from nine to five, Monday to Friday, and on Saturdays until noon.';

function openVoice(settings: Settings = {}, language = 'en', signal = new AbortController().signal) {
  return createBuiltinTextToSpeech(builtinTtsSettingsSchema.parse(settings), { clock: systemClock }).open({ language, signal });
}

async function speak(texts: readonly string[], settings: Settings = {}, language = 'en'): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  await new Promise<void>((resolve, reject) => {
    const utterance = openVoice(settings, language).speak((event) => {
      if (event.type === 'audio') chunks.push(Uint8Array.from(event.audio));
      if (event.type === 'tts-end') resolve();
      if (event.type === 'tts-failed') reject(event.error);
    });
    for (const text of texts) utterance.push(text);
    utterance.end();
  });
  return Buffer.concat(chunks);
}

function openEars() {
  const events: SpeechToTextEvent[] = [];
  const stream = createBuiltinSpeechToText().open({
    language: 'en',
    keyterms: [],
    signal: new AbortController().signal,
    onEvent: (event) => events.push(event),
  });
  const push = (audio: Uint8Array) => {
    for (let at = 0; at < audio.length; at += 160) stream.push(audio.subarray(at, at + 160));
  };
  const texts = (type: 'transcript-interim' | 'transcript-final') => events.flatMap((event) => (event.type === type ? [event.text] : []));
  return { events, stream, push, texts };
}

const silence = (ms: number) => new Uint8Array(ms * 8).fill(0xff);

describe.each(['auto', 'bundled'] as const)('the builtin voice (%s) and recogniser', (engine) => {
  it('carry text through mu-law audio', async () => {
    const texts = ['Hello, thank you for calling. ', `${OPENING_HOURS} Is that all right?`];
    const ears = openEars();
    ears.push(await speak(texts, { engine }));
    expect(ears.texts('transcript-final').join(' ')).toBe(texts.join(''));
  });

  it('speak real audio at the pace of speech', async () => {
    const audio = await speak([OPENING_HOURS], { engine });
    const charactersPerSecond = OPENING_HOURS.length / (audio.length / 8000);
    process.stdout.write(`${engine}: ${charactersPerSecond.toFixed(1)} characters per second\n`);
    expect(charactersPerSecond).toBeGreaterThan(9);
    expect(charactersPerSecond).toBeLessThan(20);
  });

  it('are deterministic', async () => {
    expect(Buffer.compare(await speak(['Hello there.'], { engine }), await speak(['Hello there.'], { engine }))).toBe(0);
  });
});

describe('the builtin voice', () => {
  it('names what renders it', () => {
    expect(['espeak-ng', 'bundled']).toContain(builtinVoiceName());
  });

  it('splits text into clauses and drops what cannot be spoken', () => {
    expect(splitClauses('  Hello.  How are you? … \n— ')).toEqual(['Hello.', 'How are you?']);
    const long = splitClauses(`${'word '.repeat(150)}end.`);
    expect(long.every((clause) => clause.length <= 300)).toBe(true);
    expect(long.join(' ')).toBe(`${'word '.repeat(150)}end.`);
  });

  it('ends without audio when there is nothing to speak', async () => {
    expect(await speak([' … '])).toHaveLength(0);
  });

  it('answers a clause it has rendered before from its cache, as the same samples', async () => {
    const options = { settings: builtinTtsSettingsSchema.parse({}), language: 'en', clock: systemClock, signal: new AbortController().signal };
    const first = await renderClause('A sentence to be kept.', options);
    expect(await renderClause('A sentence to be kept.', options)).toBe(first);
  });

  it('falls back to English where espeak-ng has no such voice', async () => {
    const ears = openEars();
    ears.push(await speak(['Guten Tag.'], {}, 'xx-yy'));
    expect(ears.texts('transcript-final')).toEqual(['Guten Tag.']);
  });

  it('takes the language for its voice, unless one is set', () => {
    const settings = builtinTtsSettingsSchema.parse({});
    expect(espeakVoice(settings, 'de-DE')).toBe('de-de');
    expect(espeakVoice(settings, 'multi')).toBe('en-us');
    expect(espeakVoice(settings, '--stdin')).toBe('en-us');
    expect(espeakVoice(builtinTtsSettingsSchema.parse({ voice: 'en-gb+f3' }), 'de')).toBe('en-gb+f3');
  });

  it('refuses unknown options and voices that would be options of the program', () => {
    expect(builtinTtsSettingsSchema.safeParse({ speed: 1 }).success).toBe(false);
    expect(builtinTtsSettingsSchema.safeParse({ voice: '--path=/' }).success).toBe(false);
  });

  it('says nothing after a cancel, not even within a callback', async () => {
    const events: TextToSpeechEvent[] = [];
    const utterance = openVoice().speak((event) => {
      events.push(event);
      utterance.cancel();
    });
    utterance.push(OPENING_HOURS);
    utterance.end();
    await renderClause(OPENING_HOURS, {
      settings: builtinTtsSettingsSchema.parse({}),
      language: 'en',
      clock: systemClock,
      signal: new AbortController().signal,
    });
    await speak(['Meanwhile.']);
    expect(events.map((event) => event.type)).toEqual(['audio']);
  });

  it('says nothing after its stream was closed or aborted', async () => {
    const events: TextToSpeechEvent[] = [];
    const controller = new AbortController();
    const aborted = openVoice({}, 'en', controller.signal);
    const closed = openVoice();
    for (const stream of [aborted, closed]) {
      const utterance = stream.speak((event) => events.push(event));
      utterance.push('This is never heard by anybody at all.');
      utterance.end();
    }
    controller.abort(new Error('hung up'));
    closed.close();
    await speak(['Meanwhile, something else.']);
    expect(events).toEqual([]);
  });

  it('renders many clauses at once and gives each utterance its own', async () => {
    const texts = Array.from({ length: 12 }, (_, i) => `This is sentence number ${i}.`);
    const audio = await Promise.all(texts.map((text) => speak([text])));
    const heard = audio.map((part) => {
      const ears = openEars();
      ears.push(part);
      return ears.texts('transcript-final').join(' ');
    });
    expect(heard).toEqual(texts);
  });

  it('fails an utterance with too much text instead of queueing it', async () => {
    const failed = new Promise<string>((resolve) => {
      const utterance = openVoice({ engine: 'bundled' }).speak((event) => {
        if (event.type === 'tts-failed') resolve(event.error.code);
      });
      utterance.push('Well. '.repeat(300));
    });
    expect(await failed).toBe('vendor-failed');
  });
});

describe('the simulated recogniser', () => {
  it('is ready at once and reports progress before the final text', async () => {
    const ears = openEars();
    await Promise.resolve();
    expect(ears.events).toEqual([{ type: 'stt-ready' }]);
    ears.push(await speak([OPENING_HOURS]));
    const interims = ears.texts('transcript-interim');
    expect(interims.length).toBeGreaterThanOrEqual(3);
    interims.reduce((shorter, longer) => {
      expect(longer.startsWith(shorter)).toBe(true);
      return longer;
    });
    expect(OPENING_HOURS.startsWith(interims.at(-1)!)).toBe(true);
    expect(ears.texts('transcript-final')).toEqual([OPENING_HOURS]);
  });

  it('has the text when the words end, on its own clock', async () => {
    const ears = openEars();
    const audio = await speak([OPENING_HOURS]);
    ears.push(silence(1000));
    ears.push(audio);
    const final = ears.events.find((event) => event.type === 'transcript-final');
    const lengthMs = audio.length / 8;
    expect(final?.startMs).toBeGreaterThanOrEqual(990);
    expect(final?.startMs).toBeLessThan(1100);
    expect(final?.endMs).toBeLessThanOrEqual(1000 + lengthMs);
    expect(final?.endMs).toBeGreaterThan(1000 + lengthMs * 0.8);
  });

  it('settles what has arrived when asked in the middle of a sentence, once the packet is complete', async () => {
    const ears = openEars();
    const audio = await speak([OPENING_HOURS]);
    const half = Math.floor(audio.length / 2);
    ears.push(audio.subarray(0, half));
    ears.stream.finalize();
    ears.push(audio.subarray(half));
    const types = ears.events.map((event) => event.type);
    expect(types.filter((type) => type === 'finalized')).toHaveLength(1);
    expect(types.indexOf('finalized')).toBe(types.indexOf('transcript-final') + 1);
    expect(ears.texts('transcript-final').join(' ')).toBe(OPENING_HOURS);
  });

  it('answers finalize after a voice that was cut off', async () => {
    const ears = openEars();
    const audio = await speak([OPENING_HOURS]);
    ears.push(audio.subarray(0, 1200));
    ears.stream.finalize();
    ears.push(silence(60));
    expect(ears.events.at(-1)).toEqual({ type: 'finalized' });
  });

  it('calls speech without the signal unintelligible, and silence nothing', async () => {
    const options = { settings: builtinTtsSettingsSchema.parse({}), language: 'en', clock: systemClock, signal: new AbortController().signal };
    const human = encodeMulaw(await renderClause('I am a human being and carry no data.', options));
    const ears = openEars();
    ears.push(silence(500));
    ears.stream.finalize();
    ears.push(human);
    ears.push(silence(300));
    ears.stream.finalize();
    ears.push(silence(300));
    ears.stream.finalize();
    expect(ears.texts('transcript-final')).toEqual([UNINTELLIGIBLE]);
    expect(ears.events.filter((event) => event.type === 'finalized')).toHaveLength(3);
  });

  it('takes the rest of a sentence for no other speech, where the sentence was asked for in the middle', async () => {
    const audio = await speak(['Yes, I am coming to the appointment.']);
    const ears = openEars();
    const middle = audio.length - 8000;
    ears.push(audio.subarray(0, middle));
    ears.stream.finalize();
    ears.push(audio.subarray(middle));
    ears.push(silence(300));
    ears.stream.finalize();
    expect(ears.texts('transcript-final').join(' ')).toBe('Yes, I am coming to the appointment.');
  });

  it('ignores what comes after it was closed', async () => {
    const ears = openEars();
    const audio = await speak(['Hello there.']);
    ears.stream.close();
    ears.push(audio);
    ears.stream.finalize();
    expect(ears.events.map((event) => event.type)).toEqual(['stt-ready']);
  });
});
