import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { openFakeVoice, speakAndKeep } from '../../../test/contracts/voice-faults.js';
import { startFakeElevenlabsVoice, type FakeElevenlabsVoice, type FakeElevenlabsVoiceOptions } from '../../../test/support/fakes/elevenlabs-voice.js';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { settle, until } from '../../../test/support/wait-for.js';
import { elevenlabs } from './elevenlabs.js';
import { createElevenlabsProtocol } from './text-to-speech-protocol.js';
import { elevenlabsTextToSpeechSchema } from './text-to-speech-settings.js';
import { createWordReader } from './text-to-speech-words.js';

let fake: FakeElevenlabsVoice | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

async function start(options: FakeElevenlabsVoiceOptions = {}): Promise<FakeElevenlabsVoice> {
  fake = await startFakeElevenlabsVoice({ apiKey: 'test-key', pace: 40, ...options });
  return fake;
}

const sentence = 'A sentence that is not over in a moment.';
const defaults = elevenlabsTextToSpeechSchema.parse({});

describe('the wire', () => {
  it('is one socket for all utterances of a call, with the key in a header and the options in the URL', async () => {
    const server = await start();
    const stream = openFakeVoice(elevenlabs, server.wsUrl, { settings: { voice: 'a voice' }, language: 'pt-BR' });
    for (let i = 0; i < 3; i += 1) await speakAndKeep(stream, sentence).over();
    stream.close();
    await until(() => server.connections[0]!.closeCode !== null);
    expect(server.connections).toMatchObject([{ path: '/v1/text-to-speech/a%20voice/multi-stream-input', apiKey: 'test-key', closeCode: 1000 }]);
    expect(server.connections[0]!.query).toEqual({
      model_id: 'eleven_flash_v2_5',
      output_format: 'ulaw_8000',
      auto_mode: 'true',
      inactivity_timeout: '180',
      sync_alignment: 'true',
      language_code: 'pt',
    });
    expect(new Set(server.connections[0]!.messages.map((message) => message.context_id)).size).toBe(3);
  });

  it('names no language to a model that takes none, nor where it is open', async () => {
    const server = await start();
    for (const options of [{ settings: { model: 'eleven_flash_v2' } }, { language: 'multi' }]) {
      const stream = openFakeVoice(elevenlabs, server.wsUrl, options);
      await speakAndKeep(stream, sentence).over();
      stream.close();
    }
    expect(server.connections.map(({ query }) => query['language_code'])).toEqual([undefined, undefined]);
  });

  it('begins a context with its voice settings, ends each text in one space and closes the context', async () => {
    const server = await start();
    const stream = openFakeVoice(elevenlabs, server.wsUrl, { settings: { speed: 1.1, stability: 0.4 } });
    const { utterance, over } = speakAndKeep(stream);
    utterance.push('Hello, ');
    utterance.push('"Maria"\n');
    utterance.end();
    await over();
    stream.close();
    const { messages } = server.connections[0]!;
    const contextId = messages[0]!.context_id;
    expect(messages).toEqual([
      { text: ' ', context_id: contextId, voice_settings: { stability: 0.4, speed: 1.1 } },
      { text: 'Hello, ', context_id: contextId, flush: true },
      { text: '"Maria" ', context_id: contextId, flush: true },
      { context_id: contextId, close_context: true },
    ]);
  });

  it('cancels a context and nothing else', async () => {
    const server = await start({ pace: 4 });
    const stream = openFakeVoice(elevenlabs, server.wsUrl);
    const { utterance, audioMs } = speakAndKeep(stream);
    utterance.push(sentence);
    await until(() => audioMs() > 0);
    utterance.cancel();
    speakAndKeep(stream).utterance.cancel();
    await settle();
    stream.close();
    const { messages } = server.connections[0]!;
    expect(messages.slice(2)).toEqual([{ context_id: messages[0]!.context_id, close_context: true }]);
  });

  it.each([{ model: 1 }, { model: 'eleven_v3' }, { speed: 3 }, { stability: 2 }, { voce: 'x' }, { voice: '' }])('refuses the settings %j', (settings) => {
    expect(elevenlabs.tts!.settingsSchema.safeParse(settings).success).toBe(false);
  });

  it('has a cache key that differs where the sound does', () => {
    const leg = elevenlabs.tts!;
    const keyOf = (settings: object) => leg.create(leg.settingsSchema.parse(settings), { clock: createVirtualClock(), apiKey: 'k', baseUrl: 'ws://fake', fetch }).cacheKey;
    const changes = [{}, { voice: 'x' }, { model: 'eleven_turbo_v2_5' }, { speed: 1.1 }, { language: 'de' }, { stability: 1 }, { similarity_boost: 1 }];
    expect(new Set(changes.map(keyOf)).size).toBe(changes.length);
    expect(keyOf({ word_times: false })).toBe(keyOf({}));
  });
});

describe('errors', () => {
  it.each([
    ['quota_exceeded', 'vendor-rejected'],
    ['voice_id_does_not_exist', 'vendor-rejected'],
    ['invalid_api_key', 'vendor-unauthorized'],
    ['too_many_concurrent_requests', 'vendor-rate-limited'],
    ['system_busy', 'vendor-rate-limited'],
    ['internal_error', 'vendor-unreachable'],
  ])('the message %s is %s', async (error, code) => {
    const server = await start({ fault: () => ({ error }) });
    const stream = openFakeVoice(elevenlabs, server.wsUrl);
    const speaking = speakAndKeep(stream, sentence);
    await speaking.over();
    expect(speaking.types).toEqual(['tts-failed']);
    expect(speaking.error()).toMatchObject({ code, details: { vendorError: error } });
    stream.close();
  });

  it('a socket that the vendor closes for idleness is opened again quietly', async () => {
    const clock = createVirtualClock();
    const server = await start({ clock });
    const stream = openFakeVoice(elevenlabs, server.wsUrl, { clock });
    await until(() => server.connections.length === 1);
    for (let second = 0; second < 185; second += 5) {
      await clock.advance(5000);
      await settle(2);
    }
    await until(() => server.connections.length === 2);
    const speaking = speakAndKeep(stream, sentence);
    for (let i = 0; i < 200 && !speaking.types.includes('tts-end'); i += 1) await clock.advance(50);
    expect(speaking.types.at(-1)).toBe('tts-end');
    expect(speaking.types).not.toContain('tts-failed');
    stream.close();
  });
});

describe('word times', () => {
  it('puts words together across chunks, whose times start anew', () => {
    const reader = createWordReader();
    expect(reader.read({ chars: ['H', 'i', ' ', 't', 'h'], charStartTimesMs: [0, 10, 20, 30, 40], charDurationsMs: [10, 10, 10, 10, 10] }, 0)).toEqual([
      { text: 'Hi', startMs: 0, endMs: 20 },
    ]);
    expect(reader.read({ chars: ['e', 'r', 'e', '.'], charStartTimesMs: [0, 10, 20, 30], charDurationsMs: [10, 10, 10, 10] }, 50)).toEqual([]);
    expect(reader.flush()).toEqual([{ text: 'there.', startMs: 30, endMs: 90 }]);
    expect(reader.flush()).toEqual([]);
  });

  it('are not asked for where they are not wanted', async () => {
    const server = await start();
    const stream = openFakeVoice(elevenlabs, server.wsUrl, { settings: { word_times: false } });
    const speaking = speakAndKeep(stream, sentence);
    await speaking.over();
    stream.close();
    expect(server.connections[0]!.query['sync_alignment']).toBe('false');
    expect(speaking.types).not.toContain('words');
  });
});

describe('the protocol', () => {
  const message = fc.record({ audio: fc.anything(), alignment: fc.anything(), isFinal: fc.anything(), contextId: fc.anything(), error: fc.anything() }, { requiredKeys: [] });

  it('never throws at what it reads', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), message.map((value) => JSON.stringify(value))), (text) => {
        const protocol = createElevenlabsProtocol(defaults);
        const messages = protocol.parse(Buffer.from(text), false);
        expect(messages === null || messages.every((one) => typeof one === 'object' && ['audio', 'words', 'done', 'error'].includes(one.type))).toBe(true);
      }),
    );
  });

  it('repeats of an error message nothing but a name', () => {
    const protocol = createElevenlabsProtocol(defaults);
    const [failure] = protocol.parse(Buffer.from(JSON.stringify({ error: 'The text "my secret" is refused', code: 1008 })), false)!;
    expect(failure).toMatchObject({ type: 'error', error: { code: 'vendor-rejected', details: { vendorError: 'unknown' } } });
    expect(protocol.errorOfClose!({ code: 1008, reason: '' }).code).toBe('vendor-rejected');
  });
});
