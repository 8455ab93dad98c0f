import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentStreamError } from '../../src/base/errors.js';
import type { SpeechToText, SpeechToTextEvent, SpeechToTextStream } from '../../src/speech/speech-to-text.js';
import { settle, until } from '../support/wait-for.js';
import { silence } from '../support/fakes/speech-audio.js';

/** A recogniser under test and what surrounds it. */
export interface SpeechToTextSubject {
  readonly stt: SpeechToText;
  /** The same recogniser where its vendor cannot be reached; null where there is nothing to reach. */
  readonly unreachable: SpeechToText | null;
  /** Mu-law audio of someone who says `text`. */
  readonly say: (text: string) => Promise<Buffer>;
  /** What may be said. */
  readonly phrases: readonly [string, string];
  /** Sockets that the vendor sees open. */
  readonly openSockets: () => number;
  readonly pendingTimers: () => number;
  readonly close: () => Promise<void>;
}

/** The reasons for which an implementation need not pass a part of the suite. */
export interface SpeechToTextSkips {
  readonly failure?: string;
}

const normalise = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();

/** What every recogniser must do. */
export function describeSpeechToText(name: string, setup: () => Promise<SpeechToTextSubject>, skip: SpeechToTextSkips = {}): void {
  describe(`speech-to-text contract: ${name}`, () => {
    let subject: SpeechToTextSubject;
    beforeAll(async () => {
      subject = await setup();
    });
    afterAll(() => subject.close());

    interface Listening {
      readonly stream: SpeechToTextStream;
      readonly events: SpeechToTextEvent[];
      readonly controller: AbortController;
      count(type: SpeechToTextEvent['type']): number;
      finals(): string;
    }
    function listen(stt: SpeechToText, controller = new AbortController()): Listening {
      const events: SpeechToTextEvent[] = [];
      const stream = stt.open({ language: 'en-US', keyterms: [], signal: controller.signal, onEvent: (event) => events.push(event) });
      return {
        stream,
        events,
        controller,
        count: (type) => events.filter((event) => event.type === type).length,
        finals: () => normalise(events.map((event) => (event.type === 'transcript-final' ? event.text : '')).join(' ')),
      };
    }
    function pushFrames(stream: SpeechToTextStream, audio: Buffer): void {
      const frame = Buffer.alloc(160);
      for (let i = 0; i + 160 <= audio.length; i += 160) {
        audio.copy(frame, 0, i, i + 160);
        stream.push(frame);
        // The contract lets the caller use its buffer again at once.
        frame.fill(0);
      }
    }
    const expectNothingLeft = async () => {
      await until(() => subject.openSockets() === 0, 'sockets freed');
      await until(() => subject.pendingTimers() === 0, 'timers freed');
    };

    it('reports readiness, the words that were said, and answers finalize once', async () => {
      const { stream, events, count, finals } = listen(subject.stt);
      await until(() => count('stt-ready') === 1);
      pushFrames(stream, Buffer.concat([await subject.say(subject.phrases[0]), silence(200)]));
      stream.finalize();
      await until(() => count('finalized') === 1);
      expect(finals()).toBe(subject.phrases[0]);
      expect(events.findLastIndex((event) => event.type === 'transcript-final')).toBeLessThan(events.findIndex((event) => event.type === 'finalized'));
      stream.close();
      await expectNothingLeft();
    });

    it('keeps audio that is pushed before the vendor is ready', async () => {
      const { stream, count, finals } = listen(subject.stt);
      pushFrames(stream, Buffer.concat([await subject.say(subject.phrases[1]), silence(200)]));
      stream.finalize();
      await until(() => count('finalized') === 1);
      expect(finals()).toBe(subject.phrases[1]);
      stream.close();
    });

    it('hears one turn after the other', async () => {
      const { stream, count, finals } = listen(subject.stt);
      for (const [index, phrase] of subject.phrases.entries()) {
        pushFrames(stream, Buffer.concat([silence(100), await subject.say(phrase), silence(200)]));
        stream.finalize();
        await until(() => count('finalized') === index + 1);
      }
      expect(finals()).toBe(subject.phrases.join(' '));
      stream.close();
    });

    it('answers finalize when nothing was said', async () => {
      const { stream, count, finals } = listen(subject.stt);
      stream.finalize();
      await until(() => count('finalized') === 1);
      pushFrames(stream, silence(400));
      stream.finalize();
      await until(() => count('finalized') === 2);
      expect(finals()).toBe('');
      stream.close();
    });

    it('gives finals whose times lie inside the audio', async () => {
      const { stream, events, count } = listen(subject.stt);
      const audio = Buffer.concat([silence(500), await subject.say(subject.phrases[0]), silence(300)]);
      pushFrames(stream, audio);
      stream.finalize();
      await until(() => count('finalized') === 1);
      const finals = events.flatMap((event) => (event.type === 'transcript-final' && event.startMs !== undefined ? [event] : []));
      expect(finals.length).toBeGreaterThan(0);
      for (const final of finals) {
        expect(final.startMs).toBeGreaterThanOrEqual(0);
        expect(final.endMs).toBeGreaterThan(final.startMs!);
        expect(final.endMs).toBeLessThanOrEqual(audio.length / 8 + 1);
      }
      stream.close();
    });

    it('sends nothing after close, takes calls after it, and frees its socket', async () => {
      const { stream, events, count } = listen(subject.stt);
      await until(() => count('stt-ready') === 1);
      pushFrames(stream, await subject.say(subject.phrases[0]));
      stream.finalize();
      stream.close();
      const seen = events.length;
      stream.close();
      stream.push(silence(20));
      stream.finalize();
      await settle();
      expect(events.length).toBe(seen);
      await expectNothingLeft();
    });

    it('sends nothing after abort and frees its socket', async () => {
      const { stream, events, controller, count } = listen(subject.stt);
      await until(() => count('stt-ready') === 1);
      pushFrames(stream, await subject.say(subject.phrases[0]));
      stream.finalize();
      controller.abort(new Error('hung up'));
      const seen = events.length;
      stream.push(silence(20));
      stream.finalize();
      await settle();
      expect(events.length).toBe(seen);
      await expectNothingLeft();
    });

    it('opens nothing for a signal that has aborted', async () => {
      const controller = new AbortController();
      controller.abort(new Error('too late'));
      const { stream, events } = listen(subject.stt, controller);
      stream.push(silence(20));
      stream.finalize();
      await settle();
      expect(events).toEqual([]);
      await expectNothingLeft();
    });

    it('leaves no socket and no timer behind after 200 aborted streams', async () => {
      for (let i = 0; i < 200; i += 1) {
        const { stream, controller } = listen(subject.stt);
        stream.push(silence(100));
        if (i % 4 === 1) await settle(0);
        if (i % 4 === 2) stream.finalize();
        if (i % 40 === 3) await settle(20);
        if (i % 2 === 0) controller.abort(new Error('hung up'));
        else stream.close();
      }
      await expectNothingLeft();
    });

    if (skip.failure === undefined) it('fails exactly once where the vendor cannot be reached', async () => {
      const { stream, events, count } = listen(subject.unreachable!);
      pushFrames(stream, await subject.say(subject.phrases[0]));
      await until(() => count('stt-failed') === 1);
      const failure = events.find((event) => event.type === 'stt-failed');
      expect(failure?.error).toBeInstanceOf(AgentStreamError);
      expect(failure?.error.code).toMatch(/^vendor-/);
      pushFrames(stream, silence(200));
      stream.finalize();
      stream.close();
      await settle();
      expect(events.at(-1)?.type).toBe('stt-failed');
      expect(count('stt-failed')).toBe(1);
      await expectNothingLeft();
    });
  });
}
