import { describe, expect, it } from 'vitest';
import { startFakeElevenlabsScribe } from '../../../test/support/fakes/elevenlabs-scribe.js';
import { silence } from '../../../test/support/fakes/speech-audio.js';
import { expectReadsAnything, listenAgainst } from '../../../test/support/recogniser-case.js';
import { settle, until } from '../../../test/support/wait-for.js';
import { elevenlabs } from './elevenlabs.js';
import { createElevenlabsSpeechToTextWire } from './speech-to-text-wire.js';

const listen = listenAgainst(elevenlabs, startFakeElevenlabsScribe);
const codec = (endsTurns = false) => createElevenlabsSpeechToTextWire('', {}, endsTurns).createCodec();
const message = (value: object) => Buffer.from(JSON.stringify(value));

describe('elevenlabs: speech-to-text', () => {
  it('asks for mu-law, the language, the terms that are short enough, and its own commits', async () => {
    const { server, stream, count } = await listen({ keyterms: ['Porto'] }, { keyterms: ['Agent Stream', 'x'.repeat(21)] });
    await until(() => count('stt-ready') === 1);
    stream.close();
    const { query, headers, path } = server.connections[0]!;
    expect([path, headers['xi-api-key']]).toEqual(['/v1/speech-to-text/realtime', 'test-key']);
    expect([...query.entries()]).toEqual([
      ['model_id', 'scribe_v2_realtime'],
      ['audio_format', 'ulaw_8000'],
      ['language_code', 'en'],
      ['commit_strategy', 'manual'],
      ['keyterms', 'Porto'],
      ['keyterms', 'Agent Stream'],
    ]);
  });

  it.each([{ modle: 'x' }, { keyterms: ['x'.repeat(21)] }, { vad_silence_ms: 200 }, { ends_turns: 'yes' }])('refuses the settings %j', (settings) => {
    expect(elevenlabs.stt!.settingsSchema.safeParse(settings).success).toBe(false);
  });

  it('makes a commit long enough to be taken', async () => {
    const { server, stream, push, say, count, finals } = await listen();
    await until(() => count('stt-ready') === 1);
    say('alpha');
    stream.finalize();
    await until(() => count('finalized') === 1);
    push(silence(40));
    stream.finalize();
    await until(() => count('finalized') === 2);
    await settle(30);
    expect(server.connections).toHaveLength(1);
    expect(server.connections[0]!.controls).toEqual(['commit', 'commit']);
    expect(finals()).toBe('alpha');
    stream.close();
  });

  it('takes the turn’s end and its times where ElevenLabs ends turns', async () => {
    const { server, stream, push, say, events, count } = await listen({ ends_turns: true, vad_silence_ms: 300, vad_threshold: 0.4 });
    push(silence(200));
    say('alpha', 'bravo');
    push(silence(500));
    stream.finalize();
    await until(() => count('turn-end') === 1);
    stream.close();
    expect(Object.fromEntries(server.connections[0]!.query)).toMatchObject({ commit_strategy: 'vad', include_timestamps: 'true', vad_silence_threshold_secs: '0.3', vad_threshold: '0.4' });
    expect(server.connections[0]!.controls).toEqual([]);
    expect(events.find(({ type }) => type === 'transcript-final')).toEqual({ type: 'transcript-final', text: 'alpha bravo', startMs: 200, endMs: 680 });
  });

  it.each([
    ['auth_error', 'vendor-unauthorized'],
    ['quota_exceeded', 'vendor-rejected'],
    ['rate_limited', 'vendor-rate-limited'],
    ['invalid_request', 'vendor-rejected'],
    ['transcriber_error', 'vendor-unreachable'],
    ['constructor', 'vendor-unreachable'],
  ])('takes error %s for %s', (type, expected) => {
    const [found] = codec().parse(message({ message_type: type, error: 'why' })) ?? [];
    expect(found).toMatchObject({ type: 'session-failed', error: { code: expected } });
  });

  it('takes a refused commit for an answer that settles nothing', () => {
    const session = codec();
    session.finalize(500);
    const refusal = message({ message_type: 'commit_throttled', error: 'why' });
    expect(session.parse(refusal)).toEqual([{ type: 'audio-covered', endMs: 500 }]);
    expect(session.parse(refusal)).toEqual([{ type: 'unknown' }]);
  });

  it('never throws, and reads nothing into anything', () => {
    for (const endsTurns of [true, false]) expectReadsAnything((text) => codec(endsTurns).parse(text));
    const odd = message({ message_type: 'committed_transcript_with_timestamps', text: 7, words: [null, { type: 'word', start: 'x' }] });
    expect(codec(true).parse(odd)).toEqual([
      { type: 'text-settled', text: '', startMs: 0, endMs: 0 },
      { type: 'audio-covered', endMs: 0 },
    ]);
  });
});
