import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import type { RunEvent } from '../../src/runs/events.js';
import { parseCallerScript } from '../../src/simulator/caller-script.js';
import { placeCall, type PlacedCall } from '../../src/simulator/place-call.js';
import { createSimulatedSpeech } from '../../src/simulator/simulated-speech.js';
import type { Run } from '../../src/store/store.js';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { hearBuiltinVoice, speakBuiltinVoice } from '../support/fakes/builtin-voice.js';
import type { ResponseScript } from '../support/fakes/openai-speech-response.js';
import { startFakeGeminiLive, type FakeGeminiLive } from '../support/fakes/gemini-live.js';
import { startFakeOpenaiSpeech, type FakeOpenaiSpeech, type RealtimeFault } from '../support/fakes/openai-speech-to-speech.js';
import { edge, node } from '../support/workflow-call.js';

/**
 * Whole calls with a speech-to-speech model: the server as it runs, a simulated carrier and caller, and a fake that speaks the protocol of
 * OpenAI's Realtime API. The builtin voice is what caller and agent are made of, so that words are heard.
 */
const GREETING = 'Welcome to the restaurant.';
const BOOKED = 'Your table is booked for tomorrow evening at seven, and we will gladly hold it for you for half an hour.';
const workflow = {
  nodes: [
    node('start', 'startCall', { greeting: GREETING, prompt: 'Find out what the caller wants.' }),
    node('booking', 'agentNode', { prompt: 'Book a table.' }),
    node('end', 'endCall', { prompt: 'Say goodbye.' }),
  ],
  edges: [edge('start', 'booking'), edge('booking', 'end')],
};

let server: CallServer;
let fake: FakeOpenaiSpeech;
/** The vendor that takes over. */
let spare: FakeGeminiLive;
/** What the model does in the call of a test. */
let scripts: readonly ResponseScript[] = [];
let say: ((text: string) => ResponseScript) | undefined;
let fault: (attempt: number) => RealtimeFault | undefined = () => undefined;
let attempts = 0;

beforeAll(async () => {
  fake = await startFakeOpenaiSpeech({
    apiKey: 'realtime-key',
    transcribe: hearBuiltinVoice,
    render: speakBuiltinVoice,
    transcriptDelayMs: 150,
    firstByteMs: 200,
    respond: () => {
      const [next, ...rest] = scripts;
      scripts = rest;
      return next ?? { text: 'I see.' };
    },
    say: (text) => say?.(text) ?? { text },
    fault() {
      attempts += 1;
      return fault(attempts - 1);
    },
  });
  spare = await startFakeGeminiLive({
    apiKey: 'live-key',
    transcribe: (audio) => hearBuiltinVoice(audio).replace('[unintelligible speech]', ''),
    render: speakBuiltinVoice,
    respond: () => ({ text: 'Here is somebody else.' }),
  });
  server = await startCallServer({
    env: { OPENAI_API_KEY: 'realtime-key', OPENAI_BASE_URL: fake.httpUrl, GOOGLE_GENERATIVE_AI_API_KEY: 'live-key', GOOGLE_GEMINI_BASE_URL: spare.httpUrl },
  });
});
afterAll(async () => {
  await server.stop();
  await fake.close();
  await spare.close();
});

interface HeldCall {
  readonly call: PlacedCall;
  readonly run: Run;
  readonly events: readonly RunEvent[];
  /** The call's connections to the model. */
  readonly connections: FakeOpenaiSpeech['connections'];
  /** `who: words` of the run's transcript. */
  readonly transcript: readonly string[];
}

interface HoldOptions {
  readonly scripts?: readonly ResponseScript[];
  readonly say?: (text: string) => ResponseScript;
  /** By attempt to connect, 0 is the first of the call. */
  readonly fault?: (attempt: number) => RealtimeFault | undefined;
  readonly models?: Record<string, unknown>;
}

async function hold(script: string, options: HoldOptions = {}): Promise<HeldCall> {
  scripts = options.scripts ?? [];
  say = options.say;
  fault = options.fault ?? (() => undefined);
  attempts = 0;
  const connectionsBefore = fake.connections.length;
  const tenant = await server.createTenant();
  const models = { realtime: { vendor: 'openai' }, llm: { vendor: 'builtin' }, ...options.models };
  const agent = await server.createAgent({ tenant, workflow, settings: { models } });
  const call = await placeCall({
    url: server.streamUrl(agent.uuid),
    domain: tenant.domain,
    cloudonix: server.cloudonix,
    steps: parseCallerScript(script),
    speech: createSimulatedSpeech(systemClock),
    clock: systemClock,
  });
  const run = await server.endedRun(agent);
  const events = await server.eventsOf(run);
  const transcript = events.flatMap(({ type, data }) =>
    type === 'caller-said' || type === 'agent-said' ? [`${type === 'caller-said' ? 'caller' : 'agent'}: ${String(data['text'])}`] : [],
  );
  return { call, run, events, transcript, connections: fake.connections.slice(connectionsBefore) };
}

const typesOf = ({ events }: HeldCall) => new Set(events.map(({ type }) => type));

describe('a call with a speech-to-speech model', () => {
  it('greets, follows the workflow’s edges, is interrupted, and hangs up after its last words', async () => {
    const held = await hold('caller: I would like to book a table.\ninterrupt 2000: Wait, make it eight please.\nlisten\ncaller: That is all.\nlisten', {
      scripts: [
        { calls: [{ name: 'go_to_booking' }] },
        { text: BOOKED },
        { text: 'At eight then.' },
        { calls: [{ name: 'go_to_end' }] },
        { text: 'Goodbye and see you tomorrow.' },
      ],
    });
    expect(held.call.problems).toEqual([]);
    expect(held.run).toMatchObject({ state: 'completed', endReason: 'agent_hangup' });
    expect(held.transcript).toEqual([
      `agent: ${GREETING}`,
      'caller: I would like to book a table.',
      expect.stringMatching(/^agent: Your table is booked/),
      'caller: Wait, make it eight please.',
      'agent: At eight then.',
      'caller: That is all.',
      'agent: Goodbye and see you tomorrow.',
    ]);
    expect(held.events.filter(({ type }) => type === 'node-entered').map(({ data }) => data['node_id'])).toEqual(['start', 'booking', 'end']);

    // What was heard of the interrupted answer is what the vendor remembers of it.
    const [connection] = held.connections;
    const said = held.events.find(({ type, data }) => type === 'agent-said' && data['interrupted'] === true);
    const heardWords = String(said?.data['text']);
    expect(BOOKED.startsWith(heardWords)).toBe(true);
    expect(heardWords.length).toBeLessThan(BOOKED.length);
    const cut = connection?.remembered.find(({ text }) => text === BOOKED);
    const speechMs = (await speakBuiltinVoice(BOOKED)).length / 8;
    expect(cut?.isTruncated).toBe(true);
    // As much of its sound as of its words, up to the word that was begun.
    expect((cut?.audioMs ?? 0) / speechMs - heardWords.length / BOOKED.length).toBeGreaterThanOrEqual(0);
    expect((cut?.audioMs ?? 0) / speechMs - heardWords.length / BOOKED.length).toBeLessThan(0.15);
    expect(connection?.remembered.filter(({ kind }) => kind === 'assistant').map(({ text }) => text)).toEqual([GREETING]);
    expect(connection?.errors).toEqual([]);
    expect(held.connections).toHaveLength(1);

    const answered = held.events.find(({ type }) => type === 'call-answered');
    expect(answered?.data['models']).toMatchObject({ realtime: { vendor: 'openai', model: 'gpt-realtime', is_simulated: false }, llm: { vendor: 'builtin' } });
    expect(typesOf(held).has('reply-prepared')).toBe(false);
  });

  it('goes on where the line to the model breaks once', async () => {
    const held = await hold('caller: I would like to book a table.\nlisten\nhangup', {
      scripts: [{ text: 'For how many?' }],
      fault: (attempt) => (attempt === 0 ? { socket: { kind: 'cut' }, afterAudioMs: 3500 } : undefined),
    });
    expect(held.run).toMatchObject({ state: 'completed', endReason: 'caller_hangup' });
    expect(held.transcript).toEqual([`agent: ${GREETING}`, 'caller: I would like to book a table.', 'agent: For how many?']);
    expect(held.connections).toHaveLength(2);
    expect(held.connections[1]?.remembered.some(({ text }) => text === GREETING)).toBe(true);
    expect(typesOf(held).has('vendor-failed')).toBe(false);
  });

  it('says something else where the model fails, or stays silent, or answers without speech', async () => {
    const held = await hold('caller: I would like to book a table.\ncaller: Are you there?\ncaller: Hello?\nlisten\nhangup', {
      scripts: [{ error: 'server_error' }, { text: 'Words that nobody hears.', isMute: true }, { text: 'Here I am.' }],
    });
    expect(held.run).toMatchObject({ state: 'completed', endReason: 'caller_hangup' });
    const agent = held.transcript.filter((line) => line.startsWith('agent:'));
    expect(agent).toHaveLength(4);
    expect(agent.at(-1)).toBe('agent: Here I am.');
    expect(held.transcript.join()).not.toContain('Words that nobody hears');
    expect(held.events.find(({ type }) => type === 'vendor-failed')?.data).toMatchObject({ leg: 'realtime', vendor: 'openai', code: 'vendor-unreachable' });
  });

  it('ends as vendor_error where the model is lost for good, and says so with a voice that is left', async () => {
    const held = await hold('wait: 20s', {
      fault: (attempt) => (attempt === 0 ? { socket: { kind: 'cut' }, afterAudioMs: 3500 } : { upgrade: { kind: 'reset' } }),
      models: { tts: { vendor: 'builtin' } },
    });
    expect(held.run).toMatchObject({ endReason: 'vendor_error' });
    expect(held.transcript).toHaveLength(2);
    expect(held.transcript[1]).toMatch(/^agent: .*(trouble|technical|sorry)/i);
    expect(held.events.find(({ type }) => type === 'vendor-failed')?.data).toMatchObject({ leg: 'realtime', code: 'vendor-unreachable' });
  });

  it('ends as vendor_error at once where no voice is left', async () => {
    const held = await hold('wait: 20s', { fault: () => ({ upgrade: { kind: 'http', status: 401 } }) });
    expect(held.run).toMatchObject({ endReason: 'vendor_error' });
    expect(held.call.turns.filter(({ who }) => who === 'agent')).toEqual([]);
    expect(held.events.find(({ type }) => type === 'vendor-failed')?.data).toMatchObject({ leg: 'realtime', code: 'vendor-unauthorized' });
  });

  it.each([
    ['before it is heard', () => ({ upgrade: { kind: 'http', status: 401 } })],
    ['in mid-call', (attempt) => (attempt === 0 ? { socket: { kind: 'cut' }, afterAudioMs: 3500 } : { upgrade: { kind: 'reset' } })],
  ] satisfies [string, (attempt: number) => RealtimeFault | undefined][])('goes over to another vendor where the model is lost %s', async (_when, faultOf) => {
    const told = spare.connections.length;
    const held = await hold('caller: I would like to book a table.\nlisten\nhangup', {
      fault: faultOf,
      models: { realtime: { vendor: 'openai', fallbacks: [{ vendor: 'google' }] } },
    });
    expect(held.run).toMatchObject({ state: 'completed', endReason: 'caller_hangup' });
    expect(held.transcript).toEqual([`agent: ${GREETING}`, 'caller: I would like to book a table.', 'agent: Here is somebody else.']);
    expect(held.events.filter(({ type }) => type === 'vendor-fallback').map(({ data }) => data)).toMatchObject([{ leg: 'realtime', from: 'openai', to: 'google' }]);
    expect(spare.connections.slice(told)).toHaveLength(1);
    expect(spare.connections[told]?.remembered.map(({ text }) => text)).toContain(GREETING);
    expect(spare.connections[told]?.problems).toEqual([]);
    expect(held.events.find(({ type }) => type === 'run-ended')?.data['models']).toMatchObject({ realtime: { vendor: 'google' } });
  });
});
