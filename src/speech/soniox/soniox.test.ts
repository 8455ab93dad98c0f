import { describe, expect, it } from 'vitest';
import { startFakeSoniox } from '../../../test/support/fakes/soniox.js';
import { silence } from '../../../test/support/fakes/speech-audio.js';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { expectReadsAnything, listenAgainst, settledTypes, twoTurns } from '../../../test/support/recogniser-case.js';
import { settle, until } from '../../../test/support/wait-for.js';
import { soniox } from './soniox.js';
import { createSonioxWire } from './wire.js';

const listen = listenAgainst(soniox, startFakeSoniox);
const codec = () => createSonioxWire('', {}, '{}').createCodec();
const response = (...tokens: object[]) => Buffer.from(JSON.stringify({ tokens, final_audio_proc_ms: 900, total_audio_proc_ms: 1000 }));
const token = (text: string, startMs: number, isFinal: boolean) => ({ text, start_ms: startMs, end_ms: startMs + 100, confidence: 0.9, is_final: isFinal });

describe('soniox', () => {
  it('sends the key in a header, and in its first message what it streams and expects', async () => {
    const { server, stream, say, count } = await listen({ keyterms: ['Porto'], max_endpoint_delay_ms: 800 }, { language: 'pt-BR', keyterms: ['Agent Stream'] });
    say('alpha');
    stream.finalize();
    await until(() => count('finalized') === 1);
    stream.close();
    await until(() => server.connections[0]!.controls.includes('end'));
    const { headers, messages, path } = server.connections[0]!;
    expect([path, headers.authorization]).toEqual(['/transcribe-websocket', 'Bearer test-key']);
    expect(messages[0]).toEqual({
      model: 'stt-rt-v5',
      audio_format: 'mulaw',
      sample_rate: 8000,
      num_channels: 1,
      enable_endpoint_detection: true,
      max_endpoint_delay_ms: 800,
      language_hints: ['pt'],
      context: { terms: ['Porto', 'Agent Stream'] },
    });
  });

  it.each([{ modle: 'x' }, { max_endpoint_delay_ms: 100 }, { keyterms: 'Porto' }])('refuses the settings %j', (settings) => {
    expect(soniox.stt!.settingsSchema.safeParse(settings).success).toBe(false);
  });

  it('gives no hint where the language is to be detected', async () => {
    const { server, stream, count } = await listen({ language: 'multi' });
    await until(() => count('stt-ready') === 1);
    await until(() => server.connections[0]?.messages.length === 1);
    stream.close();
    expect(server.connections[0]!.messages[0]).not.toHaveProperty('language_hints');
  });

  it('joins the pieces of words, and settles a segment at its end or when it is asked', async () => {
    const { stream, push, say, events, finals, count } = await listen();
    say('alpha', 'bravo', 'charlie', 'delta');
    push(silence(600));
    await until(() => count('turn-pause') === 1);
    say('echo');
    stream.finalize();
    await until(() => count('finalized') === 1);
    stream.close();
    expect(finals()).toBe('alpha bravo charlie delta echo');
    expect(settledTypes(events)).toEqual(twoTurns);
  });

  it('shows what is settled and what is not as one text, and each final token once', () => {
    const { parse } = codec();
    expect(parse(response(token('Hel', 0, true), token('lo', 100, false)))).toEqual([
      { type: 'text-revised', text: 'Hello', words: [{ text: 'Hello', endMs: 200 }] },
    ]);
    expect(parse(response(token('lo', 100, true), token(' you', 200, false)))?.at(-1)).toMatchObject({ text: 'Hello you' });
    expect(parse(response(token(' there', 200, true), token('<end>', 300, true)))).toEqual([
      { type: 'text-settled', text: 'Hello there', startMs: 0, endMs: 300 },
      { type: 'turn-pause' },
      { type: 'audio-covered', endMs: 900 },
    ]);
  });

  it('answers each finalize with the audio it was asked for', () => {
    const { parse, finalize } = codec();
    finalize(480);
    finalize(960);
    const fin = response(token('<fin>', 0, true));
    expect([parse(fin)?.at(-1), parse(fin)?.at(-1)]).toEqual([
      { type: 'finalize-answered', endMs: 480 },
      { type: 'finalize-answered', endMs: 960 },
    ]);
  });

  it('sends keepalive while there is no audio', async () => {
    const clock = createVirtualClock();
    const { server, stream, count } = await listen({}, { clock });
    await until(() => count('stt-ready') === 1);
    for (let i = 0; i < 60; i += 1) {
      await clock.advance(500);
      await settle(2);
    }
    const { controls } = server.connections[0]!;
    expect(controls.length).toBeGreaterThanOrEqual(3);
    expect(new Set(controls)).toEqual(new Set(['keepalive']));
    stream.close();
  });

  it.each([
    [400, 'vendor-rejected'],
    [401, 'vendor-unauthorized'],
    [402, 'vendor-rejected'],
    [408, 'vendor-unreachable'],
    [429, 'vendor-rate-limited'],
    [503, 'vendor-unreachable'],
  ])('takes error %i for %s', (code, expected) => {
    const [found] = codec().parse(Buffer.from(JSON.stringify({ error_code: code, error_message: 'why' }))) ?? [];
    expect(found).toMatchObject({ type: 'session-failed', error: { code: expected } });
  });

  it('never throws, and reads nothing into anything', () => {
    expectReadsAnything((text) => codec().parse(text));
    expect(codec().parse(Buffer.from('{"tokens":[null,{"text":1},{"text":"a","start_ms":"x","end_ms":-1}]}'))).toEqual([
      { type: 'text-revised', text: 'a', words: [{ text: 'a', endMs: 0 }] },
    ]);
  });
});
