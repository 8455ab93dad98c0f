import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { hearWords, speakBuiltinVoice } from '../support/fakes/builtin-voice.js';
import { startFakeGeminiLive, type FakeGeminiLive, type LiveScript } from '../support/fakes/gemini-live.js';
import { BOOKED, booking, createAnswers, expectBooking, GREETING, holdCall } from '../support/realtime-scene.js';

/**
 * Whole calls with Gemini Live: the server as it runs, a simulated carrier and caller, and a fake that speaks the vendor's protocol. The
 * builtin voice is what caller and agent are made of, so that words are heard.
 */
let server: CallServer;
let fake: FakeGeminiLive;
const answers = createAnswers<LiveScript>();

beforeAll(async () => {
  fake = await startFakeGeminiLive({ apiKey: 'live-key', transcribe: hearWords, render: speakBuiltinVoice, firstByteMs: 200, respond: () => answers.next() });
  server = await startCallServer({ env: { GOOGLE_GENERATIVE_AI_API_KEY: 'live-key', GOOGLE_GEMINI_BASE_URL: fake.httpUrl } });
});
afterAll(async () => {
  await server.stop();
  await fake.close();
});

async function hold(script: string, given: readonly LiveScript[]) {
  answers.set(given);
  const connectionsBefore = fake.connections.length;
  const held = await holdCall(server, script, { realtime: { vendor: 'google' } });
  return { ...held, connections: fake.connections.slice(connectionsBefore) };
}

describe('a call with Gemini Live', () => {
  it('greets, follows the workflow’s edges, is interrupted, and hangs up after its last words', async () => {
    const held = await hold(booking.script, booking.answers);
    expectBooking(held);

    // Each node's instructions and functions were there when it answered, on one connection.
    const [connection] = held.connections;
    expect(held.connections).toHaveLength(1);
    expect(connection?.problems).toEqual([]);
    const contexts = (connection?.contexts ?? []).slice(-5);
    expect(contexts.map(({ instructions }) => /Find out|Book a table|Say goodbye/.exec(instructions)?.[0])).toEqual(['Find out', 'Book a table', 'Book a table', 'Book a table', 'Say goodbye']);
    expect(contexts[0]?.tools).toContain('go_to_booking');
    expect(contexts[2]?.tools).toContain('go_to_end');

    // What was heard of the interrupted answer is what the vendor is told of it.
    const said = held.events.find(({ type, data }) => type === 'agent-said' && data['interrupted'] === true);
    expect(BOOKED.startsWith(String(said?.data['text']))).toBe(true);
    const told = connection?.remembered.filter(({ kind, text }) => kind === 'user' && text.includes('they heard only')) ?? [];
    expect(told).toHaveLength(1);
    expect(told[0]?.text).toContain('Your table is booked');
  });

  it('goes on over another connection where the vendor ends one', async () => {
    const held = await hold('caller: I would like to book a table.\nlisten\ncaller: For eight please.\nlisten\nhangup', [{ text: 'For how many?', goesAway: true }, { text: 'Very well.' }]);
    expect(held.run).toMatchObject({ state: 'completed', endReason: 'caller_hangup' });
    expect(held.transcript.slice(1)).toEqual(['caller: I would like to book a table.', 'agent: For how many?', 'caller: For eight please.', 'agent: Very well.']);
    expect(held.connections).toHaveLength(2);
    expect(held.connections[1]?.remembered.map(({ text }) => text)).toEqual(expect.arrayContaining([GREETING, 'For how many?']));
    expect(held.events.some(({ type }) => type === 'vendor-failed')).toBe(false);
  });
});
