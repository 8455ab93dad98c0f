import { describe, expect, it } from 'vitest';
import { closeError, parseServerMessage } from './messages.js';

const parse = (message: unknown) => parseServerMessage(Buffer.from(JSON.stringify(message)));

describe('the vendor’s messages', () => {
  it('reads all that one message holds, in the order in which it counts', () => {
    const serverContent = {
      inputTranscription: { text: 'alpha', finished: true },
      outputTranscription: { text: 'Yes.' },
      modelTurn: { parts: [{ text: 'A thought.', thought: true }, { inlineData: { mimeType: 'audio/pcm;rate=16000', data: 'AAA=' } }, { inlineData: { mimeType: 'image/png', data: 'AAA=' } }] },
      generationComplete: true,
      turnComplete: true,
    };
    expect(parse({ usageMetadata: { promptTokenCount: 3, responseTokenCount: 4 }, serverContent })).toEqual([
      { type: 'usage', usage: { inputTokens: 3, outputTokens: 4 } },
      { type: 'caller-text', text: 'alpha', isFinished: true },
      { type: 'text', text: 'Yes.' },
      { type: 'audio', pcm: Buffer.alloc(2), rateHz: 16_000 },
      { type: 'generation-complete' },
      { type: 'turn-complete' },
    ]);
  });

  it.each([[{}], [{ serverContent: { modelTurn: { parts: 'none' } } }], [{ toolCall: { functionCalls: [1, null] } }], [{ usageMetadata: { promptTokenCount: '3' } }], [{ sessionResumptionUpdate: { resumable: true } }]])(
    'finds nothing in %j',
    (message) => expect(parse(message)).toEqual([]),
  );

  it.each(['}{', '[]', '1'])('refuses %s', (text) => expect(parseServerMessage(Buffer.from(text))).toBeNull());

  it.each([
    [1007, 'API key not valid. Please pass a valid API key.', 'vendor-unauthorized'],
    [1011, 'You exceeded your current quota, please check your plan.', 'vendor-rate-limited'],
    [1007, 'Request contains an invalid argument.', 'vendor-rejected'],
    [1008, 'models/x is not found for API version v1beta.', 'vendor-rejected'],
    [1011, 'Internal error encountered.', undefined],
  ])('takes a close with %i “%s” for %s', (code, reason, expected) => expect(closeError({ code, reason })?.code).toBe(expected));
});
