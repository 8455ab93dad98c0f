import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { parseCallerScript } from '../../src/simulator/caller-script.js';
import { placeCall } from '../../src/simulator/place-call.js';
import { createSimulatedSpeech } from '../../src/simulator/simulated-speech.js';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { hearBuiltinVoice, speakBuiltinVoice } from '../support/fakes/builtin-voice.js';
import { startFakeUltravox, type FakeUltravox, type UltravoxScript } from '../support/fakes/ultravox.js';
import { edge, node } from '../support/workflow-call.js';

/** A whole call with Ultravox: the server as it runs, a simulated carrier and caller, and a fake that speaks the vendor's protocol. */
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
let scripts: readonly UltravoxScript[] = [
  { calls: [{ name: 'go_to_booking' }] },
  { text: BOOKED },
  { text: 'At eight then.' },
  { calls: [{ name: 'go_to_end' }] },
  { text: 'Goodbye and see you tomorrow.' },
];

let server: CallServer;
let fake: FakeUltravox;
beforeAll(async () => {
  fake = await startFakeUltravox({
    apiKey: 'ultravox-key',
    transcribe: hearBuiltinVoice,
    render: speakBuiltinVoice,
    firstByteMs: 250,
    respond() {
      const [next, ...rest] = scripts;
      scripts = rest;
      return next ?? { text: 'I see.' };
    },
  });
  server = await startCallServer({ env: { ULTRAVOX_API_KEY: 'ultravox-key', ULTRAVOX_BASE_URL: fake.httpUrl } });
});
afterAll(async () => {
  await server.stop();
  await fake.close();
});

it('greets, follows the workflow’s edges stage by stage, is interrupted, and hangs up after its last words', async () => {
  const tenant = await server.createTenant();
  const agent = await server.createAgent({ tenant, workflow, settings: { models: { realtime: { vendor: 'ultravox' }, llm: { vendor: 'builtin' } } } });
  const call = await placeCall({
    url: server.streamUrl(agent.uuid),
    domain: tenant.domain,
    cloudonix: server.cloudonix,
    steps: parseCallerScript('caller: I would like to book a table.\ninterrupt 2000: Wait, make it eight please.\nlisten\ncaller: That is all.\nlisten'),
    speech: createSimulatedSpeech(systemClock),
    clock: systemClock,
  });
  const run = await server.endedRun(agent);
  const events = await server.eventsOf(run);
  const transcript = events.flatMap(({ type, data }) =>
    type === 'caller-said' || type === 'agent-said' ? [`${type === 'caller-said' ? 'caller' : 'agent'}: ${String(data['text'])}`] : [],
  );
  expect(transcript).toEqual([
    `agent: ${GREETING}`,
    'caller: I would like to book a table.',
    expect.stringMatching(/^agent: Your table is booked/),
    'caller: Wait, make it eight please.',
    'agent: At eight then.',
    'caller: That is all.',
    'agent: Goodbye and see you tomorrow.',
  ]);
  expect(call.problems).toEqual([]);
  expect(run).toMatchObject({ state: 'completed', endReason: 'agent_hangup' });
  expect(events.filter(({ type }) => type === 'node-entered').map(({ data }) => data['node_id'])).toEqual(['start', 'booking', 'end']);

  const [connection] = fake.connections;
  expect(fake.connections).toHaveLength(1);
  expect(connection?.problems).toEqual([]);
  // The vendor cut its own memory where the caller interrupted it.
  const cut = connection?.remembered.find(({ text }) => text === BOOKED);
  expect(cut?.audioMs).toBeLessThan((await speakBuiltinVoice(BOOKED)).length / 8);
  // One stage per node, each with its prompt, and no more.
  expect(connection?.stages.map(({ systemPrompt }) => /Find out|Book a table|Say goodbye/.exec(String(systemPrompt))?.[0])).toEqual(['Find out', 'Book a table', 'Say goodbye']);
  expect(connection?.messages.at(-1)).toEqual({ type: 'hang_up' });
});
