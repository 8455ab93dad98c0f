import { assemblyai } from '../../src/speech/assemblyai/assemblyai.js';
import { builtin } from '../../src/speech/builtin/builtin.js';
import { deepgram } from '../../src/speech/deepgram/deepgram.js';
import { elevenlabs } from '../../src/speech/elevenlabs/elevenlabs.js';
import { createFallbackSpeechToText } from '../../src/speech/fallback/speech-to-text.js';
import { openaiCompatible } from '../../src/speech/openai-compatible/openai-compatible.js';
import { soniox } from '../../src/speech/soniox/soniox.js';
import { speechmatics } from '../../src/speech/speechmatics/speechmatics.js';
import type { SpeechToText } from '../../src/speech/speech-to-text.js';
import type { VendorModule } from '../../src/speech/vendor.js';
import { startFakeAssemblyai } from '../support/fakes/assemblyai.js';
import { speakBuiltinVoice } from '../support/fakes/builtin-voice.js';
import { createCountingClock, type CountingClock } from '../support/fakes/counting-clock.js';
import { startFakeDeepgram } from '../support/fakes/deepgram.js';
import { startFakeOpenaiRealtime } from '../support/fakes/openai-realtime.js';
import { startFakeTranscriptions } from '../support/fakes/openai-transcriptions.js';
import { startFakeElevenlabsScribe } from '../support/fakes/elevenlabs-scribe.js';
import { startFakeSoniox } from '../support/fakes/soniox.js';
import { renderCodedWords, silence, type CodedWord } from '../support/fakes/speech-audio.js';
import { startFakeSpeechmatics } from '../support/fakes/speechmatics.js';
import { findClosedPort } from '../support/fakes/vendor-server.js';
import { lineUp } from '../support/lineup.js';
import { describeSpeechToText } from './speech-to-text.js';
import { describeNetworkRecogniser, type NetworkRecogniserSubject } from './speech-to-text-faults.js';

const create = (vendor: VendorModule, clock: CountingClock, baseUrl: string, settings: Record<string, unknown> = {}): SpeechToText => {
  const leg = vendor.stt!;
  return leg.create(leg.settingsSchema.parse(settings), { clock, apiKey: 'test-key', baseUrl, fetch });
};

/** Both suites for a vendor behind a network. */
function describeVendor(name: string, subject: NetworkRecogniserSubject): void {
  describeSpeechToText(name, async () => {
    const clock = createCountingClock();
    const fake = await subject.startFake({ apiKey: 'test-key' });
    const settings = subject.settings ?? {};
    return {
      stt: create(subject.vendor, clock, fake.wsUrl, settings),
      unreachable: create(subject.vendor, clock, `ws://127.0.0.1:${await findClosedPort()}`, settings),
      say: (text) => Promise.resolve(Buffer.concat([renderCodedWords(text.split(' ') as CodedWord[]), silence(subject.pauseMs ?? 0)])),
      phrases: ['alpha bravo charlie', 'delta echo'],
      openSockets: () => fake.openSockets(),
      pendingTimers: () => clock.pendingTimers(),
      close: () => fake.close(),
    };
  });
  describeNetworkRecogniser(name, subject);
}

describeVendor('deepgram nova', { vendor: deepgram, startFake: startFakeDeepgram });
describeVendor('deepgram flux', { vendor: deepgram, settings: { model: 'flux-general-en' }, startFake: startFakeDeepgram });

describeVendor('assemblyai', { vendor: assemblyai, startFake: startFakeAssemblyai, owes: 'words' });
describeVendor('soniox', { vendor: soniox, startFake: startFakeSoniox, owes: 'request' });
describeVendor('elevenlabs', { vendor: elevenlabs, startFake: startFakeElevenlabsScribe, owes: 'request' });
describeVendor('elevenlabs, ending turns', {
  vendor: elevenlabs,
  settings: { ends_turns: true, vad_silence_ms: 300 },
  pauseMs: 100,
  startFake: startFakeElevenlabsScribe,
  owes: 'words',
});
describeVendor('speechmatics', { vendor: speechmatics, startFake: startFakeSpeechmatics, owes: 'request' });
describeVendor('speechmatics, ending turns', {
  vendor: speechmatics,
  settings: { ends_turns: true, end_of_utterance_ms: 160 },
  startFake: startFakeSpeechmatics,
  owes: 'words',
});

describeVendor('openai realtime', { vendor: openaiCompatible, settings: { mode: 'realtime' }, startFake: startFakeOpenaiRealtime, owes: 'request' });
describeVendor('openai realtime with turn detection', {
  vendor: openaiCompatible,
  settings: { mode: 'realtime', turn_detection: 'server_vad' },
  startFake: startFakeOpenaiRealtime,
  owes: 'request',
  withoutInterim: 'it has no text before the end of speech',
});

/** Over the builtin voice: its words survive the resampling that a request needs. */
describeSpeechToText('openai segments', async () => {
  const clock = createCountingClock();
  const fake = await startFakeTranscriptions({ apiKey: 'test-key' });
  return {
    stt: create(openaiCompatible, clock, fake.httpUrl),
    unreachable: create(openaiCompatible, clock, `http://127.0.0.1:${await findClosedPort()}`),
    say: speakBuiltinVoice,
    phrases: ['hello to you', 'goodbye then'],
    // Connections are the process's and stay alive: what may not be left behind is a request.
    openSockets: () => fake.openRequests(),
    pendingTimers: () => clock.pendingTimers(),
    close: () => fake.close(),
  };
});

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
