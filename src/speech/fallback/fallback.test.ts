import { afterEach, describe, expect, it } from 'vitest';
import { startFakeCartesia, type CartesiaFault } from '../../../test/support/fakes/cartesia.js';
import { createCountingClock } from '../../../test/support/fakes/counting-clock.js';
import { startFakeDeepgram, type DeepgramFault } from '../../../test/support/fakes/deepgram.js';
import { startFakeOpenai, type OpenaiFault } from '../../../test/support/fakes/openai.js';
import { renderCodedWords, silence } from '../../../test/support/fakes/speech-audio.js';
import { lineUp } from '../../../test/support/lineup.js';
import { settle, until } from '../../../test/support/wait-for.js';
import { cartesia } from '../cartesia/cartesia.js';
import { deepgram } from '../deepgram/deepgram.js';
import { openaiCompatible } from '../openai-compatible/openai-compatible.js';
import { findVendor } from '../registry.js';
import type { SpeechToTextEvent, SpeechToTextStream } from '../speech-to-text.js';
import { createFallbackLanguageModel } from './language-model.js';
import { createFallbackSpeechToText } from './speech-to-text.js';
import { createFallbackTextToSpeech } from './text-to-speech.js';
import { probes } from '../probes.js';

const clock = createCountingClock();
const context = (baseUrl: string) => ({ clock, apiKey: 'key', baseUrl, fetch });
const closers: (() => Promise<void>)[] = [];
const closing = <Server extends { close(): Promise<void> }>(server: Server): Server => {
  closers.push(() => server.close());
  return server;
};
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await until(() => clock.pendingTimers() === 0, 'timers freed');
});

describe('language models over real sockets', () => {
  const createModel = (baseUrl: string) => openaiCompatible.llm!.create(openaiCompatible.llm!.settingsSchema.parse({}), context(baseUrl));
  const request = { messages: [{ role: 'user', text: 'Hello' }], tools: [], maxOutputTokens: 100 } as const;

  async function ask(fault: OpenaiFault) {
    const first = closing(await startFakeOpenai({ apiKey: 'key', fault: () => fault, reply: () => ({ text: 'from the first, word by word' }) }));
    const second = closing(await startFakeOpenai({ apiKey: 'key', reply: () => ({ text: 'from the second' }) }));
    const line = lineUp('llm', [createModel(first.httpUrl), createModel(second.httpUrl)], { clock });
    const startedMs = clock.nowMs();
    let text = '';
    let error: unknown = null;
    try {
      for await (const part of createFallbackLanguageModel(line, clock).stream({ ...request, signal: new AbortController().signal })) if (part.type === 'text-delta') text += part.text;
    } catch (thrown) {
      error = thrown;
    }
    return { text, error, line, first, second, tookMs: clock.nowMs() - startedMs };
  }

  it.each([
    [{ kind: 'http', status: 401 }, 'vendor-unauthorized'],
    [{ kind: 'http', status: 400 }, 'vendor-rejected'],
    [{ kind: 'http', status: 429 }, 'vendor-rate-limited'],
    [{ kind: 'http', status: 503 }, 'vendor-unreachable'],
    [{ kind: 'reset' }, 'vendor-unreachable'],
    [{ kind: 'cut', afterTokens: 0 }, 'vendor-unreachable'],
    [{ kind: 'stream-error', afterTokens: 0, error: { message: 'Slow down', type: 'requests', code: 'rate_limit_exceeded' } }, 'vendor-rate-limited'],
    [{ kind: 'no-first-token' }, 'vendor-unreachable'],
  ] as const)('%j is answered by the next', async (fault, code) => {
    const { text, line, tookMs } = await ask(fault);
    expect(text).toBe('from the second');
    expect(line.fallovers.map((fallover) => fallover.code)).toEqual([code]);
    expect(tookMs).toBeLessThan(fault.kind === 'no-first-token' ? 3000 : 1000);
  });

  it('leave a vendor that limits requests at once, and one whose connection breaks after another try', async () => {
    expect((await ask({ kind: 'http', status: 429 })).first.requests).toHaveLength(1);
    expect((await ask({ kind: 'http', status: 503 })).first.requests).toHaveLength(2);
  });

  it('ask the last one again that limits requests', async () => {
    const only = closing(await startFakeOpenai({ apiKey: 'key', fault: (request) => (request === 0 ? { kind: 'http', status: 429 } : undefined), reply: () => ({ text: 'after all' }) }));
    const refusing = closing(await startFakeOpenai({ apiKey: 'another-key' }));
    const line = lineUp('llm', [createModel(refusing.httpUrl), createModel(only.httpUrl)], { clock });
    let text = '';
    for await (const part of createFallbackLanguageModel(line, clock).stream({ ...request, signal: new AbortController().signal })) if (part.type === 'text-delta') text += part.text;
    expect([text, only.requests.length]).toEqual(['after all', 2]);
  });

  it('are not changed once something was said', async () => {
    const { text, error, line, second } = await ask({ kind: 'cut', afterTokens: 2 });
    expect('from the first, word by word'.startsWith(text) && text !== '').toBe(true);
    expect(error).toMatchObject({ code: 'vendor-unreachable' });
    expect([line.fallovers, second.requests]).toEqual([[], []]);
  });
});

describe('voices over real sockets', () => {
  const createVoice = (baseUrl: string) => cartesia.tts!.create(cartesia.tts!.settingsSchema.parse({}), context(baseUrl));
  const TEXT = 'A ticket is twelve euros. Children under six come in free. We open at nine.';

  async function say(fault: CartesiaFault) {
    const first = closing(await startFakeCartesia({ apiKey: 'key', pace: 40, fault: () => fault }));
    const second = closing(await startFakeCartesia({ apiKey: 'key', pace: 40 }));
    const line = lineUp('tts', [createVoice(first.wsUrl), createVoice(second.wsUrl)], { clock });
    const controller = new AbortController();
    const words: { text: string; startMs: number; endMs: number }[] = [];
    let audioMs = 0;
    let end = '';
    const stream = createFallbackTextToSpeech(line, clock).open({ language: 'en', signal: controller.signal });
    const utterance = stream.speak((event) => {
      if (event.type === 'audio') audioMs += event.audio.length / 8;
      else if (event.type === 'words') words.push(...event.words);
      else end = event.type;
    });
    for (const clause of TEXT.split(/(?<=\. )/)) utterance.push(clause);
    utterance.end();
    await until(() => end !== '');
    controller.abort(new Error('hung up'));
    await until(() => first.openSockets() + second.openSockets() === 0, 'sockets freed');
    const asked = second.connections.flatMap(({ messages }) => messages.map(({ transcript }) => transcript ?? '')).join('');
    return { line, words, audioMs, end, asked };
  }

  it.each([
    [{ upgrade: { kind: 'http', status: 401 } }, 'vendor-unauthorized'],
    [{ upgrade: { kind: 'http', status: 429 } }, 'vendor-rate-limited'],
    [{ upgrade: { kind: 'reset' } }, 'vendor-unreachable'],
    [{ upgrade: { kind: 'hang' } }, 'vendor-unreachable'],
    [{ error: 500 }, 'vendor-unreachable'],
    [{ audio: 'empty' }, 'vendor-protocol'],
    [{ audio: 'stall', afterAudioMs: 0 }, 'vendor-unreachable'],
  ] as const)('%j leaves all of it to the next', async (fault, code) => {
    const { line, end, asked, audioMs } = await say(fault);
    expect([end, asked.trim()]).toEqual(['tts-end', TEXT]);
    expect(line.fallovers.map((fallover) => fallover.code)).toEqual([code]);
    expect(audioMs).toBeGreaterThan(3000);
  });

  it.each([[{ socket: { kind: 'cut' }, afterAudioMs: 2000 }], [{ audio: 'stall', afterAudioMs: 2000 }]] as const)(
    '%j leaves the rest to the next, and no sentence is said twice',
    async (fault) => {
      const { line, end, asked, words, audioMs } = await say(fault);
      expect([end, line.fallovers.length]).toEqual(['tts-end', 1]);
      expect(asked.trim()).toBe('Children under six come in free. We open at nine.'.slice('Children under six come in free. We open at nine.'.indexOf(asked.trim())));
      expect(asked).not.toContain('ticket');
      expect(asked).toContain('We open at nine.');
      const times = words.map(({ startMs }) => startMs);
      expect(times).toEqual([...times].sort((a, b) => a - b));
      expect(words.at(-1)?.endMs).toBeLessThanOrEqual(audioMs + 1);
      expect(words.at(-1)?.text).toMatch(/nine/);
    },
  );
});

describe('recognisers over real sockets', () => {
  const createRecogniser = (baseUrl: string) => deepgram.stt!.create(deepgram.stt!.settingsSchema.parse({}), context(baseUrl));

  async function hear(fault: (connection: number) => DeepgramFault | undefined) {
    const first = closing(await startFakeDeepgram({ apiKey: 'key', fault }));
    const second = closing(await startFakeDeepgram({ apiKey: 'key' }));
    const line = lineUp('stt', [createRecogniser(first.wsUrl), createRecogniser(second.wsUrl)], { clock });
    const controller = new AbortController();
    const events: SpeechToTextEvent[] = [];
    const onEvent = (event: SpeechToTextEvent) => void events.push(event);
    const stream = createFallbackSpeechToText(line, clock).open({ language: 'en', keyterms: [], signal: controller.signal, onEvent });
    return {
      line,
      events,
      finals: () => events.flatMap((event) => (event.type === 'transcript-final' ? [event.text] : [])).join(' '),
      finalized: () => events.filter(({ type }) => type === 'finalized').length,
      stream,
      async close() {
        controller.abort(new Error('hung up'));
        await until(() => first.openSockets() + second.openSockets() === 0, 'sockets freed');
      },
    };
  }

  /** Speaks as fast as a caller would. */
  async function speak(stream: SpeechToTextStream, audio: Buffer): Promise<void> {
    const startedMs = clock.nowMs();
    for (let at = 0; at < audio.length; at += 160) {
      stream.push(audio.subarray(at, at + 160));
      const aheadMs = at / 8 - (clock.nowMs() - startedMs);
      if (aheadMs > 10) await settle(aheadMs);
    }
  }

  const lost: DeepgramFault = { upgrade: { kind: 'http', status: 503 } };

  it.each([
    ['refuses the key', () => ({ upgrade: { kind: 'http', status: 401 } }), 'vendor-unauthorized'],
    ['limits requests', () => ({ upgrade: { kind: 'http', status: 429, headers: { 'retry-after': '60' } } }), 'vendor-rate-limited'],
    ['is down', () => lost, 'vendor-unreachable'],
    ['does not answer the handshake', () => ({ upgrade: { kind: 'hang' } }), 'vendor-unreachable'],
    ['breaks while the caller speaks', (connection: number) => (connection === 0 ? { socket: { kind: 'cut' }, afterAudioMs: 700 } : lost), 'vendor-unreachable'],
    ['has no word for speech', () => ({ results: 'none' }), 'vendor-unreachable'],
  ] as const)('one that %s is replaced; no word is lost and none is repeated', async (_name, fault, code) => {
    const call = await hear(fault as (connection: number) => DeepgramFault | undefined);
    await speak(call.stream, Buffer.concat([silence(400), renderCodedWords(['alpha', 'bravo', 'charlie', 'delta', 'echo', 'foxtrot', 'golf']), silence(300)]));
    call.stream.finalize();
    await until(() => call.finalized() === 1 && call.finals() !== '');
    expect(call.finals()).toBe('alpha bravo charlie delta echo foxtrot golf');
    expect(call.line.fallovers.map((fallover) => fallover.code)).toEqual([code]);
    await speak(call.stream, Buffer.concat([renderCodedWords(['hotel', 'india']), silence(300)]));
    call.stream.finalize();
    await until(() => call.finalized() === 2);
    expect(call.finals()).toBe('alpha bravo charlie delta echo foxtrot golf hotel india');
    await call.close();
  });
});

describe('probes', () => {
  const within = () => AbortSignal.timeout(5000);
  const builtin = findVendor('builtin');
  const parsed = { stt: builtin?.stt?.settingsSchema.parse({}), llm: builtin?.llm?.settingsSchema.parse({}), tts: builtin?.tts?.settingsSchema.parse({}) };

  it('are passed by vendors that answer', async () => {
    await probes.stt(builtin!.stt!.create(parsed.stt, context('')), within());
    await probes.llm(builtin!.llm!.create(parsed.llm, context('')), within());
    await probes.tts(builtin!.tts!.create(parsed.tts, context('')), within());
  });

  it('are failed by vendors that refuse', async () => {
    const fault = () => ({ upgrade: { kind: 'http', status: 401 } }) as const;
    const [ears, voice, model] = [closing(await startFakeDeepgram({ fault })), closing(await startFakeCartesia({ fault })), closing(await startFakeOpenai({ apiKey: 'another' }))];
    const refused = { code: 'vendor-unauthorized' };
    await expect(probes.stt(deepgram.stt!.create(deepgram.stt!.settingsSchema.parse({}), context(ears.wsUrl)), within())).rejects.toMatchObject(refused);
    await expect(probes.tts(cartesia.tts!.create(cartesia.tts!.settingsSchema.parse({}), context(voice.wsUrl)), within())).rejects.toMatchObject(refused);
    await expect(probes.llm(openaiCompatible.llm!.create(openaiCompatible.llm!.settingsSchema.parse({}), context(model.httpUrl)), within())).rejects.toMatchObject(refused);
  });
});
