import type * as cartesiaSdk from '@cartesia/cartesia-js';
import { DeepgramClient } from '@deepgram/sdk';
import type * as elevenlabsSdk from '@elevenlabs/elevenlabs-js/serialization/index.js';
import { StreamingTranscriber } from 'assemblyai';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import OpenAI from 'openai';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startFakeAssemblyai } from './assemblyai.js';
import { startFakeCartesia } from './cartesia.js';
import { settle, until } from '../wait-for.js';
import { startFakeDeepgram } from './deepgram.js';
import { startFakeDeepgramVoice } from './deepgram-voice.js';
import { startFakeElevenlabsVoice } from './elevenlabs-voice.js';
import { startFakeOpenai } from './openai.js';
import { startFakeOpenaiVoice } from './openai-voice.js';
import { renderCodedWords, silence, type CodedWord } from './speech-audio.js';
import type { VendorServer } from './vendor-server.js';

// The SDK's module build cannot load `ws`; its CommonJS build can.
const { Cartesia } = createRequire(import.meta.url)('@cartesia/cartesia-js') as typeof cartesiaSdk;

/** The vendors’ own SDKs talk with the fakes, so that a fake and its adapter cannot share a misreading of the protocol. */
describe('the fakes, as the vendors’ own SDKs see them', () => {
  const running: VendorServer[] = [];
  afterEach(async () => {
    for (const server of running.splice(0)) await server.close();
  });
  const keep = <Server extends VendorServer>(server: Server): Server => {
    running.push(server);
    return server;
  };

  it('@deepgram/sdk: two turns, one ended by silence, one by Finalize', async () => {
    const fake = keep(await startFakeDeepgram({ apiKey: 'test-key' }));
    const environment = { base: fake.httpUrl, production: fake.wsUrl, agent: fake.wsUrl, agentRest: fake.httpUrl };
    const client = new DeepgramClient({ apiKey: 'test-key', environment });
    const query = { model: 'nova-3', encoding: 'mulaw', sample_rate: 8000, channels: 1, interim_results: 'true', endpointing: 300, keyterm: ['Agent Stream'] } as const;
    const connection = await client.listen.v1.connect({ ...query, Authorization: 'Token test-key' });
    const finals: { text: string; isSpeechFinal: boolean; isFromFinalize: boolean; endSeconds: number }[] = [];
    const types: string[] = [];
    connection.on('message', (message) => {
      types.push(message.type);
      if (message.type !== 'Results' || message.is_final !== true) return;
      const best = message.channel.alternatives[0]!;
      expect(best.words.map((word) => word.word)).toEqual(best.transcript === '' ? [] : best.transcript.split(' '));
      if (best.transcript === '') return;
      const endSeconds = message.start + message.duration;
      finals.push({ text: best.transcript, isSpeechFinal: message.speech_final === true, isFromFinalize: message.from_finalize === true, endSeconds });
    });
    connection.connect();
    await connection.waitForOpen();
    connection.sendMedia(renderCodedWords(['alpha', 'bravo']));
    connection.sendMedia(silence(400));
    await until(() => finals.length === 1);
    connection.sendMedia(renderCodedWords(['charlie']));
    connection.sendKeepAlive({ type: 'KeepAlive' });
    connection.sendFinalize({ type: 'Finalize' });
    await until(() => finals.length === 2);
    connection.sendCloseStream({ type: 'CloseStream' });
    await until(() => types.includes('Metadata'));
    connection.close();
    expect(finals[0]).toMatchObject({ text: 'alpha bravo', isSpeechFinal: true, isFromFinalize: false });
    expect(finals[1]).toMatchObject({ text: 'charlie', isFromFinalize: true });
    expect(finals[1]!.endSeconds).toBeCloseTo(0.56 + 0.4 + 0.28, 1);
    expect(fake.connections[0]!.controls).toEqual(['KeepAlive', 'Finalize', 'CloseStream']);
    await until(() => fake.openSockets() === 0);
  });

  it('@deepgram/sdk: texts, a flush, a clear and a close', async () => {
    const fake = keep(await startFakeDeepgramVoice({ apiKey: 'test-key', pace: 40 }));
    const environment = { base: fake.httpUrl, production: fake.wsUrl, agent: fake.wsUrl, agentRest: fake.httpUrl };
    const client = new DeepgramClient({ apiKey: 'test-key', environment });
    const query = { model: 'aura-2-thalia-en', encoding: 'mulaw', sample_rate: '8000' } as const;
    const connection = await client.speak.v1.connect({ ...query, Authorization: 'Token test-key' });
    const types: string[] = [];
    let bytes = 0;
    connection.on('message', (message: unknown) => {
      if (message instanceof Blob) bytes += message.size;
      else types.push((message as { type: string }).type);
    });
    connection.connect();
    await connection.waitForOpen();
    connection.sendText({ type: 'Speak', text: 'Hello there. ' });
    connection.sendText({ type: 'Speak', text: 'How are you?' });
    connection.sendFlush({ type: 'Flush' });
    await until(() => types.includes('Flushed'));
    const spoken = 'Hello there. How are you?'.length * 60 * 8;
    await until(() => bytes === spoken);
    connection.sendText({ type: 'Speak', text: 'Nobody hears this. '.repeat(20) });
    connection.sendFlush({ type: 'Flush' });
    connection.sendClear({ type: 'Clear' });
    await until(() => types.includes('Cleared'));
    connection.sendClose({ type: 'Close' });
    await until(() => fake.connections[0]!.closeCode !== null);
    connection.close();
    expect(types).toEqual(['Metadata', 'Flushed', 'Cleared', 'Flushed']);
    expect(fake.connections[0]!.messages.map(({ type }) => type)).toEqual(['Speak', 'Speak', 'Flush', 'Speak', 'Flush', 'Clear', 'Close']);
    await until(() => fake.openSockets() === 0);
  });

  it('@deepgram/sdk: turns of Flux, and a message that Flux does not know', async () => {
    const fake = keep(await startFakeDeepgram({ apiKey: 'test-key' }));
    const environment = { base: fake.httpUrl, production: fake.wsUrl, agent: fake.wsUrl, agentRest: fake.httpUrl };
    const client = new DeepgramClient({ apiKey: 'test-key', environment });
    const query = { model: 'flux-general-en', encoding: 'mulaw', sample_rate: 8000, eot_threshold: 0.7, eager_eot_threshold: 0.5 } as const;
    const connection = await client.listen.v2.connect({ ...query, reconnectAttempts: 0 });
    const seen: string[] = [];
    const ended: { transcript: string; words: string[]; turn: number }[] = [];
    connection.on('message', (message) => {
      seen.push(message.type === 'TurnInfo' ? message.event : message.type);
      if (message.type !== 'TurnInfo' || message.event !== 'EndOfTurn') return;
      expect(message.audio_window_end).toBeGreaterThan(message.words.at(-1)?.end ?? Infinity);
      ended.push({ transcript: message.transcript, words: message.words.map(({ word }) => word), turn: message.turn_index });
    });
    connection.connect();
    await connection.waitForOpen();
    for (const [index, words] of (['alpha bravo charlie', 'delta'] as const).entries()) {
      connection.sendMedia(renderCodedWords(words.split(' ') as CodedWord[]));
      connection.sendMedia(silence(400));
      await until(() => ended.length === index + 1);
    }
    expect(ended).toEqual([
      { transcript: 'alpha bravo charlie', words: ['alpha', 'bravo', 'charlie'], turn: 0 },
      { transcript: 'delta', words: ['delta'], turn: 1 },
    ]);
    expect(seen[0]).toBe('Connected');
    const order = seen.filter((event) => event !== 'Update' && event !== 'Connected');
    expect(order).toEqual(['StartOfTurn', 'EagerEndOfTurn', 'EndOfTurn', 'StartOfTurn', 'EagerEndOfTurn', 'EndOfTurn']);
    connection.sendForceEndTurn({ type: 'ForceEndTurn' });
    await until(() => seen.at(-1) === 'Error');
    connection.close();
    await until(() => fake.openSockets() === 0);
  });

  it('assemblyai: a turn ended by silence, one by ForceEndpoint, and a wrong key', async () => {
    const fake = keep(await startFakeAssemblyai({ apiKey: 'test-key' }));
    const open = (apiKey: string) => {
      const transcriber = new StreamingTranscriber({ apiKey, websocketBaseUrl: 'wss://fake/v3/ws', sampleRate: 8000, encoding: 'pcm_mulaw', speechModel: 'universal-streaming-english', formatTurns: true, maxConnectionRetries: 0 });
      // The SDK insists on wss: its own URL leads to the plain socket of the fake.
      const connectionUrl = Reflect.get(transcriber, 'connectionUrl') as () => URL;
      Object.defineProperty(transcriber, 'connectionUrl', { value: () => new URL(`${fake.wsUrl}/v3/ws${connectionUrl.call(transcriber).search}`) });
      return transcriber;
    };
    const transcriber = open('test-key');
    const turns: { text: string; order: number; words: string[] }[] = [];
    const partials: string[] = [];
    transcriber.on('turn', (turn) => {
      if (!turn.end_of_turn) partials.push(turn.transcript);
      else if (turn.turn_is_formatted) turns.push({ text: turn.transcript, order: turn.turn_order, words: turn.words.map(({ text }) => text) });
    });
    const begin = await transcriber.connect();
    expect(begin.type).toBe('Begin');
    const send = (audio: Buffer) => {
      for (let i = 0; i < audio.length; i += 800) transcriber.sendAudio(new Uint8Array(audio.subarray(i, i + 800)).buffer);
    };
    send(Buffer.concat([renderCodedWords(['alpha', 'bravo']), silence(540)]));
    await until(() => turns.length === 1);
    send(Buffer.concat([renderCodedWords(['charlie']), silence(20)]));
    transcriber.forceEndpoint();
    await until(() => turns.length === 2);
    await transcriber.close();
    expect(turns).toEqual([
      { text: 'Alpha bravo.', order: 0, words: ['alpha', 'bravo'] },
      { text: 'Charlie.', order: 1, words: ['charlie'] },
    ]);
    expect(partials.length).toBeGreaterThan(0);
    expect(fake.connections[0]!.controls).toEqual(['ForceEndpoint', 'Terminate']);
    const stranger = open('wrong');
    stranger.on('error', () => undefined);
    await expect(stranger.connect()).rejects.toThrow('Unauthorized Connection');
    await until(() => fake.openSockets() === 0);
  });

  it('openai: a stream, a tool call, its result, a whole answer, and an error', async () => {
    const fake = keep(
      await startFakeOpenai({
        apiKey: 'test-key',
        reply: (request) =>
          request.messages.at(-1)!.role === 'tool' || request.tools === undefined
            ? { text: 'It is sunny. Goodbye.' }
            : { toolCalls: [{ id: 'call_7', name: 'weather', argumentsJson: '{"city":"Porto"}' }] },
        fault: (request) => (request === 3 ? { kind: 'http', status: 429, headers: { 'retry-after': '7' } } : undefined),
      }),
    );
    const client = new OpenAI({ apiKey: 'test-key', baseURL: `${fake.httpUrl}/v1`, maxRetries: 0 });
    const model = 'gpt-4.1-mini';
    const weather = { type: 'function' as const, function: { name: 'weather', description: 'The weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } };
    const question = { role: 'user' as const, content: 'How is the weather in Porto?' };

    const asked = client.chat.completions.stream({ model, messages: [question], tools: [weather], stream_options: { include_usage: true } });
    const first = await asked.finalChatCompletion();
    expect(first.choices[0]!.finish_reason).toBe('tool_calls');
    const call = first.choices[0]!.message.tool_calls![0]!;
    expect(call).toMatchObject({ id: 'call_7', type: 'function', function: { name: 'weather', arguments: '{"city":"Porto"}' } });
    expect(first.usage).toMatchObject({ prompt_tokens: 20, completion_tokens: 12 });

    const answer = { role: 'tool' as const, tool_call_id: 'call_7', content: 'sunny' };
    let text = '';
    for await (const chunk of await client.chat.completions.create({ model, stream: true, messages: [question, first.choices[0]!.message, answer], tools: [weather] })) {
      text += chunk.choices[0]?.delta.content ?? '';
    }
    expect(text).toBe('It is sunny. Goodbye.');

    const whole = await client.chat.completions.create({ model, messages: [question] });
    expect(whole.choices[0]!.message.content).toBe('It is sunny. Goodbye.');
    await expect(client.chat.completions.create({ model, messages: [question] })).rejects.toThrow(OpenAI.RateLimitError);
    const stranger = new OpenAI({ apiKey: 'wrong', baseURL: `${fake.httpUrl}/v1`, maxRetries: 0 });
    await expect(stranger.chat.completions.create({ model, messages: [question] })).rejects.toThrow(OpenAI.AuthenticationError);
  });

  it('openai: speech as PCM, and a refusal', async () => {
    const fake = keep(await startFakeOpenaiVoice({ apiKey: 'test-key', pace: 40 }));
    const client = new OpenAI({ apiKey: 'test-key', baseURL: `${fake.httpUrl}/v1`, maxRetries: 0 });
    const request = { model: 'gpt-4o-mini-tts', voice: 'marin', input: 'Hello there.', instructions: 'Warmly.', speed: 1.1, response_format: 'pcm' } as const;
    const spoken = await (await client.audio.speech.create(request)).arrayBuffer();
    expect(spoken.byteLength).toBe('Hello there.'.length * 60 * 24 * 2);
    expect(fake.requests[0]!.body).toEqual(request);
    await expect(client.audio.speech.create({ ...request, input: 'word '.repeat(1000) })).rejects.toThrow(OpenAI.BadRequestError);
  });

  it('@cartesia/cartesia-js: a context in pieces, a cancelled one, and an error', async () => {
    const fake = keep(await startFakeCartesia({ apiKey: 'test-key', pace: 40 }));
    const client = new Cartesia({ apiKey: 'test-key', baseURL: fake.httpUrl });
    // The SDK insists on wss: the socket below its TLS is a plain one to the fake.
    const socket = await client.tts.websocket({ createConnection: () => connect(fake.port, '127.0.0.1') });
    socket.on('error', () => undefined);
    const options = {
      model_id: 'sonic-3',
      voice: { mode: 'id', id: 'f786b574-daa5-4673-aa0c-cbe3e8534c02' },
      output_format: { container: 'raw', encoding: 'pcm_mulaw', sample_rate: 8000 },
      add_timestamps: true,
      language: 'en',
    } as const;

    const context = socket.context({ ...options, contextId: 'first' });
    await context.push({ transcript: 'Hello there. ' });
    await context.push({ transcript: 'How are you?' });
    await context.no_more_inputs();
    let bytes = 0;
    const words: string[] = [];
    const types = new Set<string>();
    for await (const event of context.receive({ timeout: 5000 })) {
      types.add(event.type);
      if (event.type === 'chunk') bytes += event.audio!.length;
      if (event.type === 'timestamps') words.push(...event.word_timestamps!.words);
    }
    expect(words).toEqual(['Hello', 'there.', 'How', 'are', 'you?']);
    expect([...types].sort()).toEqual(['chunk', 'done', 'timestamps']);
    expect(bytes).toBe('Hello there. How are you?'.length * 60 * 8);

    const cancelled = socket.context({ ...options, contextId: 'second' });
    await cancelled.push({ transcript: 'A long sentence that nobody is going to hear to its end. '.repeat(5) });
    let chunks = 0;
    socket.on('chunk', (event) => (chunks += event.context_id === 'second' ? 1 : 0));
    await until(() => chunks > 0);
    await cancelled.cancel();
    await settle();
    const seen = chunks;
    await settle(200);
    expect(chunks).toBe(seen);

    const broken = socket.context({ ...options, model_id: '', contextId: 'third' });
    await broken.push({ transcript: 'Hello' });
    await expect(async () => {
      for await (const event of broken.receive({ timeout: 5000 })) expect(event.type).toBe('error');
    }).rejects.toThrow('Missing field');
    socket.close();
    await until(() => fake.openSockets() === 0);
  });

  it('@elevenlabs/elevenlabs-js: contexts as its serializers write and read them', async () => {
    const wire = createRequire(import.meta.url)('@elevenlabs/elevenlabs-js/serialization') as typeof elevenlabsSdk;
    const fake = keep(await startFakeElevenlabsVoice({ apiKey: 'test-key', pace: 40 }));
    const query = 'model_id=eleven_flash_v2_5&output_format=ulaw_8000&auto_mode=true&sync_alignment=true';
    const socket = new WebSocket(`${fake.wsUrl}/v1/text-to-speech/a-voice/multi-stream-input?${query}`, { headers: { 'xi-api-key': 'test-key' } });
    let bytes = 0;
    const chars: string[] = [];
    const finals: (string | undefined)[] = [];
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as Record<string, unknown>;
      if (message['isFinal'] === true) finals.push(wire.FinalOutputMulti.parseOrThrow(message).contextId);
      else {
        const { audio, alignment, contextId } = wire.AudioOutputMulti.parseOrThrow(message, { unrecognizedObjectKeys: 'passthrough' });
        expect(contextId).toBe('first');
        bytes += Buffer.from(audio, 'base64').length;
        expect(alignment!.charStartTimesMs!.length).toBe(alignment!.chars!.length);
        chars.push(...alignment!.chars!);
      }
    });
    await new Promise((resolve) => socket.once('open', resolve));
    const send = (message: unknown) => socket.send(JSON.stringify(message));
    send(wire.InitializeConnectionMulti.jsonOrThrow({ text: ' ', contextId: 'first', voiceSettings: { speed: 1.1 } }));
    send(wire.SendTextMulti.jsonOrThrow({ text: 'Hello there. ', contextId: 'first' }));
    send(wire.FlushContext.jsonOrThrow({ contextId: 'first', flush: true }));
    send(wire.KeepContextAlive.jsonOrThrow({ text: '', contextId: 'first' }));
    send(wire.CloseContext.jsonOrThrow({ contextId: 'first', closeContext: true }));
    await until(() => finals.length === 1);
    expect(finals).toEqual(['first']);
    expect(chars.join('')).toBe('Hello there. ');
    expect(bytes).toBe('Hello there. '.length * 60 * 8);
    socket.close();
    await until(() => fake.openSockets() === 0);
  });
});
