import { builtin } from '../../src/speech/builtin/builtin.js';
import { cartesia } from '../../src/speech/cartesia/cartesia.js';
import type { TextToSpeech } from '../../src/speech/text-to-speech.js';
import type { VendorModule } from '../../src/speech/vendor.js';
import { startFakeCartesia } from '../support/fakes/cartesia.js';
import { createCountingClock, type CountingClock } from '../support/fakes/counting-clock.js';
import { findClosedPort } from '../support/fakes/vendor-server.js';
import { describeTextToSpeech } from './text-to-speech.js';

function create(vendor: VendorModule, clock: CountingClock, baseUrl: string): TextToSpeech {
  const leg = vendor.tts!;
  return leg.create(leg.settingsSchema.parse({}), { clock, apiKey: 'test-key', baseUrl, fetch });
}

describeTextToSpeech('cartesia', async () => {
  const clock = createCountingClock();
  const fake = await startFakeCartesia({ apiKey: 'test-key', pace: 40 });
  return {
    tts: create(cartesia, clock, fake.wsUrl),
    unreachable: create(cartesia, clock, `ws://127.0.0.1:${await findClosedPort()}`),
    openSockets: () => fake.openSockets(),
    pendingTimers: () => clock.pendingTimers(),
    leakRounds: 200,
    close: () => fake.close(),
  };
});

describeTextToSpeech(
  'builtin',
  () => {
    const clock = createCountingClock();
    return Promise.resolve({
      tts: create(builtin, clock, ''),
      unreachable: null,
      openSockets: () => 0,
      pendingTimers: () => clock.pendingTimers(),
      leakRounds: 20,
      close: () => Promise.resolve(),
    });
  },
  { failure: 'it reaches for nothing', words: 'it has no word times' },
);
