import type { LanguageModel, LanguageModelPart, LanguageModelRequest, ModelMessage, ModelTool } from '../../src/speech/language-model.js';
import type { VendorModule } from '../../src/speech/vendor.js';
import { createCountingClock } from './fakes/counting-clock.js';

/** A tool that books a table. */
export const bookTool: ModelTool = {
  name: 'book',
  description: 'Books a table',
  parameters: { type: 'object', properties: { at: { type: 'string' } }, required: ['at'] },
};

/** A conversation with a call whose arguments are JSON, one whose are not, and the results of both. */
export const bookedTwice: readonly ModelMessage[] = [
  { role: 'system', text: 'Be kind.' },
  { role: 'user', text: 'A table at eight u3' },
  { role: 'assistant', text: 'One moment.', toolCalls: [{ id: 'c1', name: 'book', argumentsJson: '{"at":"20:00"}' }, { id: 'c2', name: 'book', argumentsJson: '{"at":' }] },
  { role: 'tool', toolCallId: 'c1', toolName: 'book', result: '{"ok":true}' },
  { role: 'tool', toolCallId: 'c2', toolName: 'book', result: 'The arguments were not JSON.' },
];

/** The vendor's model with these settings, at this address, with the key `test-key`. */
export function createModel(vendor: VendorModule, baseUrl: string, settings: Readonly<Record<string, unknown>> = {}): LanguageModel {
  const leg = vendor.llm!;
  return leg.create(leg.settingsSchema.parse(settings), { clock: createCountingClock(), apiKey: 'test-key', baseUrl, fetch });
}

/** The parts of one reply. */
export async function askModel(model: LanguageModel, overrides: Partial<LanguageModelRequest> = {}): Promise<LanguageModelPart[]> {
  const parts: LanguageModelPart[] = [];
  const request = { messages: [{ role: 'user' as const, text: 'Hello u7' }], tools: [], signal: new AbortController().signal, maxOutputTokens: 77 };
  for await (const part of model.stream({ ...request, ...overrides })) parts.push(part);
  return parts;
}

/** Why a reply failed. */
export const failureOf = (reply: Promise<unknown>): Promise<unknown> =>
  reply.then(
    () => undefined,
    (error: unknown) => error,
  );
