import { azure } from '../../src/speech/azure/azure.js';
import { builtin } from '../../src/speech/builtin/builtin.js';
import { cartesia } from '../../src/speech/cartesia/cartesia.js';
import { deepgram } from '../../src/speech/deepgram/deepgram.js';
import { elevenlabs } from '../../src/speech/elevenlabs/elevenlabs.js';
import { googleCloud } from '../../src/speech/google/google-cloud.js';
import { openaiCompatible } from '../../src/speech/openai-compatible/openai-compatible.js';
import { rime } from '../../src/speech/rime/rime.js';
import { createFallbackTextToSpeech } from '../../src/speech/fallback/text-to-speech.js';
import type { TextToSpeech } from '../../src/speech/text-to-speech.js';
import type { VendorModule } from '../../src/speech/vendor.js';
import { startFakeAzure } from '../support/fakes/azure.js';
import { startFakeCartesia } from '../support/fakes/cartesia.js';
import { createCountingClock, type CountingClock } from '../support/fakes/counting-clock.js';
import { startFakeDeepgramVoice } from '../support/fakes/deepgram-voice.js';
import { startFakeElevenlabsVoice } from '../support/fakes/elevenlabs-voice.js';
import { startFakeGoogleCloudVoice } from '../support/fakes/google-cloud-voice.js';
import { startFakeOpenaiVoice } from '../support/fakes/openai-voice.js';
import { startFakeRime } from '../support/fakes/rime.js';
import { findClosedPort, type VendorServer } from '../support/fakes/vendor-server.js';
import { lineUp } from '../support/lineup.js';
import { describeTextToSpeech } from './text-to-speech.js';

function create(vendor: VendorModule, clock: CountingClock, baseUrl: string): TextToSpeech {
  const leg = vendor.tts!;
  return leg.create(leg.settingsSchema.parse({}), { clock, apiKey: 'test-key', baseUrl, fetch });
}

/** The suite's subject for a vendor over its fake. */
function overFake(vendor: VendorModule, start: (options: { apiKey: string; pace: number }) => Promise<VendorServer>) {
  return async () => {
    const clock = createCountingClock();
    const fake = await start({ apiKey: 'test-key', pace: 40 });
    const scheme = new URL(vendor.baseUrl.default).protocol;
    return {
      tts: create(vendor, clock, scheme === 'wss:' ? fake.wsUrl : fake.httpUrl),
      unreachable: create(vendor, clock, `${scheme === 'wss:' ? 'ws' : 'http'}://127.0.0.1:${await findClosedPort()}`),
      openSockets: () => fake.openSockets(),
      pendingTimers: () => clock.pendingTimers(),
      leakRounds: 200,
      close: () => fake.close(),
    };
  };
}

describeTextToSpeech('cartesia', overFake(cartesia, startFakeCartesia));
describeTextToSpeech('elevenlabs', overFake(elevenlabs, startFakeElevenlabsVoice));
describeTextToSpeech('rime', overFake(rime, startFakeRime));
describeTextToSpeech('deepgram', overFake(deepgram, startFakeDeepgramVoice), { words: 'the vendor sends none' });

/** The suite's subject for a vendor that is asked by requests, over its fake. */
function byRequests(vendor: VendorModule, start: (options: { apiKey: string; pace: number }) => Promise<VendorServer & { readonly requests: readonly { outcome: string | null }[] }>) {
  return async () => {
    const clock = createCountingClock();
    const fake = await start({ apiKey: 'test-key', pace: 40 });
    return {
      tts: create(vendor, clock, fake.httpUrl),
      unreachable: create(vendor, clock, `http://127.0.0.1:${await findClosedPort()}`),
      // Connections are the process's and stay alive: what may not be left behind is a request.
      openSockets: () => fake.requests.filter(({ outcome }) => outcome === null).length,
      pendingTimers: () => clock.pendingTimers(),
      leakRounds: 200,
      close: () => fake.close(),
    };
  };
}

describeTextToSpeech('openai', byRequests(openaiCompatible, startFakeOpenaiVoice), { words: 'the vendor sends none' });
describeTextToSpeech('azure', byRequests(azure, startFakeAzure), { words: 'the vendor sends none' });
describeTextToSpeech('google-cloud', byRequests(googleCloud, startFakeGoogleCloudVoice), { words: 'the vendor sends none' });

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

/** Each stream begins with a vendor that refuses the key, and goes on with one that works. */
describeTextToSpeech('fallbacks', async () => {
  const clock = createCountingClock();
  const refusing = await startFakeCartesia({ apiKey: 'another-key' });
  const fake = await startFakeCartesia({ apiKey: 'test-key', pace: 40 });
  const first = create(cartesia, clock, refusing.wsUrl);
  const composed = (second: TextToSpeech): TextToSpeech => ({
    ...createFallbackTextToSpeech(lineUp('tts', [first, second], { clock }), clock),
    open: (options) => createFallbackTextToSpeech(lineUp('tts', [first, second], { clock }), clock).open(options),
  });
  return {
    tts: composed(create(cartesia, clock, fake.wsUrl)),
    unreachable: composed(create(cartesia, clock, `ws://127.0.0.1:${await findClosedPort()}`)),
    openSockets: () => refusing.openSockets() + fake.openSockets(),
    pendingTimers: () => clock.pendingTimers(),
    leakRounds: 200,
    close: async () => {
      await refusing.close();
      await fake.close();
    },
  };
});
