import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../base/clock.js';
import type { LanguageModelRequest, ModelMessage } from '../../language-model.js';
import type { RealtimePart, RealtimeSession } from '../../realtime-model.js';
import type { SpeechToTextEvent } from '../../speech-to-text.js';
import { startFakeGeminiLive, type FakeGeminiLive, type FakeGeminiLiveOptions } from '../../../../test/support/fakes/gemini-live.js';
import { renderCodedWords, silence } from '../../../../test/support/fakes/speech-audio.js';
import { until } from '../../../../test/support/wait-for.js';
import { google } from '../google.js';

const tool = { name: 'look_up', description: 'Looks something up.', parameters: { type: 'object' } };
const controllers: AbortController[] = [];
const fakes: FakeGeminiLive[] = [];
afterEach(async () => {
  for (const controller of controllers.splice(0)) controller.abort();
  for (const fake of fakes.splice(0)) await fake.close();
});

async function open(options: FakeGeminiLiveOptions) {
  const fake = await startFakeGeminiLive(options);
  fakes.push(fake);
  const controller = new AbortController();
  controllers.push(controller);
  const events: SpeechToTextEvent[] = [];
  const leg = google.realtime!;
  const model = leg.create(leg.settingsSchema.parse({}), { clock: systemClock, apiKey: 'key', baseUrl: fake.wsUrl, fetch });
  const session = model.open({ language: 'en-US', keyterms: [], signal: controller.signal, onEvent: (event) => events.push(event) });
  await until(() => events.some(({ type }) => type === 'stt-ready'));
  return { fake, session, events, connection: fake.connections[0]! };
}

const requestOf = (instructions: string, messages: readonly ModelMessage[]): LanguageModelRequest => ({
  messages: [{ role: 'system', text: instructions }, ...messages],
  tools: [tool],
  signal: new AbortController().signal,
  maxOutputTokens: 600,
});

async function read(parts: AsyncIterable<RealtimePart>) {
  const calls: string[] = [];
  let text = '';
  for await (const part of parts) {
    if (part.type === 'text-delta') text += part.text;
    if (part.type === 'tool-call') calls.push(part.toolCall.id);
  }
  return { text, calls };
}

const say = (session: RealtimeSession) => session.recogniser.push(Buffer.concat([silence(40), renderCodedWords(['alpha', 'bravo']), silence(400)]));

describe('a session of Gemini Live', () => {
  it('sends no silence, and the context only where it changed', async () => {
    const { session, connection } = await open({});
    session.recogniser.push(silence(1000));
    const greeting: ModelMessage = { role: 'user', text: '[Note.]' };
    await read(session.respond(requestOf('One.', [greeting])).parts);
    await read(session.respond(requestOf('One.', [greeting, { role: 'assistant', text: 'I see.' }])).parts);
    await read(session.respond(requestOf('Two.', [greeting, { role: 'assistant', text: 'I see.' }])).parts);
    expect(connection.audio).toEqual([]);
    expect(connection.messages.filter(({ contextUpdate }) => contextUpdate !== undefined)).toHaveLength(2);
    expect(connection.contexts.map(({ instructions }) => instructions)).toEqual(['One.', 'One.', 'Two.']);
    expect(connection.problems).toEqual([]);
  });

  it('answers what the caller said last where they went on while a function ran, and tells what it returned', async () => {
    const respond = (index: number) => (index === 0 ? { calls: [{ name: 'look_up' }] } : { text: 'Very well.' });
    const { session, connection, events } = await open({ respond });
    const first = await read(session.respond(requestOf('One.', [{ role: 'user', text: '[Note.]' }])).parts);
    say(session);
    await until(() => events.some((event) => event.type === 'transcript-interim' && event.text === 'alpha bravo'));
    const [id = ''] = first.calls;
    const answer = await read(
      session.respond(
        requestOf('One.', [
          { role: 'user', text: '[Note.]' },
          { role: 'assistant', text: '', toolCalls: [{ id, name: 'look_up', argumentsJson: '{}' }] },
          { role: 'tool', toolCallId: id, toolName: 'look_up', result: 'found' },
          { role: 'user', text: 'alpha bravo' },
        ]),
      ).parts,
    );
    expect(answer.text).toBe('Very well.');
    expect(connection.remembered.map(({ text }) => text)).toEqual(['[Note.]', '[Your answer was cut off.]', '[A function returned: found]', 'alpha bravo', 'Very well.']);
    expect(connection.problems).toEqual([]);
  });
});
