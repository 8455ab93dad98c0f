import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { parseCallerScript } from '../../src/simulator/caller-script.js';
import { placeCall } from '../../src/simulator/place-call.js';
import { createSimulatedSpeech } from '../../src/simulator/simulated-speech.js';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { hearBuiltinVoice, speakBuiltinVoice } from '../support/fakes/builtin-voice.js';
import { startFakeGeminiLive, type FakeGeminiLive, type LiveScript } from '../support/fakes/gemini-live.js';
import { edge, node } from '../support/workflow-call.js';

/**
 * Whole calls with Gemini Live: the server as it runs, a simulated carrier and caller, and a fake that speaks the vendor's protocol. The
 * builtin voice is what caller and agent are made of, so that words are heard.
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
let fake: FakeGeminiLive;
let scripts: readonly LiveScript[] = [];

beforeAll(async () => {
  fake = await startFakeGeminiLive({
    apiKey: 'live-key',
    // Speech that is not complete yet has no words.
    transcribe: (audio) => hearBuiltinVoice(audio).replace('[unintelligible speech]', ''),
    render: speakBuiltinVoice,
    firstByteMs: 200,
    respond() {
      const [next, ...rest] = scripts;
      scripts = rest;
      return next ?? { text: 'I see.' };
    },
  });
  server = await startCallServer({ env: { GOOGLE_GENERATIVE_AI_API_KEY: 'live-key', GOOGLE_GEMINI_BASE_URL: fake.httpUrl } });
});
afterAll(async () => {
  await server.stop();
  await fake.close();
});

async function hold(script: string, answers: readonly LiveScript[]) {
  scripts = answers;
  const connectionsBefore = fake.connections.length;
  const tenant = await server.createTenant();
  const agent = await server.createAgent({ tenant, workflow, settings: { models: { realtime: { vendor: 'google' }, llm: { vendor: 'builtin' } } } });
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

describe('a call with Gemini Live', () => {
  it('greets, follows the workflow’s edges, is interrupted, and hangs up after its last words', async () => {
    const held = await hold('caller: I would like to book a table.\ninterrupt 2000: Wait, make it eight please.\nlisten\ncaller: That is all.\nlisten', [
      { calls: [{ name: 'go_to_booking' }] },
      { text: BOOKED },
      { text: 'At eight then.' },
      { calls: [{ name: 'go_to_end' }] },
      { text: 'Goodbye and see you tomorrow.' },
    ]);
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
