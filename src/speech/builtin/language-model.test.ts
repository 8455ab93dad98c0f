import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import type { LanguageModelPart, LanguageModelRequest } from '../language-model.js';
import { createBuiltinLanguageModel } from './language-model.js';
import { builtinLlmSettingsSchema } from './settings.js';

const request = (changes: Partial<LanguageModelRequest> = {}): LanguageModelRequest => ({
  messages: [
    { role: 'system', text: 'parking: You can park behind the building.' },
    { role: 'user', text: 'Can I park there?' },
  ],
  tools: [],
  signal: new AbortController().signal,
  maxOutputTokens: 100,
  ...changes,
});

async function collect(parts: AsyncIterable<LanguageModelPart>): Promise<LanguageModelPart[]> {
  const all: LanguageModelPart[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

function createModel(settings: Parameters<typeof builtinLlmSettingsSchema.parse>[0] = {}) {
  const clock = createVirtualClock();
  return { clock, model: createBuiltinLanguageModel(builtinLlmSettingsSchema.parse(settings), { clock }) };
}

const textOf = (parts: readonly LanguageModelPart[]) => parts.map((part) => (part.type === 'text-delta' ? part.text : '')).join('');

describe('the builtin language model', () => {
  it('streams word by word and counts words', async () => {
    const parts = await collect(createModel().model.stream(request()));
    expect(textOf(parts)).toBe('You can park behind the building.');
    expect(parts).toHaveLength(7);
    expect(parts.at(-1)).toEqual({ type: 'finish', reason: 'stop', usage: { inputTokens: 11, outputTokens: 6 } });
  });

  it('calls a tool with no arguments', async () => {
    const tools = [{ name: 'park', description: 'The caller asks about parking at the back', parameters: { type: 'object' } }];
    const messages = [{ role: 'user', text: 'Parking at the back?' }] as const;
    const parts = await collect(createModel().model.stream(request({ tools, messages })));
    expect(parts[0]).toEqual({ type: 'tool-call', toolCall: { id: 'builtin-1', name: 'park', argumentsJson: '{}' } });
    expect(parts.at(-1)).toMatchObject({ type: 'finish', reason: 'tool-calls' });
  });

  it('stops at the limit of tokens', async () => {
    const parts = await collect(createModel().model.stream(request({ maxOutputTokens: 3 })));
    expect(textOf(parts)).toBe('You can park');
    expect(parts.at(-1)).toMatchObject({ reason: 'length' });
  });

  it('waits before the first token and between tokens', async () => {
    const { clock, model } = createModel({ first_token_ms: 200, token_ms: 10 });
    const atMs: number[] = [];
    const reading = (async () => {
      for await (const part of model.stream(request())) if (part.type === 'text-delta') atMs.push(clock.nowMs());
    })();
    await clock.advance(1000);
    await reading;
    expect(atMs).toEqual([200, 210, 220, 230, 240, 250]);
  });

  it('ends at once when aborted, with the reason', async () => {
    const { clock, model } = createModel({ first_token_ms: 200 });
    const controller = new AbortController();
    const reading = collect(model.stream(request({ signal: controller.signal })));
    const outcome = expect(reading).rejects.toThrow('barge-in');
    await clock.advance(50);
    controller.abort(new Error('barge-in'));
    await outcome;
    expect(clock.pendingTimers()).toBe(0);
  });

  it('refuses unknown settings', () => {
    expect(builtinLlmSettingsSchema.safeParse({ temperature: 1 }).success).toBe(false);
  });
});
