import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { openFakeVoice, speakAndKeep } from '../../../test/contracts/voice-faults.js';
import { startFakeRime, type FakeRime, type FakeRimeOptions } from '../../../test/support/fakes/rime.js';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { until } from '../../../test/support/wait-for.js';
import { createRimeProtocol } from './protocol.js';
import { rime } from './rime.js';

let fake: FakeRime | undefined;
afterEach(async () => {
  await fake?.close();
  fake = undefined;
});

async function start(options: FakeRimeOptions = {}): Promise<FakeRime> {
  fake = await startFakeRime({ apiKey: 'test-key', pace: 40, ...options });
  return fake;
}

const sentence = 'A sentence that is not over in a moment.';

describe('the wire', () => {
  it('is one socket for all utterances of a call, asked for mu-law and for speech by flush', async () => {
    const server = await start();
    const stream = openFakeVoice(rime, server.wsUrl, { language: 'de-AT' });
    for (let i = 0; i < 2; i += 1) await speakAndKeep(stream, sentence).over();
    stream.close();
    await until(() => server.connections[0]!.closeCode === 1000);
    expect(server.connections.map(({ query }) => query)).toEqual([
      { speaker: 'cove', modelId: 'mistv2', audioFormat: 'mulaw', samplingRate: '8000', segment: 'never', lang: 'ger' },
    ]);
    expect(server.connections[0]!.messages).toEqual([
      { text: sentence, contextId: 'segment-1' },
      { operation: 'flush' },
      { text: sentence, contextId: 'segment-2' },
      { operation: 'flush' },
    ]);
  });

  it('gathers texts that come faster than they are spoken, with times of the whole utterance', async () => {
    const server = await start();
    const stream = openFakeVoice(rime, server.wsUrl);
    const { utterance, over, words } = speakAndKeep(stream);
    for (const text of ['One. ', 'Two. ', 'Three. ']) utterance.push(text);
    utterance.end();
    await over();
    stream.close();
    expect(server.connections[0]!.messages.flatMap(({ text }) => text ?? [])).toEqual(['One. ', 'Two. Three. ']);
    expect(words).toEqual([
      { text: 'One.', startMs: 0, endMs: 300 },
      { text: 'Two.', startMs: 300, endMs: 660 },
      { text: 'Three.', startMs: 660, endMs: 1020 },
    ]);
  });

  it.each([{ model: 1 }, { speed: 3 }, { voice: '' }])('refuses the settings %j', (settings) => {
    expect(rime.tts!.settingsSchema.safeParse(settings).success).toBe(false);
  });

  it('has a cache key that differs where the sound does', () => {
    const leg = rime.tts!;
    const keyOf = (settings: object) => leg.create(leg.settingsSchema.parse(settings), { clock: createVirtualClock(), apiKey: 'k', baseUrl: 'ws://fake', fetch }).cacheKey;
    expect(new Set([{}, { model: 'coda' }, { voice: 'astra' }, { language: 'es' }].map(keyOf)).size).toBe(4);
    expect(keyOf({ word_times: false })).toBe(keyOf({}));
  });
});

describe('the protocol', () => {
  it('an error message fails the utterance, and the next one is spoken on the same connection', async () => {
    const server = await start({ fault: () => ({ error: 'Unknown speaker' }) });
    const stream = openFakeVoice(rime, server.wsUrl);
    for (let i = 0; i < 2; i += 1) {
      const speaking = speakAndKeep(stream, sentence);
      await speaking.over();
      expect(speaking.error()?.code).toBe('vendor-rejected');
    }
    stream.close();
    expect(server.connections).toHaveLength(1);
  });

  it('never throws at what it reads', () => {
    const message = fc.record(
      { type: fc.constantFrom('chunk', 'timestamps', 'done', 'error'), data: fc.anything(), word_timestamps: fc.anything(), contextId: fc.anything() },
      { requiredKeys: ['type'] },
    );
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), message.map((value) => JSON.stringify(value))), (text) => {
        const protocol = createRimeProtocol(true);
        protocol.speak('a', 'Hello. ', false);
        protocol.parse(Buffer.from(text), false);
        expect(protocol.cancel('a').length).toBeLessThanOrEqual(1);
      }),
    );
  });
});
