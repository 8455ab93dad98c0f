import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { startFakeCartesia, type CartesiaFault, type FakeCartesia, type FakeCartesiaOptions } from '../../../test/support/fakes/cartesia.js';
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

const first = (fault: CartesiaFault) => (connection: number) => (connection === 0 ? fault : undefined);
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
  it.each([401, 402, 403, 404, 429, 500])('a refused connection (%i) fails the utterance, and the next one tries again', async (status) => {
    const server = await start({ fault: first({ upgrade: { kind: 'http', status } }) });
    const stream = open(server);
    const speaking = speak(stream, sentence);
    await speaking.over();
    expect(speaking.types).toEqual(['tts-failed']);
    expect(speaking.error()!.details).toMatchObject({ httpStatus: status });
    const next = speak(stream, sentence);
    await next.over();
    expect(next.types.at(-1)).toBe('tts-end');
    stream.close();
  });

  it.each([
    ['cut', 'vendor-unreachable'],
    ['close', 'vendor-unreachable'],
  ] as const)('a socket lost in a sentence (%s) fails this utterance, and the next one is whole', async (kind, code) => {
    const socket = kind === 'cut' ? { kind } : { kind, code: 1011 };
    const server = await start({ fault: first({ socket, afterAudioMs: 500 }) });
    const stream = open(server);
    const speaking = speak(stream, sentence);
    await speaking.over();
    expect(speaking.error()?.code).toBe(code);
    expect(speaking.audioMs()).toBeLessThanOrEqual(500);
    const next = speak(stream, sentence);
    await next.over();
    expect([next.types.at(-1), next.audioMs()]).toEqual(['tts-end', sentence.length * 60]);
    await settle();
    expect(speaking.types.filter((type) => type === 'tts-failed')).toHaveLength(1);
    stream.close();
  });

  it('a stall in a sentence fails after 2 s, and the next utterance has a connection of its own', async () => {
    const clock = createVirtualClock();
    const server = await start({ fault: first({ audio: 'stall', afterAudioMs: 300 }) });
    const stream = open(server, { clock });
    const speaking = speak(stream, sentence);
    await until(() => speaking.audioMs() === 300);
    await clock.advance(1900);
    expect(speaking.error()).toBeUndefined();
    await clock.advance(200);
    expect(speaking.error()).toMatchObject({ code: 'vendor-unreachable', retryable: true });
    await until(() => server.connections[0]!.closeCode === 1000);
    const next = speak(stream, sentence);
    await next.over();
    expect([next.types.at(-1), server.connections.length]).toEqual(['tts-end', 2]);
    stream.close();
  });

  it('no stall is seen while a reply waits for its next words', async () => {
    const clock = createVirtualClock();
    const server = await start();
    const stream = open(server, { clock });
    const { utterance, types, audioMs, over } = speak(stream);
    utterance.push('Well. ');
    await until(() => audioMs() === 360);
    await clock.advance(10_000);
    expect(types).not.toContain('tts-failed');
    utterance.push('Here.');
    utterance.end();
    await over();
    expect(types.at(-1)).toBe('tts-end');
    expect(audioMs()).toBe(360 + 300);
    stream.close();
  });

  it('chunks of odd sizes arrive whole', async () => {
    const server = await start({ fault: () => ({ audio: 'odd-sizes' }) });
    const stream = open(server);
    const speaking = speak(stream, sentence);
    await speaking.over();
    expect(speaking.audioMs()).toBe(sentence.length * 60);
    stream.close();
  });

  it('an utterance without a byte fails', async () => {
    const server = await start({ fault: () => ({ audio: 'empty' }) });
    const stream = open(server);
    const speaking = speak(stream, sentence);
    await speaking.over();
    expect(speaking.types).not.toContain('audio');
    expect(speaking.error()?.code).toBe('vendor-protocol');
    stream.close();
  });

  it('audio of a cancelled context is dropped', async () => {
    const server = await start({ pace: 4, fault: () => ({ audio: 'late-after-cancel' }) });
    const stream = open(server);
    const cancelled = speak(stream);
    cancelled.utterance.push(sentence);
    await until(() => cancelled.audioMs() > 0);
    cancelled.utterance.cancel();
    const seenMs = cancelled.audioMs();
    const next = speak(stream, 'Yes?');
    await next.over();
    expect(cancelled.audioMs()).toBe(seenMs);
    expect(next.audioMs()).toBe(4 * 60);
    stream.close();
  });

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

  it('garbage in place of audio fails the utterance', async () => {
    const server = await start({ fault: first({ audio: 'garbage' }) });
    const stream = open(server);
    const speaking = speak(stream, sentence);
    await speaking.over();
    expect(speaking.error()?.code).toBe('vendor-protocol');
    const next = speak(stream, sentence);
    await next.over();
    expect(next.types.at(-1)).toBe('tts-end');
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

  it('a vendor that closes at once is not asked again until there is something to say', async () => {
    let attempts = 0;
    const server = await start({
      fault() {
        attempts += 1;
        return { upgrade: { kind: 'reset' } };
      },
    });
    const stream = open(server);
    await settle(300);
    expect(attempts).toBe(1);
    const speaking = speak(stream, sentence);
    await speaking.over();
    await settle(300);
    expect(attempts).toBeLessThanOrEqual(3);
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
