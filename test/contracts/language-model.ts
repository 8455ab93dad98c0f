import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentStreamError } from '../../src/base/errors.js';
import type { LanguageModel, LanguageModelPart, LanguageModelRequest } from '../../src/speech/language-model.js';
import { settle, until } from '../support/wait-for.js';

/** A language model under test and what surrounds it. */
export interface LanguageModelSubject {
  readonly llm: LanguageModel;
  /** The same model where its vendor cannot be reached; null where there is nothing to reach. */
  readonly unreachable: LanguageModel | null;
  /** A request that makes the model call `expected`. */
  readonly toolRequest: { readonly request: Omit<LanguageModelRequest, 'signal'>; readonly toolName: string };
  /** Requests that the vendor is still answering. */
  readonly openRequests: () => number;
  readonly pendingTimers: () => number;
  readonly close: () => Promise<void>;
}

/** The reasons for which an implementation need not pass a part of the suite. */
export interface LanguageModelSkips {
  readonly failure?: string;
}

const plainRequest: Omit<LanguageModelRequest, 'signal'> = {
  messages: [
    { role: 'system', text: 'You are a friendly agent of a bakery. Opening hours: we open at seven.' },
    { role: 'assistant', text: 'Hello, this is the bakery.' },
    { role: 'user', text: 'Hello, when do you open?' },
  ],
  tools: [],
  maxOutputTokens: 200,
};

/** What every language model must do. */
export function describeLanguageModel(name: string, setup: () => Promise<LanguageModelSubject>, skip: LanguageModelSkips = {}): void {
  describe(`language-model contract: ${name}`, () => {
    let subject: LanguageModelSubject;
    beforeAll(async () => {
      subject = await setup();
    });
    afterAll(() => subject.close());

    const run = (request: Omit<LanguageModelRequest, 'signal'> = plainRequest, signal = new AbortController().signal, llm = subject.llm) =>
      llm.stream({ ...request, signal });
    async function collect(parts: AsyncIterable<LanguageModelPart>): Promise<LanguageModelPart[]> {
      const all: LanguageModelPart[] = [];
      for await (const part of parts) all.push(part);
      return all;
    }
    const expectNothingLeft = async () => {
      await until(() => subject.openRequests() === 0, 'requests ended');
      await until(() => subject.pendingTimers() === 0, 'timers freed');
    };

    it('streams text and finishes once, at the end', async () => {
      const parts = await collect(run());
      const text = parts.map((part) => (part.type === 'text-delta' ? part.text : '')).join('');
      expect(text.length).toBeGreaterThan(5);
      expect(parts.filter((part) => part.type === 'finish')).toHaveLength(1);
      expect(parts.at(-1)).toMatchObject({ type: 'finish', reason: 'stop' });
      await expectNothingLeft();
    });

    it('calls a tool', async () => {
      const parts = await collect(run(subject.toolRequest.request));
      const calls = parts.flatMap((part) => (part.type === 'tool-call' ? [part.toolCall] : []));
      expect(calls.map((call) => call.name)).toEqual([subject.toolRequest.toolName]);
      expect(calls[0]!.id).not.toBe('');
      expect(JSON.parse(calls[0]!.argumentsJson)).toBeTypeOf('object');
      expect(parts.at(-1)).toMatchObject({ type: 'finish', reason: 'tool-calls' });
    });

    it('throws the signal’s reason when it has aborted before', async () => {
      const controller = new AbortController();
      const reason = new Error('too late');
      controller.abort(reason);
      await expect(collect(run(plainRequest, controller.signal))).rejects.toBe(reason);
      await expectNothingLeft();
    });

    it('throws the signal’s reason and ends the request when it aborts between parts', async () => {
      const controller = new AbortController();
      const reason = new Error('barged in');
      const parts: LanguageModelPart[] = [];
      const reading = (async () => {
        for await (const part of run(plainRequest, controller.signal)) {
          parts.push(part);
          controller.abort(reason);
        }
      })();
      await expect(reading).rejects.toBe(reason);
      expect(parts).toHaveLength(1);
      await expectNothingLeft();
    });

    it('ends the request when the reader stops reading', async () => {
      for await (const part of run()) {
        expect(part.type).toBe('text-delta');
        break;
      }
      await expectNothingLeft();
    });

    it('leaves no request and no timer behind after 200 aborted streams', async () => {
      const outcomes = [];
      for (let i = 0; i < 200; i += 1) {
        const controller = new AbortController();
        outcomes.push(collect(run(plainRequest, controller.signal)).catch((error: unknown) => error));
        if (i % 4 === 1) await settle(0);
        if (i % 20 === 3) await settle(10);
        controller.abort(new Error('hung up'));
      }
      await Promise.all(outcomes);
      await expectNothingLeft();
    });

    it('may be told to open its connection ahead of time', async () => {
      subject.llm.prewarm?.();
      await settle();
      expect((await collect(run())).at(-1)?.type).toBe('finish');
      await expectNothingLeft();
    });

    if (skip.failure === undefined) it('throws a vendor error where the vendor cannot be reached', async () => {
      const error: unknown = await collect(run(plainRequest, undefined, subject.unreachable!)).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(AgentStreamError);
      expect((error as AgentStreamError).code).toMatch(/^vendor-/);
      await expectNothingLeft();
    });
  });
}
