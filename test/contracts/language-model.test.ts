import { builtin } from '../../src/speech/builtin/builtin.js';
import type { LanguageModel, LanguageModelRequest } from '../../src/speech/language-model.js';
import { openaiCompatible } from '../../src/speech/openai-compatible/openai-compatible.js';
import type { VendorModule } from '../../src/speech/vendor.js';
import { createCountingClock, type CountingClock } from '../support/fakes/counting-clock.js';
import { echoReply, startFakeOpenai } from '../support/fakes/openai.js';
import { findClosedPort } from '../support/fakes/vendor-server.js';
import { describeLanguageModel } from './language-model.js';

function create(vendor: VendorModule, clock: CountingClock, baseUrl: string): LanguageModel {
  const leg = vendor.llm!;
  return leg.create(leg.settingsSchema.parse({}), { clock, apiKey: 'test-key', baseUrl, fetch });
}

const goodbye = {
  name: 'end_call',
  description: 'The caller says goodbye',
  parameters: { type: 'object', properties: {}, additionalProperties: false },
};
const toolRequest: Omit<LanguageModelRequest, 'signal'> = {
  messages: [
    { role: 'system', text: 'You are a friendly agent.' },
    { role: 'user', text: 'Goodbye, I want to end the call.' },
  ],
  tools: [goodbye],
  maxOutputTokens: 200,
};

describeLanguageModel('openai', async () => {
  const clock = createCountingClock();
  const fake = await startFakeOpenai({
    apiKey: 'test-key',
    interTokenMs: 3,
    reply: (request) =>
      request.tools === undefined ? echoReply(request) : { toolCalls: [{ id: 'call_1', name: request.tools[0]!.function.name, argumentsJson: '{"reason":"done"}' }] },
  });
  return {
    llm: create(openaiCompatible, clock, fake.httpUrl),
    unreachable: create(openaiCompatible, clock, `http://127.0.0.1:${await findClosedPort()}`),
    toolRequest: { request: toolRequest, toolName: 'end_call' },
    openRequests: () => fake.requests.filter((request) => request.outcome === null).length,
    pendingTimers: () => clock.pendingTimers(),
    close: () => fake.close(),
  };
});

describeLanguageModel(
  'builtin',
  () => {
    const clock = createCountingClock();
    return Promise.resolve({
      llm: create(builtin, clock, ''),
      unreachable: null,
      toolRequest: { request: toolRequest, toolName: 'end_call' },
      openRequests: () => 0,
      pendingTimers: () => clock.pendingTimers(),
      close: () => Promise.resolve(),
    });
  },
  { failure: 'it reaches for nothing' },
);
