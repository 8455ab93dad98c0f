import { assemblyai } from '../../src/speech/assemblyai/assemblyai.js';
import { builtin } from '../../src/speech/builtin/builtin.js';
import { deepgram } from '../../src/speech/deepgram/deepgram.js';
import { createFallbackSpeechToText } from '../../src/speech/fallback/speech-to-text.js';
import { soniox } from '../../src/speech/soniox/soniox.js';
import type { SpeechToText } from '../../src/speech/speech-to-text.js';
import type { VendorModule } from '../../src/speech/vendor.js';
import { startFakeAssemblyai } from '../support/fakes/assemblyai.js';
import { speakBuiltinVoice } from '../support/fakes/builtin-voice.js';
import { createCountingClock, type CountingClock } from '../support/fakes/counting-clock.js';
import { startFakeDeepgram } from '../support/fakes/deepgram.js';
import { startFakeSoniox } from '../support/fakes/soniox.js';
import { renderCodedWords, type CodedWord } from '../support/fakes/speech-audio.js';
import { findClosedPort } from '../support/fakes/vendor-server.js';
import { lineUp } from '../support/lineup.js';
import { describeSpeechToText } from './speech-to-text.js';
import { describeNetworkRecogniser, type NetworkRecogniserSkips, type NetworkRecogniserSubject } from './speech-to-text-faults.js';

const create = (vendor: VendorModule, clock: CountingClock, baseUrl: string, settings: Record<string, unknown> = {}): SpeechToText => {
  const leg = vendor.stt!;
  return leg.create(leg.settingsSchema.parse(settings), { clock, apiKey: 'test-key', baseUrl, fetch });
};

/** Both suites for a vendor behind a network. */
function describeVendor(name: string, subject: NetworkRecogniserSubject, skip: NetworkRecogniserSkips = {}): void {
  describeSpeechToText(name, async () => {
    const clock = createCountingClock();
    const fake = await subject.startFake({ apiKey: 'test-key' });
    const settings = subject.settings ?? {};
    return {
      stt: create(subject.vendor, clock, fake.wsUrl, settings),
      unreachable: create(subject.vendor, clock, `ws://127.0.0.1:${await findClosedPort()}`, settings),
      say: (text) => Promise.resolve(renderCodedWords(text.split(' ') as CodedWord[])),
      phrases: ['alpha bravo charlie', 'delta echo'],
      openSockets: () => fake.openSockets(),
      pendingTimers: () => clock.pendingTimers(),
      close: () => fake.close(),
    };
  });
  describeNetworkRecogniser(name, subject, skip);
}

describeVendor('deepgram nova', { vendor: deepgram, startFake: startFakeDeepgram });
describeVendor('deepgram flux', { vendor: deepgram, settings: { model: 'flux-general-en' }, startFake: startFakeDeepgram });

describeVendor('assemblyai', { vendor: assemblyai, startFake: startFakeAssemblyai }, { stall: 'it says nothing of noise, so its silence proves nothing' });
describeVendor('soniox', { vendor: soniox, startFake: startFakeSoniox }, { stall: 'what it says of noise is not documented, so its silence proves nothing' });

describeSpeechToText(
  'builtin',
  () => {
    const clock = createCountingClock();
    return Promise.resolve({
      stt: create(builtin, clock, ''),
      unreachable: null,
      say: speakBuiltinVoice,
      phrases: ['hello to you', 'goodbye then'],
      openSockets: () => 0,
      pendingTimers: () => clock.pendingTimers(),
      close: () => Promise.resolve(),
    });
  },
  { failure: 'it reaches for nothing' },
);

/** Each stream begins with a vendor that refuses the key, and goes on with one that works. */
describeSpeechToText('fallbacks', async () => {
  const clock = createCountingClock();
  const refusing = await startFakeDeepgram({ apiKey: 'another-key' });
  const fake = await startFakeDeepgram({ apiKey: 'test-key' });
  const first = create(deepgram, clock, refusing.wsUrl);
  const unreachable = create(deepgram, clock, `ws://127.0.0.1:${await findClosedPort()}`);
  const composed = (second: SpeechToText): SpeechToText => ({
    ...createFallbackSpeechToText(lineUp('stt', [first, second], { clock }), clock),
    open: (options) => createFallbackSpeechToText(lineUp('stt', [first, second], { clock }), clock).open(options),
  });
  return {
    stt: composed(create(deepgram, clock, fake.wsUrl)),
    unreachable: composed(unreachable),
    say: (text) => Promise.resolve(renderCodedWords(text.split(' ') as CodedWord[])),
    phrases: ['alpha bravo charlie', 'delta echo'],
    openSockets: () => refusing.openSockets() + fake.openSockets(),
    pendingTimers: () => clock.pendingTimers(),
    close: async () => {
      await refusing.close();
      await fake.close();
    },
  };
});

describeSpeechToText(
  'fallbacks of builtin',
  () => {
    const clock = createCountingClock();
    const stt = create(builtin, clock, '');
    return Promise.resolve({
      stt: createFallbackSpeechToText(lineUp('stt', [stt, stt], { clock }), clock),
      unreachable: null,
      say: speakBuiltinVoice,
      phrases: ['hello to you', 'goodbye then'],
      openSockets: () => 0,
      pendingTimers: () => clock.pendingTimers(),
      close: () => Promise.resolve(),
    });
  },
  { failure: 'it reaches for nothing' },
);
