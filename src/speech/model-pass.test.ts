import { describe, expect, it } from 'vitest';
import { AgentStreamError } from '../base/errors.js';
import type { LanguageModel, LanguageModelPart, LanguageModelRequest } from './language-model.js';
import { streamModelPass } from './model-pass.js';

const modelOf = (stream: LanguageModel['stream']): LanguageModel => ({ vendor: 'test', model: 'test', stream });
const requestWith = (signal: AbortSignal): LanguageModelRequest => ({ messages: [], tools: [], signal, maxOutputTokens: 10 });
const text = (value: string): LanguageModelPart => ({ type: 'text-delta', text: value });

/** Parts with a promise of each: settled by hand. */
function handDriven() {
  const pending: { resolve: (part: IteratorResult<LanguageModelPart>) => void; reject: (error: unknown) => void }[] = [];
  let returned = 0;
  const iterator: AsyncIterator<LanguageModelPart> = {
    next: () => new Promise((resolve, reject) => pending.push({ resolve, reject })),
    return: () => {
      returned += 1;
      return Promise.reject(new Error('nobody waits for this'));
    },
  };
  return { pending, returned: () => returned, model: modelOf(() => ({ [Symbol.asyncIterator]: () => iterator })) };
}

async function collect(parts: AsyncIterable<LanguageModelPart>): Promise<LanguageModelPart[]> {
  const all: LanguageModelPart[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

describe('a model pass', () => {
  it('passes the parts on', async () => {
    const model = modelOf(async function* () {
      yield text('a');
      yield text('b');
    });
    expect(await collect(streamModelPass(model, requestWith(new AbortController().signal)))).toEqual([text('a'), text('b')]);
  });

  it.each([
    ['a vendor’s error', new AgentStreamError('vendor-rate-limited'), 'vendor-rate-limited'],
    ['anything else', new TypeError('oops'), 'vendor-failed'],
  ])('turns %s into an error of the catalogue', async (_name, error, code) => {
    const thrower = modelOf(async function* () {
      yield text('a');
      throw error;
    });
    await expect(collect(streamModelPass(thrower, requestWith(new AbortController().signal)))).rejects.toMatchObject({ code });
    const atOnce = modelOf(() => {
      throw error;
    });
    await expect(collect(streamModelPass(atOnce, requestWith(new AbortController().signal)))).rejects.toMatchObject({ code });
  });

  it('ends with the signal, whatever the vendor does', async () => {
    const controller = new AbortController();
    const { model, pending, returned } = handDriven();
    const reading = collect(streamModelPass(model, requestWith(controller.signal)));
    await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new AgentStreamError('vendor-unreachable'));
    await expect(reading).rejects.toMatchObject({ code: 'vendor-unreachable' });
    expect(returned()).toBe(1);
    // What the vendor says afterwards is nobody's concern, and no unhandled rejection.
    pending[0]?.reject(new Error('late'));
    await new Promise((resolve) => setImmediate(resolve));
  });

  it('releases the vendor where the reader stops', async () => {
    const { model, pending, returned } = handDriven();
    const reading = (async () => {
      for await (const part of streamModelPass(model, requestWith(new AbortController().signal))) return part;
      return null;
    })();
    await new Promise((resolve) => setImmediate(resolve));
    pending[0]?.resolve({ done: false, value: text('enough') });
    expect(await reading).toEqual(text('enough'));
    expect(returned()).toBe(1);
  });

  it('leaves no listener on the signal', async () => {
    const { signal } = new AbortController();
    let listeners = 0;
    const counted = Object.assign(Object.create(signal) as AbortSignal, {
      addEventListener: () => (listeners += 1),
      removeEventListener: () => (listeners -= 1),
    });
    await collect(streamModelPass(modelOf(async function* () { yield text('a'); }), requestWith(counted)));
    expect(listeners).toBe(0);
  });
});
