import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { startFakeCartesia, type FakeCartesia, type FakeCartesiaOptions } from '../../../test/support/fakes/cartesia.js';
import { createCountingClock } from '../../../test/support/fakes/counting-clock.js';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { settle, until } from '../../../test/support/wait-for.js';
import type { Clock } from '../../base/clock.js';
import type { AgentStreamError } from '../../base/errors.js';
import type { TextToSpeechStream } from '../text-to-speech.js';
import { cartesia } from './cartesia.js';
import { parseSpeechMessage } from './messages.js';

let fake: FakeCartesia | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

async function start(options: FakeCartesiaOptions = {}): Promise<FakeCartesia> {
  fake = await startFakeCartesia({ apiKey: 'test-key', pace: 40, ...options });
  return fake;
}

function create(server: FakeCartesia, settings: Record<string, unknown> = {}, clock: Clock = createCountingClock()) {
  const leg = cartesia.tts!;
  return leg.create(leg.settingsSchema.parse(settings), { clock, apiKey: 'test-key', baseUrl: server.wsUrl, fetch });
}

function open(server: FakeCartesia, options: { settings?: Record<string, unknown>; clock?: Clock; language?: string } = {}): TextToSpeechStream {
  const voice = create(server, options.settings, options.clock);
  return voice.open({ language: options.language ?? 'en-US', signal: new AbortController().signal });
}

/** Speaks and keeps what comes. */
function speak(stream: TextToSpeechStream, text?: string) {
  const types: string[] = [];
  let bytes = 0;
  let error: AgentStreamError | undefined;
  const utterance = stream.speak((event) => {
    types.push(event.type);
    if (event.type === 'audio') bytes += event.audio.length;
    if (event.type === 'tts-failed') error = event.error;
  });
  if (text !== undefined) {
    utterance.push(text);
    utterance.end();
  }
  const over = () => until(() => types.includes('tts-end') || types.includes('tts-failed'));
  return { utterance, types, over, audioMs: () => bytes / 8, error: () => error };
}

const sentence = 'A sentence that is not over in a moment.';

describe('the wire', () => {
  it('is one socket for all utterances of a call, with key and version in the headers', async () => {
    const server = await start();
    const stream = open(server);
    await until(() => server.connections.length === 1);
    for (let i = 0; i < 3; i += 1) await speak(stream, sentence).over();
    stream.close();
    await until(() => server.connections[0]!.closeCode !== null);
    expect(server.connections).toMatchObject([{ authorization: 'Bearer test-key', version: '2026-08-14', closeCode: 1000 }]);
    expect(new Set(server.connections[0]!.messages.map((message) => message.context_id)).size).toBe(3);
  });

  it('repeats all fields but the text within a context, and keeps spaces', async () => {
    const server = await start();
    const stream = open(server, { settings: { speed: 1.2, voice: 'a-voice' }, language: 'pt-BR' });
    const { utterance, over } = speak(stream);
    utterance.push('Hello, ');
    utterance.push('  ');
    utterance.push('"Maria"\n');
    utterance.end();
    await over();
    stream.close();
    const { messages } = server.connections[0]!;
    expect(messages.map((message) => [message.transcript, message.continue])).toEqual([
      ['Hello, ', true],
      ['  "Maria"\n', true],
      ['', false],
    ]);
    const rest = messages.map(({ transcript: _transcript, continue: _continue, ...fields }) => fields);
    expect(rest[0]).toEqual({
      context_id: expect.any(String) as string,
      model_id: 'sonic-3',
      voice: { mode: 'id', id: 'a-voice' },
      language: 'pt',
      output_format: { container: 'raw', encoding: 'pcm_mulaw', sample_rate: 8000 },
      add_timestamps: true,
      max_buffer_delay_ms: 0,
      generation_config: { speed: 1.2 },
    });
    expect(rest[1]).toEqual(rest[0]);
    expect(rest[2]).toEqual(rest[0]);
  });

  it('cancels a context and nothing else', async () => {
    const server = await start({ pace: 4 });
    const stream = open(server);
    const { utterance, audioMs } = speak(stream);
    utterance.push(sentence);
    await until(() => audioMs() > 0);
    utterance.cancel();
    const idle = speak(stream);
    idle.utterance.cancel();
    await settle();
    stream.close();
    const { messages } = server.connections[0]!;
    expect(messages.slice(1)).toEqual([{ context_id: messages[0]!.context_id, cancel: true }]);
  });

  it.each([{ model: 1 }, { speed: 3 }, { voce: 'x' }, { voice: '' }])('refuses the settings %j', (settings) => {
    expect(cartesia.tts!.settingsSchema.safeParse(settings).success).toBe(false);
  });

  it('has a cache key that differs where the sound does', async () => {
    const server = await start();
    const keys = [{}, { voice: 'x' }, { model: 'sonic-2' }, { speed: 1.1 }, { language: 'de' }].map((settings) => create(server, settings).cacheKey);
    expect(new Set(keys).size).toBe(5);
    expect(create(server, { word_times: false }).cacheKey).toBe(keys[0]);
  });
});

describe('faults', () => {
  it.each([
    [402, 'vendor-rejected'],
    [429, 'vendor-rate-limited'],
    [500, 'vendor-unreachable'],
  ])('an error message with status %i is %s', async (status, code) => {
    const server = await start({ fault: () => ({ error: status }) });
    const stream = open(server);
    const speaking = speak(stream, sentence);
    await speaking.over();
    expect(speaking.types).toEqual(['tts-failed']);
    expect(speaking.error()?.code).toBe(code);
    stream.close();
  });

  it('a socket that the vendor closes for idleness is opened again quietly', async () => {
    const clock = createVirtualClock();
    const server = await start({ clock, idleCloseMs: 15_000 });
    const stream = open(server, { clock });
    for (let i = 0; i < 20; i += 1) {
      await clock.advance(1000);
      await settle(2);
    }
    await until(() => server.connections.length === 2);
    const speaking = speak(stream, sentence);
    for (let i = 0; i < 200 && !speaking.types.includes('tts-end'); i += 1) await clock.advance(50);
    expect(speaking.types.at(-1)).toBe('tts-end');
    expect(speaking.types).not.toContain('tts-failed');
    stream.close();
  });
});

describe('parseSpeechMessage', () => {
  it('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.record({ type: fc.constantFrom('chunk', 'timestamps', 'done', 'error'), data: fc.anything(), word_timestamps: fc.anything() }).map((value) => JSON.stringify(value))), (text) => {
        const message = parseSpeechMessage(Buffer.from(text));
        expect(message === null || message.every(({ type }) => ['audio', 'words', 'done', 'error'].includes(type))).toBe(true);
      }),
    );
  });
});
