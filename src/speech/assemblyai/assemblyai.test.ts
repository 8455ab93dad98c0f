import { describe, expect, it } from 'vitest';
import { startFakeAssemblyai } from '../../../test/support/fakes/assemblyai.js';
import { silence } from '../../../test/support/fakes/speech-audio.js';
import { expectReadsAnything, listenAgainst, settledTypes, twoTurns } from '../../../test/support/recogniser-case.js';
import { settle, until } from '../../../test/support/wait-for.js';
import { assemblyai } from './assemblyai.js';
import { createAssemblyaiWire } from './wire.js';

const listen = listenAgainst(assemblyai, startFakeAssemblyai);
const codec = (isFormatted = true) => createAssemblyaiWire('', {}, isFormatted).createCodec();
const message = (value: object) => Buffer.from(JSON.stringify(value));

describe('assemblyai', () => {
  it('asks for mu-law, the model, the key as it is and the terms that are short enough', async () => {
    const { server, stream, count } = await listen({ keyterms: ['Porto'], min_turn_silence_ms: 300 }, { keyterms: ['Agent Stream', 'x'.repeat(51)] });
    await until(() => count('stt-ready') === 1);
    stream.close();
    await until(() => server.connections[0]!.controls.includes('Terminate'));
    const { query, headers, path } = server.connections[0]!;
    expect([path, headers.authorization]).toEqual(['/v3/ws', 'test-key']);
    expect([...query.entries()]).toEqual([
      ['speech_model', 'universal-streaming-multilingual'],
      ['sample_rate', '8000'],
      ['encoding', 'pcm_mulaw'],
      ['format_turns', 'true'],
      ['min_turn_silence', '300'],
      ['keyterms_prompt', '["Porto","Agent Stream"]'],
    ]);
  });

  it.each([{ modle: 'x' }, { keyterms: ['x'.repeat(51)] }, { format_turns: 'yes' }, { min_turn_silence_ms: 1 }])('refuses the settings %j', (settings) => {
    expect(assemblyai.stt!.settingsSchema.safeParse(settings).success).toBe(false);
  });

  it.each([
    [true, 'Alpha bravo.'],
    [false, 'alpha bravo'],
  ])('settles a turn once, written out: %s', async (isFormatted, text) => {
    const { stream, push, say, events, count } = await listen({ format_turns: isFormatted });
    say('alpha', 'bravo');
    push(silence(600));
    await until(() => count('turn-pause') === 1);
    say('charlie');
    stream.finalize();
    await until(() => count('finalized') === 1);
    stream.close();
    expect(settledTypes(events)).toEqual(twoTurns);
    expect(events.find(({ type }) => type === 'transcript-final')).toMatchObject({ text, startMs: 0 });
  });

  it('holds back a remainder that the vendor would refuse', async () => {
    const { server, stream, push, count } = await listen();
    await until(() => count('stt-ready') === 1);
    push(silence(480 + 40));
    stream.finalize();
    await until(() => server.connections[0]!.controls.includes('ForceEndpoint'));
    push(silence(20));
    stream.finalize();
    await settle(30);
    expect(server.connections[0]!.audioSizes.reduce((sum, size) => sum + size, 0)).toBe(540 * 8);
    expect(server.connections[0]!.closeCode).toBeNull();
    stream.close();
  });

  it.each([
    [1008, 'vendor-unauthorized'],
    [3005, 'vendor-unreachable'],
    [3006, 'vendor-rejected'],
    [3007, 'vendor-unreachable'],
    [3009, 'vendor-rate-limited'],
    ['x', 'vendor-unreachable'],
  ])('takes error %s for %s', (code, expected) => {
    const [found] = codec().parse(message({ type: 'Error', error_code: code, error: 'why' })) ?? [];
    expect(found).toMatchObject({ type: 'session-failed', error: { code: expected } });
  });

  it('never throws, and reads nothing into anything', () => {
    expectReadsAnything((text) => codec().parse(text));
    expect(codec().parse(message({ type: 'Turn', words: [null, { text: 1 }], transcript: 7, end_of_turn: 'yes' }))).toEqual([{ type: 'text-revised', text: '', words: [] }]);
  });
});
