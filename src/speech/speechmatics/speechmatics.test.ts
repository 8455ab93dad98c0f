import { describe, expect, it } from 'vitest';
import { silence } from '../../../test/support/fakes/speech-audio.js';
import { startFakeSpeechmatics } from '../../../test/support/fakes/speechmatics.js';
import { expectReadsAnything, listenAgainst } from '../../../test/support/recogniser-case.js';
import { until } from '../../../test/support/wait-for.js';
import { speechmatics } from './speechmatics.js';
import { createSpeechmaticsWire } from './wire.js';

const listen = listenAgainst(speechmatics, startFakeSpeechmatics);
const codec = () => createSpeechmaticsWire('', {}, { opening: '{}', endsTurns: false }).createCodec();
const message = (value: object) => Buffer.from(JSON.stringify(value));

describe('speechmatics', () => {
  it('asks for mu-law, the language, its spelling and the terms, and ends with the number of audio messages', async () => {
    const { server, stream, push, count } = await listen({ keyterms: ['Porto'], max_delay_ms: 700 }, { keyterms: ['Agent Stream', 'Porto'], language: 'en-GB' });
    await until(() => count('stt-ready') === 1);
    push(silence(180));
    stream.close();
    await until(() => server.connections[0]!.controls.includes('EndOfStream'));
    const { messages, headers, path } = server.connections[0]!;
    expect([path, headers.authorization]).toEqual(['/v2', 'Bearer test-key']);
    expect(messages).toEqual([
      {
        message: 'StartRecognition',
        audio_format: { type: 'raw', encoding: 'mulaw', sample_rate: 8000 },
        transcription_config: {
          language: 'en',
          output_locale: 'en-GB',
          model: 'enhanced',
          enable_partials: true,
          max_delay: 0.7,
          conversation_config: { end_of_utterance_silence_trigger: 0.5 },
          additional_vocab: [{ content: 'Porto' }, { content: 'Agent Stream' }],
        },
      },
      { message: 'EndOfStream', last_seq_no: 3 },
    ]);
  });

  it.each([{ modle: 'x' }, { model: 'melia-1' }, { max_delay_ms: 100 }, { end_of_utterance_ms: 0 }, { ends_turns: 'yes' }])('refuses the settings %j', (settings) => {
    expect(speechmatics.stt!.settingsSchema.safeParse(settings).success).toBe(false);
  });

  it.each([
    [false, ['stt-ready', 'transcript-final', 'turn-pause', 'turn-resumed', 'transcript-final', 'turn-pause']],
    [true, ['stt-ready', 'transcript-final', 'turn-end', 'transcript-final', 'turn-end']],
  ])('gives each sentence whole, with its mark; the vendor ends turns: %s', async (endsTurns, expected) => {
    const { stream, push, say, events, finals, count } = await listen({ ends_turns: endsTurns, end_of_utterance_ms: 200 });
    say('alpha', 'bravo', 'charlie');
    push(silence(300));
    await until(() => count('transcript-final') === 1);
    say('delta');
    push(silence(300));
    const end = endsTurns ? 'turn-end' : 'turn-pause';
    await until(() => count(end) === 2);
    stream.close();
    expect(finals()).toBe('alpha bravo charlie. delta.');
    expect(events.map(({ type }) => type).filter((type) => type !== 'transcript-interim')).toEqual(expected);
    expect(events.find(({ type }) => type === 'transcript-final')).toMatchObject({ startMs: 0 });
  });

  it('puts between words what the language does', () => {
    const session = codec();
    session.parse(message({ message: 'RecognitionStarted', language_pack_info: { word_delimiter: '' } }));
    const word = (content: string, start_time: number) => ({ type: 'word', start_time, end_time: start_time + 0.2, alternatives: [{ content, confidence: 1 }] });
    const mark = { ...word('。', 0.6), type: 'punctuation', attaches_to: 'previous', is_eos: true };
    expect(session.parse(message({ message: 'AddTranscript', results: [word('你', 0.2), word('好', 0.4), mark] }))).toEqual([
      { type: 'text-settled', text: '你好。', startMs: 200, endMs: 800 },
    ]);
  });

  it.each([
    ['not_authorised', 'vendor-unauthorized'],
    ['quota_exceeded', 'vendor-rate-limited'],
    ['invalid_model', 'vendor-rejected'],
    ['job_error', 'vendor-unreachable'],
    ['constructor', 'vendor-unreachable'],
    [7, 'vendor-unreachable'],
  ])('takes error %s for %s', (type, expected) => {
    const [found] = codec().parse(message({ message: 'Error', type, reason: 'why' })) ?? [];
    expect(found).toMatchObject({ type: 'session-failed', error: { code: expected } });
  });

  it('takes acknowledgements and warnings for no sign of a recogniser at work', () => {
    for (const name of ['AudioAdded', 'Info', 'Warning']) expect(codec().parse(message({ message: name }))).toEqual([{ type: 'audio-received' }]);
  });

  it('never throws, and reads nothing into anything', () => {
    expectReadsAnything((text) => codec().parse(text));
    const odd = { message: 'AddTranscript', results: [null, 7, { alternatives: 'x' }, { alternatives: [{ content: 3 }] }], metadata: 1 };
    expect(codec().parse(message(odd))).toEqual([{ type: 'unknown' }]);
  });
});
