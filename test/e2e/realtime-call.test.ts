import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { hearBuiltinVoice, hearWords, speakBuiltinVoice } from '../support/fakes/builtin-voice.js';
import { startFakeGeminiLive, type FakeGeminiLive } from '../support/fakes/gemini-live.js';
import type { ResponseScript } from '../support/fakes/openai-speech-response.js';
import { startFakeOpenaiSpeech, type FakeOpenaiSpeech, type RealtimeFault } from '../support/fakes/openai-speech-to-speech.js';
import { BOOKED, booking, createAnswers, expectBooking, GREETING, holdCall, type HeldCall } from '../support/realtime-scene.js';

/**
 * Whole calls with a speech-to-speech model: the server as it runs, a simulated carrier and caller, and a fake that speaks the protocol of
 * OpenAI's Realtime API. The builtin voice is what caller and agent are made of, so that words are heard.
 */
let server: CallServer;
let fake: FakeOpenaiSpeech;
/** The vendor that takes over. */
let spare: FakeGeminiLive;
/** What the model does in the call of a test. */
const answers = createAnswers<ResponseScript>();
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
    respond: () => answers.next(),
    say: (text) => say?.(text) ?? { text },
    fault() {
      attempts += 1;
      return fault(attempts - 1);
    },
  });
  spare = await startFakeGeminiLive({ apiKey: 'live-key', transcribe: hearWords, render: speakBuiltinVoice, respond: () => ({ text: 'Here is somebody else.' }) });
  server = await startCallServer({
    env: { OPENAI_API_KEY: 'realtime-key', OPENAI_BASE_URL: fake.httpUrl, GOOGLE_GENERATIVE_AI_API_KEY: 'live-key', GOOGLE_GEMINI_BASE_URL: spare.httpUrl },
  });
});
afterAll(async () => {
  await server.stop();
  await fake.close();
  await spare.close();
});

interface HoldOptions {
  readonly scripts?: readonly ResponseScript[];
  readonly say?: (text: string) => ResponseScript;
  /** By attempt to connect, 0 is the first of the call. */
  readonly fault?: (attempt: number) => RealtimeFault | undefined;
  readonly models?: Record<string, unknown>;
}

/** Holds a call; `connections` are those that it had to the model. */
async function hold(script: string, options: HoldOptions = {}): Promise<HeldCall & { readonly connections: FakeOpenaiSpeech['connections'] }> {
  answers.set(options.scripts ?? []);
  say = options.say;
  fault = options.fault ?? (() => undefined);
  attempts = 0;
  const connectionsBefore = fake.connections.length;
  const held = await holdCall(server, script, { realtime: { vendor: 'openai' }, ...options.models });
  return { ...held, connections: fake.connections.slice(connectionsBefore) };
}

const typesOf = ({ events }: HeldCall) => new Set(events.map(({ type }) => type));

describe('a call with a speech-to-speech model', () => {
  it('greets, follows the workflow’s edges, is interrupted, and hangs up after its last words', async () => {
    const held = await hold(booking.script, { scripts: booking.answers });
    expectBooking(held);

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
