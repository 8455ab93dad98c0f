import { google } from '../../src/speech/google/google.js';
import { openaiCompatible } from '../../src/speech/openai-compatible/openai-compatible.js';
import { startFakeGeminiLive, type LiveMemory } from '../support/fakes/gemini-live.js';
import { ultravox } from '../../src/speech/ultravox/ultravox.js';
import type { RememberedItem } from '../support/fakes/openai-speech-response.js';
import { startFakeOpenaiSpeech } from '../support/fakes/openai-speech-to-speech.js';
import { startFakeUltravox } from '../support/fakes/ultravox.js';
import { describeRealtimeModel, type RealtimeMemoryEntry } from './realtime-model.js';

const kinds: Partial<Record<RememberedItem['kind'], RealtimeMemoryEntry['who']>> = {
  'caller-audio': 'caller-heard',
  'agent-audio': 'agent-spoke',
  function_call_output: 'result',
};

describeRealtimeModel('openai', {
  endsTurns: true,
  isResampled: false,
  cutsMemory: true,
  create(context) {
    const leg = openaiCompatible.realtime!;
    return leg.create(leg.settingsSchema.parse({}), { ...context, fetch });
  },
  async startFake({ respond, ...options }) {
    const fake = await startFakeOpenaiSpeech({ ...options, ...(respond === undefined ? {} : { respond: ({ index }) => respond(index) }) });
    return {
      ...fake,
      heard: (connection = 0) => Buffer.concat(fake.connections[connection]?.audio ?? []),
      spoken: (connection = 0) => Buffer.concat(fake.connections[connection]?.spoken ?? []),
      memory: (connection = 0) =>
        (fake.connections[connection]?.remembered ?? [])
          .filter(({ kind }) => kind !== 'function_call')
          .map(({ kind, text, audioMs }) => ({ who: kinds[kind] ?? 'told', text, audioMs })),
      problems: () => fake.connections.flatMap(({ errors }) => errors),
      get connectionCount() {
        return fake.connections.length;
      },
    };
  },
});

const liveKinds: Partial<Record<LiveMemory['kind'], RealtimeMemoryEntry['who']>> = { 'caller-audio': 'caller-heard', 'agent-audio': 'agent-spoke', result: 'result' };

describeRealtimeModel('google', {
  // The call ends turns; speech comes at 24 kHz; the vendor's memory can be told, and not be cut; it holds fixed words too.
  endsTurns: false,
  isResampled: true,
  cutsMemory: false,
  create(context) {
    const leg = google.realtime!;
    return leg.create(leg.settingsSchema.parse({}), { ...context, fetch });
  },
  async startFake(options) {
    const fake = await startFakeGeminiLive(options);
    return {
      ...fake,
      heard: (connection = 0) => Buffer.concat(fake.connections[connection]?.audio ?? []),
      spoken: (connection = 0) => Buffer.concat(fake.connections[connection]?.spoken ?? []),
      memory: (connection = 0) => (fake.connections[connection]?.remembered ?? []).map(({ kind, text, audioMs }) => ({ who: liveKinds[kind] ?? 'told', text, audioMs })),
      problems: () => fake.connections.flatMap(({ problems }) => problems),
      get connectionCount() {
        return fake.connections.length;
      },
    };
  },
});

describeRealtimeModel('ultravox', {
  endsTurns: true,
  isResampled: false,
  cutsMemory: true,
  ownsConversation: true,
  create(context) {
    const leg = ultravox.realtime!;
    return leg.create(leg.settingsSchema.parse({}), { ...context, fetch });
  },
  async startFake({ respond, ...options }) {
    const fake = await startFakeUltravox({ ...options, ...(respond === undefined ? {} : { respond: ({ index }) => respond(index) }) });
    return {
      ...fake,
      heard: (connection = 0) => Buffer.concat(fake.connections[connection]?.audio ?? []),
      spoken: (connection = 0) => Buffer.concat(fake.connections[connection]?.spoken ?? []),
      memory: (connection = 0) =>
        (fake.connections[connection]?.remembered ?? []).map((entry) => ({ ...entry, text: entry.text.replace(/^\[You said: (.*)\]$/, '$1') })),
      problems: () => fake.connections.flatMap(({ problems }) => problems),
      get connectionCount() {
        return fake.connections.length;
      },
    };
  },
});
