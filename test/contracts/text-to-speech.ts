import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentStreamError } from '../../src/base/errors.js';
import type { TextToSpeech, TextToSpeechEvent, TextToSpeechStream, Utterance } from '../../src/speech/text-to-speech.js';
import { settle, until } from '../support/wait-for.js';

/** A voice under test and what surrounds it. */
export interface TextToSpeechSubject {
  readonly tts: TextToSpeech;
  /** The same voice where its vendor cannot be reached; null where there is nothing to reach. */
  readonly unreachable: TextToSpeech | null;
  /** Sockets that the vendor sees open. */
  readonly openSockets: () => number;
  readonly pendingTimers: () => number;
  /** How many streams the leak check opens: fewer where each costs a process. */
  readonly leakRounds: number;
  readonly close: () => Promise<void>;
}

/** The reasons for which an implementation need not pass a part of the suite. */
export interface TextToSpeechSkips {
  readonly failure?: string;
  readonly words?: string;
}

const sentence = 'Hello there, this is the agent speaking to you.';

/** What every voice must do. */
export function describeTextToSpeech(name: string, setup: () => Promise<TextToSpeechSubject>, skip: TextToSpeechSkips = {}): void {
  describe(`text-to-speech contract: ${name}`, () => {
    let subject: TextToSpeechSubject;
    beforeAll(async () => {
      subject = await setup();
    });
    afterAll(() => subject.close());

    interface Speaking {
      readonly utterance: Utterance;
      readonly types: string[];
      readonly words: { text: string; startMs: number; endMs: number }[];
      audioMs(): number;
      isOver(): boolean;
      failure(): AgentStreamError | undefined;
    }
    function speak(stream: TextToSpeechStream): Speaking {
      const types: string[] = [];
      const words: Speaking['words'] = [];
      let bytes = 0;
      let failure: AgentStreamError | undefined;
      const onEvent = (event: TextToSpeechEvent) => {
        types.push(event.type);
        if (event.type === 'audio') bytes += event.audio.length;
        if (event.type === 'words') words.push(...event.words);
        if (event.type === 'tts-failed') failure = event.error;
      };
      const isOver = () => types.includes('tts-end') || types.includes('tts-failed');
      return { utterance: stream.speak(onEvent), types, words, audioMs: () => bytes / 8, isOver, failure: () => failure };
    }
    const open = (controller = new AbortController(), tts = subject.tts) => tts.open({ language: 'en-US', signal: controller.signal });
    const expectNothingLeft = async () => {
      await until(() => subject.openSockets() === 0, 'sockets freed');
      await until(() => subject.pendingTimers() === 0, 'timers freed');
    };
    const ends = (types: readonly string[]) => types.filter((type) => type === 'tts-end' || type === 'tts-failed');

    it('speaks text and ends once, after all audio', async () => {
      const stream = open();
      const speaking = speak(stream);
      speaking.utterance.push(sentence);
      speaking.utterance.end();
      await until(speaking.isOver);
      expect(speaking.failure()).toBeUndefined();
      expect(speaking.audioMs()).toBeGreaterThan(500);
      await settle();
      expect(ends(speaking.types)).toEqual(['tts-end']);
      expect(speaking.types.at(-1)).toBe('tts-end');
      stream.close();
      await expectNothingLeft();
    });

    it('speaks text that comes in pieces as one utterance', async () => {
      const stream = open();
      const speaking = speak(stream);
      for (const piece of ['First one thing. ', 'Then, ', ' ', 'after a while, another.']) {
        speaking.utterance.push(piece);
        await settle(20);
      }
      speaking.utterance.end();
      speaking.utterance.end();
      speaking.utterance.push('Too late.');
      await until(speaking.isOver);
      await settle();
      expect(ends(speaking.types)).toEqual(['tts-end']);
      expect(speaking.audioMs()).toBeGreaterThan(500);
      stream.close();
    });

    it('continues a reply whose text pauses for longer than its audio', async () => {
      const stream = open();
      const speaking = speak(stream);
      speaking.utterance.push('One moment. ');
      await settle(1500);
      const beforeMs = speaking.audioMs();
      speaking.utterance.push('Here it is, the thing you asked for.');
      speaking.utterance.end();
      await until(speaking.isOver);
      expect(ends(speaking.types)).toEqual(['tts-end']);
      expect(beforeMs).toBeGreaterThan(100);
      expect(speaking.audioMs()).toBeGreaterThan(beforeMs + 300);
      stream.close();
    });

    it('ends at once when there is nothing to say', async () => {
      const stream = open();
      const speaking = speak(stream);
      speaking.utterance.push('  ');
      speaking.utterance.end();
      await until(speaking.isOver);
      expect(speaking.types).toEqual(['tts-end']);
      stream.close();
    });

    it('is silent at once when cancelled, and speaks the next utterance', async () => {
      const stream = open();
      const first = speak(stream);
      first.utterance.push(sentence.repeat(4));
      await until(() => first.audioMs() > 0);
      first.utterance.cancel();
      const seen = first.types.length;
      first.utterance.cancel();
      first.utterance.push(sentence);
      first.utterance.end();
      const second = speak(stream);
      second.utterance.push('The other.');
      second.utterance.end();
      await until(second.isOver);
      expect(first.types.length).toBe(seen);
      expect(ends(second.types)).toEqual(['tts-end']);
      expect(second.audioMs()).toBeGreaterThan(100);
      expect(second.audioMs()).toBeLessThan(3000);
      stream.close();
    });

    it('sends nothing after close or abort, and frees its socket', async () => {
      for (const way of ['close', 'abort'] as const) {
        const controller = new AbortController();
        const stream = open(controller);
        const speaking = speak(stream);
        speaking.utterance.push(sentence.repeat(4));
        await until(() => speaking.audioMs() > 0);
        if (way === 'close') stream.close();
        else controller.abort(new Error('hung up'));
        const seen = speaking.types.length;
        speaking.utterance.end();
        stream.close();
        const late = speak(stream);
        late.utterance.push(sentence);
        late.utterance.end();
        await settle();
        expect(speaking.types.length).toBe(seen);
        expect(late.types.filter((type) => type === 'audio')).toEqual([]);
        await expectNothingLeft();
      }
    });

    it('leaves no socket and no timer behind after many aborted streams', async () => {
      for (let i = 0; i < subject.leakRounds; i += 1) {
        const controller = new AbortController();
        const stream = open(controller);
        const { utterance } = speak(stream);
        utterance.push(sentence);
        if (i % 3 === 0) utterance.end();
        if (i % 4 === 1) await settle(0);
        if (i % 20 === 3) await settle(20);
        if (i % 2 === 0) controller.abort(new Error('hung up'));
        else stream.close();
      }
      await expectNothingLeft();
    });

    if (skip.words === undefined) it('says when words are spoken', async () => {
      const stream = open();
      const { utterance, words, audioMs, isOver } = speak(stream);
      utterance.push('One two three. ');
      utterance.push('Four five.');
      utterance.end();
      await until(isOver);
      expect(words.map((word) => word.text.replace(/\W/g, '').toLowerCase())).toEqual(['one', 'two', 'three', 'four', 'five']);
      for (const [index, word] of words.entries()) {
        expect(word.endMs).toBeGreaterThanOrEqual(word.startMs);
        expect(word.startMs).toBeGreaterThanOrEqual(words[index - 1]?.startMs ?? 0);
        expect(word.endMs).toBeLessThanOrEqual(audioMs() + 1);
      }
      stream.close();
    });

    if (skip.failure === undefined) it('fails each utterance exactly once where the vendor cannot be reached', async () => {
      const stream = open(new AbortController(), subject.unreachable!);
      for (let i = 0; i < 2; i += 1) {
        const speaking = speak(stream);
        speaking.utterance.push(sentence);
        await until(speaking.isOver);
        speaking.utterance.end();
        await settle();
        expect(speaking.types).toEqual(['tts-failed']);
        expect(speaking.failure()).toBeInstanceOf(AgentStreamError);
        expect(speaking.failure()?.code).toMatch(/^vendor-/);
      }
      stream.close();
      await expectNothingLeft();
    });
  });
}
