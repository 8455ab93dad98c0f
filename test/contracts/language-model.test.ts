import { asRecord } from '../../src/base/json.js';
import { anthropic } from '../../src/speech/anthropic/anthropic.js';
import { builtin } from '../../src/speech/builtin/builtin.js';
import { google } from '../../src/speech/google/google.js';
import { groq } from '../../src/speech/groq/groq.js';
import { createFallbackLanguageModel } from '../../src/speech/fallback/language-model.js';
import type { LanguageModel, LanguageModelRequest } from '../../src/speech/language-model.js';
import { openaiCompatible } from '../../src/speech/openai-compatible/openai-compatible.js';
import type { VendorModule } from '../../src/speech/vendor.js';
import { startFakeAnthropic } from '../support/fakes/anthropic.js';
import { createCountingClock, type CountingClock } from '../support/fakes/counting-clock.js';
import { startFakeGoogle } from '../support/fakes/google.js';
import { startFakeGroq } from '../support/fakes/groq.js';
import { startFakeOpenai } from '../support/fakes/openai.js';
import { findClosedPort } from '../support/fakes/vendor-server.js';
import { anthropicErrors, googleErrors, groqErrors, openaiErrors } from './language-model-errors.js';
import { describeHttpLanguageModel, type HttpLanguageModel } from './language-model-http.js';
import { lineUp } from '../support/lineup.js';
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

/** Every vendor that is asked over HTTP, with a server that speaks its protocol. */
const httpModels: readonly HttpLanguageModel[] = [
  { vendor: openaiCompatible, start: startFakeOpenai, streamErrors: openaiErrors, sendsArgumentsAsText: true },
  { vendor: anthropic, start: startFakeAnthropic, streamErrors: anthropicErrors, sendsArgumentsAsText: true },
  { vendor: google, start: startFakeGoogle, streamErrors: googleErrors, sendsArgumentsAsText: false },
  { vendor: groq, start: startFakeGroq, streamErrors: groqErrors, sendsArgumentsAsText: true },
];

for (const model of httpModels) {
  describeLanguageModel(model.vendor.name, async () => {
    const clock = createCountingClock();
    const toolCall = { id: 'call_1', name: 'end_call', argumentsJson: '{"reason":"done"}' };
    const fake = await model.start({
      apiKey: 'test-key',
      interTokenMs: 3,
      reply: (body) => (asRecord(body)['tools'] === undefined ? undefined : { toolCalls: [toolCall] }),
    });
    return {
      llm: create(model.vendor, clock, fake.httpUrl),
      unreachable: create(model.vendor, clock, `http://127.0.0.1:${await findClosedPort()}`),
      toolRequest: { request: toolRequest, toolName: 'end_call' },
      openRequests: () => fake.requests.filter((request) => request.outcome === null).length,
      pendingTimers: () => clock.pendingTimers(),
      close: () => fake.close(),
    };
  });
  describeHttpLanguageModel(model);
}

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

/** Every request is hedged: the vendor of choice says nothing in time, the next one answers. */
describeLanguageModel('hedged', async () => {
  const clock = createCountingClock();
  const toolCall = { id: 'call_1', name: 'end_call', argumentsJson: '{"reason":"done"}' };
  const slow = await startFakeOpenai({ apiKey: 'test-key', firstTokenMs: 1500 });
  const quick = await startFakeOpenai({
    apiKey: 'test-key',
    interTokenMs: 3,
    reply: (body) => (asRecord(body)['tools'] === undefined ? undefined : { toolCalls: [toolCall] }),
  });
  const hedged = (...[first, second]: readonly [string, string]): LanguageModel => {
    const lineup = lineUp('llm', [create(openaiCompatible, clock, first), create(openaiCompatible, clock, second)], { clock });
    const model = createFallbackLanguageModel(lineup, clock, { afterMs: 5, take: () => true });
    return { vendor: model.vendor, model: model.model, stream: (request) => model.stream({ ...request, onHedged: () => undefined }) };
  };
  const unreachable = `http://127.0.0.1:${await findClosedPort()}`;
  const isOpen = ({ outcome }: { readonly outcome: string | null }) => outcome === null;
  return {
    llm: hedged(slow.httpUrl, quick.httpUrl),
    unreachable: hedged(unreachable, unreachable),
    toolRequest: { request: toolRequest, toolName: 'end_call' },
    openRequests: () => [...slow.requests, ...quick.requests].filter(isOpen).length,
    pendingTimers: () => clock.pendingTimers(),
    close: async () => {
      await slow.close();
      await quick.close();
    },
  };
});

/** The vendor of choice cannot be reached; the next one answers. */
describeLanguageModel('fallbacks', async () => {
  const clock = createCountingClock();
  const toolCall = { id: 'call_1', name: 'end_call', argumentsJson: '{"reason":"done"}' };
  const fake = await startFakeOpenai({
    apiKey: 'test-key',
    interTokenMs: 3,
    reply: (body) => (asRecord(body)['tools'] === undefined ? undefined : { toolCalls: [toolCall] }),
  });
  const unreachable = create(openaiCompatible, clock, `http://127.0.0.1:${await findClosedPort()}`);
  const first = create(openaiCompatible, clock, `http://127.0.0.1:${await findClosedPort()}`);
  return {
    llm: createFallbackLanguageModel(lineUp('llm', [first, create(openaiCompatible, clock, fake.httpUrl)], { clock }), clock),
    unreachable: createFallbackLanguageModel(lineUp('llm', [first, unreachable], { clock }), clock),
    toolRequest: { request: toolRequest, toolName: 'end_call' },
    openRequests: () => fake.requests.filter((request) => request.outcome === null).length,
    pendingTimers: () => clock.pendingTimers(),
    close: () => fake.close(),
  };
});
