import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { openFakeVoice, speakAndKeep } from '../../../test/contracts/voice-faults.js';
import { startFakeDeepgramVoice, type FakeDeepgramVoice, type FakeDeepgramVoiceOptions } from '../../../test/support/fakes/deepgram-voice.js';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { settle, until } from '../../../test/support/wait-for.js';
import { deepgram } from './deepgram.js';
import { createDeepgramVoiceProtocol } from './text-to-speech-protocol.js';

let fake: FakeDeepgramVoice | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

async function start(options: FakeDeepgramVoiceOptions = {}): Promise<FakeDeepgramVoice> {
  fake = await startFakeDeepgramVoice({ apiKey: 'test-key', pace: 40, ...options });
  return fake;
}

const sentence = 'A sentence that is not over in a moment.';
const textsOf = (server: FakeDeepgramVoice) => server.connections[0]!.messages.map((message) => message.text ?? message.type);

describe('the wire', () => {
  it('is one socket for all utterances of a call, asked for mu-law', async () => {
    const server = await start();
    const stream = openFakeVoice(deepgram, server.wsUrl, { settings: { model: 'aura-2-celeste-es', speed: 1.2 } });
    for (let i = 0; i < 3; i += 1) await speakAndKeep(stream, sentence).over();
    stream.close();
    await until(() => server.connections[0]!.closeCode === 1000);
    expect(server.connections.map(({ query }) => query)).toEqual([{ model: 'aura-2-celeste-es', encoding: 'mulaw', sample_rate: '8000', container: 'none', speed: '1.2' }]);
    expect(textsOf(server)).toEqual([sentence, 'Flush', sentence, 'Flush', sentence, 'Flush']);
  });

  it('gives texts that come faster than they are spoken one flush', async () => {
    const server = await start();
    const stream = openFakeVoice(deepgram, server.wsUrl);
    const { utterance, over, audioMs } = speakAndKeep(stream);
    for (const text of ['One. ', 'Two. ', 'Three. ', 'Four. ']) utterance.push(text);
    utterance.end();
    await over();
    stream.close();
    expect(textsOf(server)).toEqual(['One. ', 'Flush', 'Two. Three. Four. ', 'Flush']);
    expect(audioMs()).toBe('One. Two. Three. Four. '.length * 60);
  });

  it('speaks one utterance after the other, and clears only what is being spoken', async () => {
    const server = await start({ pace: 8 });
    const stream = openFakeVoice(deepgram, server.wsUrl);
    const [one, two, three] = [speakAndKeep(stream), speakAndKeep(stream), speakAndKeep(stream)];
    one.utterance.push('The first. ');
    two.utterance.push('The second. ');
    three.utterance.push('The third. ');
    three.utterance.end();
    await until(() => one.audioMs() > 0);
    two.utterance.cancel();
    one.utterance.cancel();
    await three.over();
    await settle();
    stream.close();
    expect(textsOf(server)).toEqual(['The first. ', 'Flush', 'Clear', 'The third. ', 'Flush']);
    expect([two.audioMs(), three.audioMs()]).toEqual([0, 'The third. '.length * 60]);
  });

  it.each([{ model: 1 }, { speed: 3 }, { voice: 'x' }, { language: 'en' }])('refuses the settings %j', (settings) => {
    expect(deepgram.tts!.settingsSchema.safeParse(settings).success).toBe(false);
  });

  it('has a cache key that differs where the sound does', () => {
    const leg = deepgram.tts!;
    const keyOf = (settings: object) => leg.create(leg.settingsSchema.parse(settings), { clock: createVirtualClock(), apiKey: 'k', baseUrl: 'ws://fake', fetch }).cacheKey;
    expect(new Set([{}, { model: 'aura-2-zeus-en' }, { speed: 1.1 }].map(keyOf)).size).toBe(3);
  });
});

describe('errors', () => {
  it('a refused flush fails the utterance as limited, and clears it', async () => {
    const server = await start({ maxFlushes: 1 });
    const stream = openFakeVoice(deepgram, server.wsUrl);
    await speakAndKeep(stream, sentence).over();
    const speaking = speakAndKeep(stream, sentence);
    await speaking.over();
    await settle();
    stream.close();
    expect(speaking.error()?.code).toBe('vendor-rate-limited');
    expect(textsOf(server).at(-1)).toBe('Clear');
  });

  it('an error message is a refusal', async () => {
    const server = await start({ fault: () => ({ error: 'DATA-0000' }) });
    const stream = openFakeVoice(deepgram, server.wsUrl);
    const speaking = speakAndKeep(stream, sentence);
    await speaking.over();
    stream.close();
    expect(speaking.error()?.code).toBe('vendor-rejected');
  });
});

describe('the protocol', () => {
  it('hands over no more than the vendor takes at once', () => {
    const protocol = createDeepgramVoiceProtocol();
    const words = 'word '.repeat(900);
    const flushed = Buffer.from('{"type":"Flushed","sequence_id":1}');
    const sent = [...protocol.speak('a', words, false)];
    for (let i = 0; i < 2; i += 1) sent.push(...protocol.parse(flushed, false)!.filter((one) => typeof one === 'string'));
    const texts = sent.flatMap((message) => (JSON.parse(message) as { text?: string }).text ?? []);
    expect(texts.map((text) => text.length)).toEqual([2000, 2000, 500]);
    expect(texts.join('')).toBe(words);
    expect(protocol.parse(flushed, false)).toEqual([{ type: 'done', contextId: 'a' }]);
    expect(protocol.parse(flushed, false)).toEqual([]);
  });

  it('never throws at what it reads', () => {
    const message = fc.record({ type: fc.constantFrom('Flushed', 'Cleared', 'Warning', 'Error', 'Metadata'), code: fc.anything(), description: fc.string() });
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), message.map((value) => JSON.stringify(value))), fc.boolean(), (text, isBinary) => {
        const protocol = createDeepgramVoiceProtocol();
        protocol.speak('a', 'Hello. ', false);
        protocol.parse(Buffer.from(text), isBinary);
        expect(protocol.cancel('a').length).toBeLessThanOrEqual(1);
      }),
    );
  });
});
