import { afterEach, describe, expect, it } from 'vitest';
import { listenTo } from '../../../test/contracts/speech-to-text-faults.js';
import { startFakeTranscriptions, type FakeTranscriptions, type FakeTranscriptionsOptions, type TranscriptionFault } from '../../../test/support/fakes/openai-transcriptions.js';
import { babble, silence } from '../../../test/support/fakes/speech-audio.js';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { settle, until } from '../../../test/support/wait-for.js';
import { openaiCompatible } from './openai-compatible.js';

let fake: FakeTranscriptions | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

/** Segments say their number, whatever their sound. */
async function listen(behaviour: FakeTranscriptionsOptions = {}, settings: Record<string, unknown> = {}, options: Parameters<typeof listenTo>[2] = {}) {
  const server = await startFakeTranscriptions({ apiKey: 'test-key', transcribe: (_audio, request) => `number ${request}`, ...behaviour });
  fake = server;
  const listening = listenTo({ vendor: openaiCompatible, settings }, server.httpUrl, options);
  return { server, ...listening, speak: () => listening.push(Buffer.concat([silence(300), babble(700), silence(700)])) };
}

const first = (fault: TranscriptionFault) => (request: number) => (request === 0 ? fault : undefined);

describe('a segment', () => {
  it('is sent as 16 kHz PCM with what is to be expected', async () => {
    const { server, speak, stream, finals, count } = await listen({}, { keyterms: ['Porto'], prompt: 'A hotel.' }, { language: 'pt-BR', keyterms: ['Agent Stream'] });
    speak();
    await until(() => count('transcript-final') === 1);
    stream.close();
    expect(finals()).toBe('number 0');
    expect(server.requests[0]).toMatchObject({
      fields: { model: 'whisper-1', language: 'pt', prompt: 'A hotel. Porto, Agent Stream', response_format: 'json' },
      fileName: 'audio.wav',
      sampleRateHz: 16_000,
    });
    // The speech, up to 300 ms before it, and the silence that closed it.
    expect(server.requests[0]!.durationMs).toBeGreaterThan(1200);
    expect(server.requests[0]!.durationMs).toBeLessThan(1600);
  });

  it('is told no language where it is to be detected', async () => {
    const { server, speak, count } = await listen({}, { language: 'multi' });
    speak();
    await until(() => count('transcript-final') === 1);
    expect(server.requests[0]!.fields).toEqual({ model: 'whisper-1', response_format: 'json' });
  });

  it('waits for its turn: a slow text is not overtaken', async () => {
    const { server, speak, stream, finals, count } = await listen({ fault: first({ kind: 'late', delayMs: 400 }) });
    speak();
    speak();
    speak();
    stream.finalize();
    await until(() => count('finalized') === 1);
    expect(finals()).toBe('number 0 number 1 number 2');
    expect(server.requests).toHaveLength(3);
    stream.close();
  });

  it('is asked for beside one other at most', async () => {
    const { server, speak, stream } = await listen({ fault: () => ({ kind: 'hang' }) });
    for (let i = 0; i < 4; i += 1) speak();
    await until(() => server.requests.length === 2);
    await settle(100);
    expect(server.requests).toHaveLength(2);
    stream.close();
    await until(() => server.requests.every(({ outcome }) => outcome === 'aborted'));
  });

  it('is not kept without end for a vendor that is behind', async () => {
    const { speak, error, count } = await listen({ fault: () => ({ kind: 'hang' }) });
    for (let i = 0; i < 9; i += 1) speak();
    await until(() => count('stt-failed') === 1);
    expect(error()).toMatchObject({ code: 'vendor-unreachable', message: expect.stringContaining('fell behind') as string });
  });

  it('is not made of silence', async () => {
    const { server, push, stream, count } = await listen();
    push(silence(3000));
    stream.finalize();
    await until(() => count('finalized') === 1);
    expect(server.requests).toEqual([]);
    stream.close();
  });
});

describe('failures', () => {
  it.each([
    [{ kind: 'http', status: 400 }, 'vendor-rejected', 1],
    [{ kind: 'http', status: 401 }, 'vendor-unauthorized', 1],
    [{ kind: 'http', status: 413 }, 'vendor-rejected', 1],
    [{ kind: 'http', status: 429, headers: { 'Retry-After': '30' } }, 'vendor-rate-limited', 1],
    [{ kind: 'http', status: 429 }, 'vendor-rate-limited', 3],
    [{ kind: 'http', status: 503 }, 'vendor-unreachable', 3],
    [{ kind: 'reset' }, 'vendor-unreachable', 3],
    [{ kind: 'cut' }, 'vendor-unreachable', 3],
  ] as const)('%j is %s after %i tries, told once', async (fault, code, tries) => {
    const { server, speak, stream, error, count } = await listen({ fault: () => fault });
    speak();
    stream.finalize();
    await until(() => count('stt-failed') === 1);
    await settle(300);
    expect([error()?.code, server.requests.length, count('stt-failed'), count('finalized')]).toEqual([code, tries, 1, 0]);
  });

  it.each([{ kind: 'http', status: 429 }, { kind: 'http', status: 502 }, { kind: 'reset' }, { kind: 'cut' }] as const)('%j once costs no word', async (fault) => {
    const { speak, stream, finals, count } = await listen({ fault: first(fault) });
    speak();
    stream.finalize();
    await until(() => count('finalized') === 1);
    expect([finals(), count('stt-failed')]).toEqual(['number 1', 0]);
    stream.close();
  });

  it('are told of an answer that is none', async () => {
    const { speak, error, count } = await listen({ fault: () => ({ kind: 'garbage' }) });
    speak();
    await until(() => count('stt-failed') === 1);
    expect(error()?.code).toBe('vendor-protocol');
  });

  it('are told within the time limit where nobody answers', async () => {
    const clock = createVirtualClock();
    const { server, speak, error, count } = await listen({ fault: () => ({ kind: 'hang' }) }, { request_timeout_ms: 2000 }, { clock });
    await until(() => count('stt-ready') === 1);
    speak();
    await until(() => server.requests.length === 1);
    await clock.advance(1900);
    await settle();
    expect(count('stt-failed')).toBe(0);
    await clock.advance(100);
    await until(() => count('stt-failed') === 1);
    expect([error()?.code, clock.pendingTimers()]).toEqual(['vendor-unreachable', 0]);
    await until(() => server.openRequests() === 0);
  });

  it('of the key are known before anybody speaks, without telling it', async () => {
    const { error, count } = await listen({}, {}, { apiKey: 'secret-wrong-key' });
    await until(() => count('stt-failed') === 1);
    expect(error()?.code).toBe('vendor-unauthorized');
    expect(JSON.stringify([error()?.message, error()?.details, String(error()?.cause)])).not.toContain('secret');
  });

  it('are none where a server has no list of models', async () => {
    const { count, stream } = await listen({ modelsFault: () => ({ kind: 'http', status: 404 }) });
    await until(() => count('stt-ready') === 1);
    stream.close();
  });
});

describe('interim text', () => {
  it('is asked for while somebody speaks, and not without being chosen', async () => {
    const clock = createVirtualClock();
    const { server, push, stream, count } = await listen({}, { interim_every_ms: 400 }, { clock });
    push(Buffer.concat([silence(300), babble(900)]));
    await clock.advance(400);
    await until(() => count('transcript-interim') === 1);
    push(silence(700));
    await until(() => count('transcript-final') === 1);
    await clock.advance(2000);
    await settle();
    expect([server.requests.length, count('transcript-interim')]).toEqual([2, 1]);
    stream.close();
    expect(clock.pendingTimers()).toBe(0);
  });
});
