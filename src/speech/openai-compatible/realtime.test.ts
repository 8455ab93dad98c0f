import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { listenTo } from '../../../test/contracts/speech-to-text-faults.js';
import { startFakeOpenaiRealtime } from '../../../test/support/fakes/openai-realtime.js';
import type { FakeRecogniser, FakeRecogniserOptions } from '../../../test/support/fakes/recogniser-server.js';
import { silence } from '../../../test/support/fakes/speech-audio.js';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { settle, until } from '../../../test/support/wait-for.js';
import { openaiCompatible } from './openai-compatible.js';
import { createRealtimeWire } from './realtime-wire.js';

let fake: FakeRecogniser | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

async function listen(settings: Record<string, unknown> = {}, options: Parameters<typeof listenTo>[2] = {}, behaviour: FakeRecogniserOptions = {}) {
  fake ??= await startFakeOpenaiRealtime({ apiKey: 'test-key', ...behaviour });
  return { server: fake, ...listenTo({ vendor: openaiCompatible, settings: { mode: 'realtime', ...settings } }, fake.wsUrl, options) };
}

const codec = (endsTurns = false) => createRealtimeWire({ url: '', headers: {}, opening: '{}', endsTurns }).createCodec();
const message = (type: string, fields: object = {}) => Buffer.from(JSON.stringify({ type, event_id: 'e', ...fields }));
const buffer = (kind: string, item: string, fields: object = {}) => message(`input_audio_buffer.${kind}`, { item_id: item, ...fields });
const transcription = (kind: string, item: string, fields: object) => message(`conversation.item.input_audio_transcription.${kind}`, { item_id: item, content_index: 0, ...fields });
const failure = (error: object) => message('error', { error });

describe('a session', () => {
  it.each([
    [
      { keyterms: ['Porto'], prompt: 'A hotel.' },
      { transcription: { model: 'gpt-live-transcribe', languages: ['pt'], keywords: ['Porto', 'Agent Stream'], prompt: 'A hotel.' }, turn_detection: null },
    ],
    [
      { model: 'gpt-realtime-whisper', keyterms: ['Porto'] },
      { transcription: { model: 'gpt-realtime-whisper', language: 'pt' }, turn_detection: null },
    ],
    [
      { model: 'gpt-4o-mini-transcribe', prompt: 'A hotel.', language: 'multi', silence_ms: 300 },
      { transcription: { model: 'gpt-4o-mini-transcribe', prompt: 'A hotel. Agent Stream' }, turn_detection: { type: 'server_vad', silence_duration_ms: 300 } },
    ],
    [
      { turn_detection: 'semantic_vad', eagerness: 'low' },
      { transcription: { model: 'gpt-transcribe', languages: ['pt'], keywords: ['Agent Stream'] }, turn_detection: { type: 'semantic_vad', eagerness: 'low' } },
    ],
  ])('with %j is asked for as its model takes it', async (settings, input) => {
    const { server, stream, count } = await listen(settings, { language: 'pt-BR', keyterms: ['Agent Stream'] });
    await until(() => count('stt-ready') === 1);
    stream.close();
    const { headers, messages, path, query } = server.connections[0]!;
    expect([path, query.toString(), headers.authorization]).toEqual(['/v1/realtime', 'intent=transcription', 'Bearer test-key']);
    expect(messages[0]).toEqual({ type: 'session.update', session: { type: 'transcription', audio: { input: { format: { type: 'audio/pcmu' }, ...input } } } });
  });

  it.each([{ modle: 'x' }, { mode: 'stream' }, { turn_detection: 'client' }, { silence_ms: 10 }, { keyterms: 'Porto' }])('refuses the settings %j', (settings) => {
    expect(openaiCompatible.stt!.settingsSchema.safeParse(settings).success).toBe(false);
  });

  it('names a model that cannot detect turns', () => {
    const leg = openaiCompatible.stt!;
    const settings = leg.settingsSchema.parse({ mode: 'realtime', model: 'gpt-live-transcribe', turn_detection: 'server_vad' });
    const create = () => leg.create(settings, { clock: createVirtualClock(), apiKey: 'k', baseUrl: 'https://api.openai.com', fetch });
    expect(create).toThrow(expect.objectContaining({ code: 'configuration-invalid', message: expect.stringContaining('gpt-live-transcribe') as string }));
  });

  it.each([
    ['https://api.openai.com', 'gpt-live-transcribe'],
    ['https://api.openai.com/v1', 'gpt-live-transcribe'],
    ['http://127.0.0.1:8000', 'whisper-1'],
  ])('is the default at %s only where it is OpenAI’s', (baseUrl, model) => {
    const leg = openaiCompatible.stt!;
    expect(leg.create(leg.settingsSchema.parse({}), { clock: createVirtualClock(), apiKey: 'k', baseUrl, fetch }).model).toBe(model);
  });

  it('that the vendor refuses to configure is rejected', () => {
    expect(codec().parse(failure({ type: 'invalid_request_error', code: 'invalid_value' }))).toMatchObject([{ type: 'session-failed', error: { code: 'vendor-rejected' } }]);
  });
});

describe('turns', () => {
  it('are ended by semantic turn detection, after their text', async () => {
    const { push, say, stream, events, finals, count } = await listen({ turn_detection: 'semantic_vad' });
    say('alpha', 'bravo');
    push(silence(800));
    await until(() => count('turn-end') === 1);
    say('charlie');
    push(silence(800));
    await until(() => count('turn-end') === 2);
    stream.close();
    expect(finals()).toBe('alpha bravo charlie');
    expect(events.map(({ type }) => type).filter((type) => type !== 'transcript-interim')).toEqual([
      'stt-ready',
      ...['speech-start', 'transcript-final', 'turn-end'],
      ...['speech-start', 'transcript-final', 'turn-end'],
    ]);
  });

  it('may pause and go on where the vendor hears silence only', async () => {
    const { push, say, stream, events, count } = await listen({ turn_detection: 'server_vad', silence_ms: 300 });
    say('alpha');
    push(silence(500));
    await until(() => count('turn-pause') === 1);
    say('bravo');
    stream.finalize();
    await until(() => count('finalized') === 1);
    stream.close();
    expect(events.map(({ type }) => type).filter((type) => type !== 'transcript-interim')).toEqual([
      'stt-ready',
      'speech-start',
      'transcript-final',
      'turn-pause',
      'turn-resumed',
      'speech-start',
      'transcript-final',
      'finalized',
    ]);
  });

  it('do not end while the caller speaks again', () => {
    const { parse } = codec(true);
    parse(buffer('speech_started', 'a', { audio_start_ms: 100 }));
    parse(buffer('speech_stopped', 'a', { audio_end_ms: 900 }));
    parse(buffer('committed', 'a'));
    parse(buffer('speech_started', 'b', { audio_start_ms: 1000 }));
    expect(parse(transcription('completed', 'a', { transcript: 'one' }))).toEqual([
      { type: 'text-settled', text: 'one', startMs: 100, endMs: 900 },
      { type: 'audio-covered', endMs: 900 },
    ]);
  });
});

describe('texts', () => {
  it('are reported in the order of their audio, in whichever order they come', () => {
    const { parse, finalize } = codec();
    finalize(1000);
    finalize(2000);
    parse(buffer('committed', 'a'));
    parse(buffer('committed', 'b'));
    expect(parse(transcription('delta', 'b', { delta: 'two' }))).toEqual([{ type: 'text-revised', text: 'two' }]);
    expect(parse(transcription('completed', 'b', { transcript: 'two' }))).toEqual([{ type: 'unknown' }]);
    expect(parse(transcription('completed', 'a', { transcript: 'one' }))).toEqual([
      { type: 'text-settled', text: 'one', startMs: 0, endMs: 1000 },
      { type: 'finalize-answered', endMs: 1000 },
      { type: 'text-settled', text: 'two', startMs: 1000, endMs: 2000 },
      { type: 'finalize-answered', endMs: 2000 },
    ]);
  });

  it('that are under way are waited for where a commit finds nothing else', () => {
    const { parse, finalize } = codec();
    parse(buffer('speech_started', 'a', { audio_start_ms: 0 }));
    parse(buffer('speech_stopped', 'a', { audio_end_ms: 800 }));
    parse(buffer('committed', 'a'));
    finalize(820);
    expect(parse(failure({ type: 'invalid_request_error', code: 'input_audio_buffer_commit_empty' }))).toEqual([{ type: 'audio-received' }]);
    expect(parse(transcription('completed', 'a', { transcript: 'one' }))?.at(-1)).toEqual({ type: 'finalize-answered', endMs: 820 });
  });

  it('that cannot be made of noise are none; other failures lose the session', () => {
    const { parse, finalize } = codec();
    finalize(500);
    parse(buffer('committed', 'a'));
    expect(parse(transcription('failed', 'a', { error: { code: 'audio_unintelligible', type: 'transcription_error' } }))).toEqual([
      { type: 'text-settled', text: '', startMs: 0, endMs: 500 },
      { type: 'finalize-answered', endMs: 500 },
    ]);
    expect(parse(transcription('failed', 'b', { error: { code: 'insufficient_quota' } }))).toMatchObject([{ type: 'session-failed', error: { code: 'vendor-rate-limited' } }]);
  });
});

it.each([
  [{ type: 'invalid_request_error', code: 'invalid_api_key' }, 'vendor-unauthorized'],
  [{ type: 'tokens', code: 'rate_limit_exceeded' }, 'vendor-rate-limited'],
  [{ type: 'invalid_request_error', code: 'session_expired' }, 'vendor-unreachable'],
  [{ type: 'server_error', code: null }, 'vendor-unreachable'],
])('takes the error %j for %s', (error, code) => {
  expect(codec().parse(failure(error))).toMatchObject([{ type: 'session-failed', error: { code } }]);
});

it('goes on where a running session refuses one message', () => {
  const { parse } = codec();
  expect(parse(message('session.updated'))).toEqual([{ type: 'session-ready' }]);
  expect(parse(failure({ type: 'invalid_request_error', code: 'invalid_value' }))).toEqual([{ type: 'audio-received' }]);
});

it('gives a session up that leaves a commit unanswered, within 3 s, and fails after three', async () => {
  const clock = createVirtualClock();
  const { server, stream, say, count, error } = await listen({}, { clock }, { fault: () => ({ results: 'none' }) });
  await until(() => count('stt-ready') === 1);
  say('alpha');
  stream.finalize();
  const startedMs = clock.nowMs();
  while (server.connections.length === 1 && clock.nowMs() - startedMs < 10_000) {
    await clock.advance(100);
    await settle(3);
  }
  expect(clock.nowMs() - startedMs).toBeLessThanOrEqual(3000);
  for (let i = 0; i < 200 && count('stt-failed') === 0; i += 1) {
    await clock.advance(100);
    await settle(3);
  }
  expect([error()?.code, server.connections.length]).toEqual(['vendor-unreachable', 3]);
});

it('never throws, and reads nothing into anything', () => {
  const types = fc.constantFrom('error', 'session.updated', 'input_audio_buffer.committed', 'conversation.item.input_audio_transcription.completed', 'input_audio_buffer.speech_started');
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), fc.tuple(types, fc.dictionary(fc.constantFrom('item_id', 'error', 'transcript', 'audio_start_ms'), fc.anything())).map(([type, fields]) => JSON.stringify({ ...fields, type }, (_key, value: unknown) => (typeof value === 'bigint' ? null : value)))), (text) => {
      const found = codec().parse(Buffer.from(text));
      expect(found === null || found.length > 0).toBe(true);
    }),
  );
});
