import { systemClock } from '../../src/base/clock.js';
import type { ErrorCode } from '../../src/base/errors.js';
import { renderSpeech } from '../../src/simulator/speech-clip.js';
import { createSimulatedSpeech } from '../../src/simulator/simulated-speech.js';
import { startFakeDeepgram } from '../support/fakes/deepgram.js';
import { startCallServer } from '../support/call-server.js';
import { openCarrier, placeStream, startMessage, stop, type Closing, type StreamCarrier } from '../support/stream-carrier.js';
import { waitUntil } from '../support/wait-for.js';
import { answered, endedCase, type CloseCase, type CloseStage } from './stream-close-cases.js';

/** An answered call whose carrier then breaks the protocol. */
const breaking = (error: ErrorCode, when: string, close: Closing, misbehave: (carrier: StreamCarrier, stage: CloseStage) => void): CloseCase =>
  endedCase(error, when, close, 'provider_error', async (stage) => {
    const carrier = await answered(stage);
    misbehave(carrier, stage);
    return carrier;
  });

const times = (count: number, act: () => void) => {
  for (let index = 0; index < count; index += 1) act();
};

const breaches: readonly CloseCase[] = [
  breaking('wrong-frame-type', 'in a call', { code: 1003, reason: 'Binary frame on a text protocol' }, ({ socket }) => socket.send(Buffer.alloc(160), { binary: true })),
  breaking('invalid-utf8', 'in a call', { code: 1007, reason: 'Invalid UTF-8' }, (carrier) => carrier.send(Buffer.from([0xc3, 0x28]))),
  breaking('frame-too-large', 'in a call', { code: 1009, reason: 'Frame too large' }, (carrier) => carrier.send('x'.repeat(65_537))),
  breaking('stream-flood', 'messages', { code: 4429, reason: 'Too many messages' }, (carrier) => times(1000, () => carrier.send({ event: 'mark', mark: { name: 'm' } }))),
  breaking('stream-flood', 'bytes', { code: 4429, reason: 'Too many messages' }, (carrier) => times(40, () => carrier.send(`"${'x'.repeat(60_000)}"`))),
  breaking('too-many-malformed-messages', 'within a minute', { code: 4400, reason: 'Too many malformed messages' }, (carrier) => times(101, () => carrier.send('{'))),
  breaking('duplicate-start', 'with another session', { code: 4400, reason: 'Second start with other identifiers' }, (carrier, { tenant }) =>
    carrier.send(startMessage('another-session', tenant.domain)),
  ),
];

const ends: readonly CloseCase[] = [
  endedCase(null, 'the caller hangs up: stop', { code: 1000, reason: 'Stream stopped' }, 'caller_hangup', async (stage) => {
    const carrier = await answered(stage);
    carrier.send(stop);
    return carrier;
  }),
  endedCase(null, 'the carrier closes without stop', { code: 1000, reason: 'bye' }, 'caller_hangup', async (stage) => {
    const carrier = await answered(stage);
    carrier.socket.close(1000, 'bye');
    return carrier;
  }),
  endedCase(null, 'the connection is lost', { code: 1006, reason: '' }, 'caller_hangup', async (stage) => {
    const carrier = await answered(stage);
    carrier.socket.terminate();
    return carrier;
  }),
  endedCase(null, 'the operator hangs up', { code: 1000, reason: 'Call ended' }, 'operator_hangup', async (stage) => {
    const carrier = await answered(stage);
    const run = await stage.server.waitForRun(stage.agent, ({ state }) => state === 'running');
    await stage.server.node.directory.control(run.id, { type: 'hangup' }, AbortSignal.timeout(5000));
    return carrier;
  }),
  endedCase(null, 'the agent hangs up', { code: 1000, reason: 'Call ended' }, 'agent_hangup', async (stage) => {
    const carrier = await answered(stage);
    carrier.talk();
    const { voice } = createSimulatedSpeech(systemClock);
    carrier.say(await renderSpeech(voice, 'Thank you, goodbye.', systemClock));
    return carrier;
  }),
];

const goingAwayClose = { code: 1001, reason: 'Server is going away' };

/** Stops a node of its own, on the same database and Cloudonix, once the carrier is where `play` leaves it. */
const whileStopping = (when: string, play: (url: string, stage: CloseStage) => Promise<StreamCarrier>): CloseCase =>
  endedCase('server-going-away', when, goingAwayClose, 'drained', async (stage) => {
    const { server, agent } = stage;
    const leaving = await startCallServer({ database: server.database, env: { CLOUDONIX_API_BASE_URL: server.cloudonix.baseUrl } });
    const carrier = await play(leaving.streamUrl(agent.uuid), stage);
    await server.waitForRun(agent, () => true);
    await leaving.stop();
    return carrier;
  });

const goingAway: readonly CloseCase[] = [
  whileStopping('the drain deadline passes', async (url, { server, tenant }) => {
    const carrier = await placeStream(server, url, { tenant });
    await carrier.heard();
    return carrier;
  }),
  whileStopping('in the handshake', (url) => openCarrier(url)),
  whileStopping('while the session is validated', async (url, { server, tenant }) => {
    server.cloudonix.setBehaviour('get-session', [{ type: 'hang' }], { forever: true });
    const asked = server.cloudonix.requests.length;
    const carrier = await placeStream(server, url, { tenant });
    await waitUntil('Cloudonix to be asked', () => server.cloudonix.requests.length > asked);
    return carrier;
  }),
];

const vendors: readonly CloseCase[] = [
  endedCase(
    'vendor-failed',
    'the recogniser refuses the key',
    { code: 1011, reason: 'Speech or language vendor failed' },
    'vendor_error',
    async ({ server, agent, tenant }) => {
      const deepgram = await startFakeDeepgram({ apiKey: 'the-right-key' });
      const env = { DEEPGRAM_API_KEY: 'a-wrong-key', DEEPGRAM_BASE_URL: deepgram.httpUrl, CLOUDONIX_API_BASE_URL: server.cloudonix.baseUrl };
      const listening = await startCallServer({ database: server.database, env });
      try {
        const carrier = await placeStream(server, listening.streamUrl(agent.uuid), { tenant });
        await carrier.closed;
        return carrier;
      } finally {
        await listening.stop();
        await deepgram.close();
      }
    },
    { agent: { settings: { models: { stt: { vendor: 'deepgram' }, llm: { vendor: 'builtin' }, tts: { vendor: 'builtin' } } } } },
  ),
];

/** Streams whose call was answered. */
export const callCases: readonly CloseCase[] = [...breaches, ...ends, ...goingAway, ...vendors];
