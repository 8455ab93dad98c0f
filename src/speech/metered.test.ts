import { describe, expect, it } from 'vitest';
import { AgentStreamError } from '../base/errors.js';
import { lineUp } from '../../test/support/lineup.js';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { createHealthTable } from './fallback/health-table.js';
import { createFallbackLanguageModel } from './fallback/language-model.js';
import type { LanguageModel, LanguageModelPart } from './language-model.js';
import { meterLanguageModel, meterSpeechToText, meterTextToSpeech } from './metered.js';
import type { TextToSpeechEvent } from './text-to-speech.js';
import { createWorkMeter } from './work-meter.js';

const signal = new AbortController().signal;
const request = { messages: [], tools: [], signal, maxOutputTokens: 10 };
const said: LanguageModelPart = { type: 'text-delta', text: 'Hello' };
const finish = (usage?: { inputTokens: number; cachedInputTokens?: number; outputTokens: number }): LanguageModelPart => ({ type: 'finish', reason: 'stop', usage });

/** A model that streams these parts, then fails where an error is given. */
function modelOf(parts: readonly LanguageModelPart[], error?: Error): LanguageModel {
  return {
    vendor: 'v',
    model: 'm',
    async *stream() {
      yield* parts;
      if (error !== undefined) throw error;
    },
  };
}

async function read(model: LanguageModel, count = Infinity): Promise<void> {
  let seen = 0;
  for await (const part of model.stream(request)) {
    expect(part).toBeDefined();
    seen += 1;
    if (seen >= count) break;
  }
}

describe('a metered model', () => {
  it('counts the tokens that its vendor reports', async () => {
    const meter = createWorkMeter();
    const model = meterLanguageModel(modelOf([said, finish({ inputTokens: 20, cachedInputTokens: 5, outputTokens: 3 })]), meter);
    await read(model);
    await read(model);
    expect(meter.work).toEqual([{ leg: 'llm', vendor: 'v', model: 'm', inputTokens: 40, cachedInputTokens: 10, outputTokens: 6 }]);
  });

  it.each<[string, LanguageModel, number | undefined]>([
    ['was left before its end', modelOf([said, finish({ inputTokens: 1, outputTokens: 1 })]), 1],
    ['whose vendor does not tell', modelOf([said, finish()]), undefined],
  ])('counts a request that %s as one of unknown size', async (_name, product, count) => {
    const meter = createWorkMeter();
    await read(meterLanguageModel(product, meter), count);
    expect(meter.work).toEqual([{ leg: 'llm', vendor: 'v', model: 'm', uncountedRequests: 1 }]);
  });

  it('counts a failure after the first word, and none before it', async () => {
    const meter = createWorkMeter();
    const error = new AgentStreamError('vendor-failed');
    await expect(read(meterLanguageModel(modelOf([], error), meter))).rejects.toBe(error);
    expect(meter.work).toEqual([]);
    await expect(read(meterLanguageModel(modelOf([said], error), meter))).rejects.toBe(error);
    expect(meter.work).toEqual([{ leg: 'llm', vendor: 'v', model: 'm', uncountedRequests: 1 }]);
  });
});

describe('a model with a fallback', () => {
  it('is counted by the vendor that did the work', async () => {
    const meter = createWorkMeter();
    const clock = createVirtualClock();
    const failing = { ...modelOf([], new AgentStreamError('vendor-unauthorized')), model: 'first' };
    const working = { ...modelOf([said, finish({ inputTokens: 7, outputTokens: 2 })]), model: 'second' };
    const options = { clock, health: createHealthTable(clock), onFallover: () => undefined };
    await read(createFallbackLanguageModel(lineUp('llm', [meterLanguageModel(failing, meter), meterLanguageModel(working, meter)], options), clock));
    expect(meter.work).toEqual([{ leg: 'llm', vendor: 'v', model: 'second', inputTokens: 7, outputTokens: 2 }]);
  });
});

describe('a metered recogniser and voice', () => {
  it('count audio and text', () => {
    const meter = createWorkMeter();
    const capabilities = { interimTranscripts: true, speechEvents: false, turnEvents: false, earlyFinalize: false };
    const heard: number[] = [];
    const recogniser = meterSpeechToText(
      { vendor: 'r', model: 'm', capabilities, open: () => ({ push: (audio) => void heard.push(audio.length), finalize: () => undefined, close: () => undefined }) },
      meter,
    ).open({ language: 'en', keyterms: [], signal, onEvent: () => undefined });
    for (let frame = 0; frame < 50; frame += 1) recogniser.push(new Uint8Array(160));
    expect(heard).toHaveLength(50);

    let emit: (event: TextToSpeechEvent) => void = () => undefined;
    const voice = meterTextToSpeech(
      {
        vendor: 't',
        model: 'm',
        voice: 'a',
        cacheKey: 'k',
        capabilities: { wordTimes: false },
        open: () => ({
          speak(onEvent) {
            emit = onEvent;
            return { push: () => undefined, end: () => undefined, cancel: () => undefined };
          },
          close: () => undefined,
        }),
      },
      meter,
    ).open({ language: 'en', signal });
    const events: string[] = [];
    const utterance = voice.speak(({ type }) => void events.push(type));
    utterance.push('Hello ');
    utterance.push('there.');
    emit({ type: 'audio', audio: new Uint8Array(800) });
    emit({ type: 'tts-end' });
    expect(events).toEqual(['audio', 'tts-end']);
    expect(meter.work).toEqual([
      { leg: 'stt', vendor: 'r', model: 'm', audioMs: 1000 },
      { leg: 'tts', vendor: 't', model: 'm', audioMs: 100, characters: 12 },
    ]);
  });
});
