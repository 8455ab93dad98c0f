import type * as cartesiaSdk from '@cartesia/cartesia-js';
import { DeepgramClient } from '@deepgram/sdk';
import { AudioFormat, CommitStrategy, ElevenLabsClient, RealtimeEvents } from '@elevenlabs/elevenlabs-js';
import type * as elevenlabsSdk from '@elevenlabs/elevenlabs-js/serialization/index.js';
import { RealtimeClient } from '@speechmatics/real-time-client';
import { StreamingTranscriber } from 'assemblyai';
import { GoogleGenAI, Modality, type LiveServerMessage } from '@google/genai';
import type { ClientRequest } from 'node:http';
import { Agent } from 'node:https';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import OpenAI, { toFile } from 'openai';
import { OpenAIRealtimeWS } from 'openai/realtime/ws';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { encodeWav } from '../../../src/audio/wav.js';
import { decodeMulaw } from '../../../src/audio/g711.js';
import { startFakeAssemblyai } from './assemblyai.js';
import { speakBuiltinVoice } from './builtin-voice.js';
import { startFakeCartesia } from './cartesia.js';
import { settle, until } from '../wait-for.js';
import { startFakeDeepgram } from './deepgram.js';
import { startFakeDeepgramVoice } from './deepgram-voice.js';
import { startFakeElevenlabsScribe } from './elevenlabs-scribe.js';
import { startFakeElevenlabsVoice } from './elevenlabs-voice.js';
import { startFakeGeminiLive } from './gemini-live.js';
import { startFakeOpenai } from './openai.js';
import { startFakeOpenaiRealtime } from './openai-realtime.js';
import { startFakeOpenaiSpeech } from './openai-speech-to-speech.js';
import { startFakeTranscriptions } from './openai-transcriptions.js';
import { startFakeOpenaiVoice } from './openai-voice.js';
import { renderCodedWords, silence, type CodedWord } from './speech-audio.js';
import { startFakeSpeechmatics } from './speechmatics.js';
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

  it('@speechmatics/real-time-client: an utterance ended by silence, one by force, and a wrong key', async () => {
    const fake = keep(await startFakeSpeechmatics({ apiKey: 'test-key' }));
    const open = () => new RealtimeClient({ url: `${fake.wsUrl}/v2` });
    const client = open();
    const seen: string[] = [];
    const words: string[] = [];
    const ends: number[] = [];
    let acknowledged = 0;
    client.addEventListener('receiveMessage', ({ data }) => {
      if (data.message === 'AudioAdded') acknowledged = data.seq_no;
      else seen.push(data.message);
      if (data.message === 'AddTranscript') words.push(...data.results.map(({ alternatives }) => alternatives![0]!.content));
      if (data.message === 'EndOfUtterance') ends.push(data.metadata.end_time!);
    });
    const audio_format = { type: 'raw', encoding: 'mulaw', sample_rate: 8000 } as const;
    const transcription_config = { language: 'en', model: 'enhanced', enable_partials: true, max_delay: 1, conversation_config: { end_of_utterance_silence_trigger: 0.4 } } as const;
    const started = await client.start('test-key', { audio_format, transcription_config });
    expect(started).toMatchObject({ message: 'RecognitionStarted', language_pack_info: { word_delimiter: ' ' } });
    client.sendAudio(renderCodedWords(['alpha', 'bravo', 'charlie']));
    client.sendAudio(silence(500));
    await until(() => ends.length === 1);
    client.sendAudio(renderCodedWords(['delta']));
    client.forceEndOfUtterance();
    await until(() => ends.length === 2);
    await until(() => acknowledged === 3);
    await client.stopRecognition();
    expect(words).toEqual(['alpha', 'bravo', 'charlie', '.', 'delta', '.']);
    expect(ends[1]).toBeCloseTo(0.84 + 0.5 + 0.28, 1);
    expect(seen).toContain('AddPartialTranscript');
    expect(seen.at(-1)).toBe('EndOfTranscript');
    expect(fake.connections[0]!.controls).toEqual(['ForceEndOfUtterance', 'EndOfStream']);
    await expect(open().start('wrong', { audio_format, transcription_config })).rejects.toBeDefined();
    await until(() => fake.openSockets() === 0);
  });

  it('@elevenlabs/elevenlabs-js: segments that a commit ends, one that silence ends, one too short, and a wrong key', async () => {
    const fake = keep(await startFakeElevenlabsScribe({ apiKey: 'test-key' }));
    const open = async (options: { apiKey?: string; commitStrategy?: CommitStrategy }) => {
      const { apiKey = 'test-key', commitStrategy = CommitStrategy.MANUAL } = options;
      const client = new ElevenLabsClient({ apiKey, baseUrl: fake.httpUrl });
      const session = { modelId: 'scribe_v2_realtime', audioFormat: AudioFormat.ULAW_8000, sampleRate: 8000, languageCode: 'en', includeTimestamps: true, keyterms: ['Porto'] };
      const connection = await client.speechToText.realtime.connect({ ...session, commitStrategy });
      const heard = { isStarted: false, partials: 0, texts: [] as string[], words: [] as string[], errors: [] as string[] };
      connection.on(RealtimeEvents.SESSION_STARTED, () => (heard.isStarted = true));
      connection.on(RealtimeEvents.PARTIAL_TRANSCRIPT, () => (heard.partials += 1));
      connection.on(RealtimeEvents.COMMITTED_TRANSCRIPT, ({ text }) => heard.texts.push(text));
      connection.on(RealtimeEvents.COMMITTED_TRANSCRIPT_WITH_TIMESTAMPS, ({ words }) => heard.words.push(...words!.filter(({ type }) => type === 'word').map(({ text }) => text!)));
      connection.on(RealtimeEvents.ERROR, (error) => heard.errors.push('message_type' in error ? error.message_type : error.message));
      const say = (audio: Buffer) => connection.send({ audioBase64: audio.toString('base64') });
      return { connection, heard, say };
    };
    const manual = await open({});
    await until(() => manual.heard.isStarted);
    manual.say(renderCodedWords(['alpha', 'bravo']));
    manual.connection.commit();
    manual.say(renderCodedWords(['charlie', 'delta']));
    manual.connection.commit();
    await until(() => manual.heard.words.length === 4);
    manual.connection.commit();
    await until(() => manual.heard.errors.length === 1);
    expect(manual.heard).toMatchObject({ texts: ['alpha bravo', 'charlie delta'], words: ['alpha', 'bravo', 'charlie', 'delta'], errors: ['commit_throttled'] });
    expect(manual.heard.partials).toBeGreaterThan(0);

    const vad = await open({ commitStrategy: CommitStrategy.VAD });
    await until(() => vad.heard.isStarted);
    vad.say(Buffer.concat([renderCodedWords(['echo']), silence(1600)]));
    await until(() => vad.heard.words.length === 1);
    expect(vad.heard.texts).toEqual(['echo']);
    vad.connection.close();

    const stranger = await open({ apiKey: 'wrong' });
    await until(() => stranger.heard.errors.includes('auth_error'));
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

  it.each([
    ['gpt-live-transcribe', null],
    ['gpt-4o-transcribe', { type: 'server_vad', silence_duration_ms: 300 }],
  ] as const)('openai: a transcription session of %s with turn detection %j', async (model, turnDetection) => {
    const fake = keep(await startFakeOpenaiRealtime({ apiKey: 'test-key' }));
    const client = new OpenAI({ apiKey: 'test-key', baseURL: `${fake.httpUrl}/v1` });
    // The SDK always speaks TLS and always names a model, which the API refuses for transcription: its connection and path are replaced.
    const agent = new Agent();
    agent.createConnection = () => connect(fake.port, '127.0.0.1');
    const finishRequest = (request: ClientRequest) => {
      request.path = '/v1/realtime?intent=transcription';
      request.end();
    };
    const realtime = new OpenAIRealtimeWS({ model, options: { agent, finishRequest } }, client);
    const types: string[] = [];
    const errors: (string | null | undefined)[] = [];
    const texts = new Map<string, string>();
    const deltas = new Map<string, string>();
    const committed: string[] = [];
    let audioEndMs = 0;
    realtime.on('event', ({ type }) => types.push(type));
    realtime.on('error', ({ error }) => errors.push(error?.code));
    realtime.on('input_audio_buffer.committed', (event) => committed.push(event.item_id));
    realtime.on('input_audio_buffer.speech_stopped', (event) => (audioEndMs = event.audio_end_ms));
    realtime.on('conversation.item.input_audio_transcription.delta', (event) => deltas.set(event.item_id, (deltas.get(event.item_id) ?? '') + (event.delta ?? '')));
    realtime.on('conversation.item.input_audio_transcription.completed', (event) => texts.set(event.item_id, event.transcript));
    await until(() => types.includes('session.created'));
    const input = { format: { type: 'audio/pcmu' }, transcription: { model, language: 'en' }, turn_detection: turnDetection } as const;
    realtime.send({ type: 'session.update', session: { type: 'transcription', audio: { input: model === 'gpt-live-transcribe' ? { ...input, transcription: { model } } : input } } });
    await until(() => types.includes('session.updated'));
    realtime.send({ type: 'input_audio_buffer.append', audio: renderCodedWords(['alpha', 'bravo']).toString('base64') });
    if (turnDetection === null) realtime.send({ type: 'input_audio_buffer.commit' });
    else realtime.send({ type: 'input_audio_buffer.append', audio: silence(400).toString('base64') });
    await until(() => texts.size === 1);
    realtime.send({ type: 'input_audio_buffer.commit' });
    await until(() => errors.length === 1);
    realtime.close();
    expect(errors).toEqual(['input_audio_buffer_commit_empty']);
    expect([...texts.values()]).toEqual(['alpha bravo']);
    expect([...texts.keys()]).toEqual(committed);
    expect(deltas).toEqual(texts);
    expect(types.includes('input_audio_buffer.speech_started')).toBe(turnDetection !== null);
    if (turnDetection !== null) expect(audioEndMs).toBeGreaterThanOrEqual(780);
    await until(() => fake.openSockets() === 0);
  });

  it('@google/genai: a turn of the caller, a function, and an answer that is cut off', async () => {
    const fake = keep(await startFakeGeminiLive({ apiKey: 'test-key', respond: (index) => (index === 0 ? { calls: [{ name: 'look_up', argumentsJson: '{"of":"it"}' }] } : { text: 'It is so, and a good deal more of that.' }) }));
    const client = new GoogleGenAI({ apiKey: 'test-key', httpOptions: { baseUrl: fake.httpUrl, apiVersion: 'v1beta' } });
    const seen: LiveServerMessage[] = [];
    const live = await client.live.connect({
      model: 'gemini-3.8-live',
      config: {
        responseModalities: [Modality.AUDIO],
        inputAudioTranscription: {},
        outputAudioTranscription: {},
        realtimeInputConfig: { automaticActivityDetection: { disabled: true } },
      },
      callbacks: { onmessage: (message) => seen.push(message) },
    });
    await until(() => seen.some(({ setupComplete }) => setupComplete !== undefined));
    const samples = decodeMulaw(Buffer.concat([renderCodedWords(['alpha', 'bravo']), silence(200)]));
    live.sendRealtimeInput({ activityStart: {} });
    live.sendRealtimeInput({ audio: { data: Buffer.from(samples.buffer).toString('base64'), mimeType: 'audio/pcm;rate=8000' } });
    live.sendRealtimeInput({ activityEnd: {} });
    await until(() => seen.some(({ toolCall }) => toolCall !== undefined));
    expect(seen.map(({ serverContent }) => serverContent?.inputTranscription?.text ?? '').join('')).toBe('alpha bravo');
    const [call] = seen.flatMap(({ toolCall }) => toolCall?.functionCalls ?? []);
    expect(call).toMatchObject({ name: 'look_up', args: { of: 'it' } });
    live.sendToolResponse({ functionResponses: [{ id: call!.id!, name: 'look_up', response: { result: 'found' } }] });
    await until(() => seen.some(({ data }) => data !== undefined));
    live.sendClientContent({ turns: [{ role: 'user', parts: [{ text: 'Stop.' }] }], turnComplete: false });
    await until(() => seen.some(({ serverContent }) => serverContent?.turnComplete === true));
    expect(seen.some(({ serverContent }) => serverContent?.interrupted === true)).toBe(true);
    live.close();
    expect(fake.connections[0]).toMatchObject({ problems: [], remembered: [{ kind: 'caller-audio', text: 'alpha bravo' }, { kind: 'result', text: 'found' }, { kind: 'agent-audio' }, { kind: 'user', text: 'Stop.' }] });
    await until(() => fake.openSockets() === 0);
  });

  it('openai: the text of a file, and a file that is refused', async () => {
    const fake = keep(await startFakeTranscriptions({ apiKey: 'test-key' }));
    const client = new OpenAI({ apiKey: 'test-key', baseURL: `${fake.httpUrl}/v1`, maxRetries: 0 });
    const wavOf = (audio: Buffer) => toFile(encodeWav({ sampleRateHz: 8000, channels: [decodeMulaw(audio)] }), 'audio.wav', { type: 'audio/wav' });
    const file = await wavOf(await speakBuiltinVoice('hello to you'));
    const { text } = await client.audio.transcriptions.create({ file, model: 'whisper-1', language: 'en', prompt: 'Agent Stream', response_format: 'json' });
    expect(text.toLowerCase()).toContain('hello to you');
    expect(fake.requests[0]).toMatchObject({ fields: { model: 'whisper-1', language: 'en', prompt: 'Agent Stream', response_format: 'json' }, fileName: 'audio.wav' });
    await expect(client.audio.transcriptions.create({ file: await wavOf(silence(20)), model: 'whisper-1' })).rejects.toMatchObject({ status: 400 });
    expect((await client.models.list()).data.map(({ id }) => id)).toEqual(['whisper-1']);
    const stranger = new OpenAI({ apiKey: 'another-key', baseURL: `${fake.httpUrl}/v1`, maxRetries: 0 });
    await expect(stranger.audio.transcriptions.create({ file, model: 'whisper-1' })).rejects.toMatchObject({ status: 401 });
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

  it('openai: a realtime session hears a turn, answers with speech and a function, and is cut off', async () => {
    const respond = ({ index }: { index: number }) => (index === 0 ? { text: 'Good morning.', calls: [{ name: 'look_up' }] } : { text: 'A long answer. '.repeat(20).trim() });
    const fake = keep(await startFakeOpenaiSpeech({ apiKey: 'test-key', respond }));
    const client = new OpenAI({ apiKey: 'test-key', baseURL: `${fake.httpUrl}/v1` });
    // The SDK knows nothing but TLS; the fake has none.
    const realtime = new OpenAIRealtimeWS({ model: 'gpt-realtime', options: { createConnection: () => connect(fake.port, '127.0.0.1') } }, client);
    const types: string[] = [];
    const failures: string[] = [];
    let audioBytes = 0;
    let words = '';
    const responses: { status: string | undefined; output: number }[] = [];
    const heard: string[] = [];
    let lastItem = '';
    realtime.on('event', ({ type }) => types.push(type));
    realtime.on('error', ({ message }) => failures.push(message));
    realtime.on('response.output_audio.delta', ({ delta }) => (audioBytes += Buffer.from(delta, 'base64').length));
    realtime.on('response.output_audio_transcript.delta', ({ delta }) => (words += delta));
    realtime.on('response.output_item.added', ({ item }) => (lastItem = item.id ?? ''));
    realtime.on('conversation.item.input_audio_transcription.completed', ({ transcript }) => heard.push(transcript));
    realtime.on('response.done', ({ response }) => responses.push({ status: response.status, output: response.usage?.output_tokens ?? 0 }));
    const format = { type: 'audio/pcmu' } as const;
    await until(() => types.includes('session.created'));
    realtime.send({
      type: 'session.update',
      session: {
        type: 'realtime',
        output_modalities: ['audio'],
        audio: { input: { format, turn_detection: { type: 'server_vad', create_response: false, interrupt_response: false } }, output: { format, voice: 'marin' } },
      },
    });
    await until(() => types.includes('session.updated'));
    realtime.send({ type: 'input_audio_buffer.append', audio: Buffer.concat([renderCodedWords(['alpha', 'bravo']), silence(700)]).toString('base64') });
    await until(() => heard.length === 1);
    expect(heard).toEqual(['alpha bravo']);
    expect(types.filter((type) => type.startsWith('input_audio_buffer'))).toEqual([
      'input_audio_buffer.speech_started',
      'input_audio_buffer.speech_stopped',
      'input_audio_buffer.committed',
    ]);
    realtime.send({ type: 'response.create' });
    await until(() => responses.length === 1);
    expect([words, audioBytes]).toEqual(['Good morning.', 'Good morning.'.length * 60 * 8]);
    expect(types).toContain('response.function_call_arguments.done');
    realtime.send({ type: 'response.create' });
    await until(() => audioBytes > 20_000);
    realtime.send({ type: 'response.create' });
    await until(() => failures.length === 1);
    realtime.send({ type: 'response.cancel' });
    await until(() => responses.length === 2);
    realtime.send({ type: 'conversation.item.truncate', item_id: lastItem, content_index: 0, audio_end_ms: 500 });
    await until(() => types.includes('conversation.item.truncated'));
    expect(responses.map(({ status }) => status)).toEqual(['completed', 'cancelled']);
    expect(failures[0]).toContain('conversation_already_has_active_response');
    realtime.close();
    await until(() => fake.openSockets() === 0);
  });
});
