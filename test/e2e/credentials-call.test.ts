import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { parseCallerScript } from '../../src/simulator/caller-script.js';
import { placeCall } from '../../src/simulator/place-call.js';
import { createSimulatedSpeech } from '../../src/simulator/simulated-speech.js';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { waitUntil } from '../support/wait-for.js';
import { startWebhookReceiver, type ReceivedMessage, type WebhookReceiver } from '../support/webhook-receiver.js';
import { edge, node } from '../support/workflow-call.js';

let receiver: WebhookReceiver;
let server: CallServer;
beforeAll(async () => {
  receiver = await startWebhookReceiver();
  server = await startCallServer({ env: { AGENT_STREAM_ALLOW_PRIVATE_NETWORKS: 'true' } });
}, 60_000);
afterAll(async () => {
  await server.stop();
  await receiver.close();
});

const secrets = { client: 'canary-client-secret-1', password: 'canary-password-2', token: 'canary-token-3' };
const basic = Buffer.from(`desk:${secrets.password}`).toString('base64');

async function create(path: string, body: object): Promise<string> {
  const { status, json } = await server.request('POST', `/api/v1/${path}`, body);
  expect([status, json['errors']]).toEqual([201, undefined]);
  return String(json['uuid']);
}

/** Every server the agent asks answers with the secret it was sent. */
function echoSecrets(): void {
  const answers: Readonly<Record<string, (message: ReceivedMessage) => string>> = {
    '/who': ({ headers }) => JSON.stringify({ name: 'Ada', echo: headers['x-secret'] }),
    '/free': ({ headers }) => JSON.stringify({ free: 'Tuesday at ten', echo: headers['authorization'] }),
    '/crm': ({ headers }) => `you sent ${headers['authorization'] ?? 'nothing'}`,
  };
  receiver.answer((message, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end(answers[message.path]?.(message)));
}

/** An agent with a stored tool, made over REST alone, that asks before the call, during it and after it. */
async function createAgent(): Promise<string> {
  const settings = { models: { stt: { vendor: 'builtin' }, llm: { vendor: 'builtin' }, tts: { vendor: 'builtin' } }, recording: { enabled: false } };
  const before = await create('credentials', { name: 'Directory', credential: { type: 'custom_headers', headers: { 'X-Client': 'desk', 'X-Secret': secrets.client } } });
  const during = await create('credentials', { name: 'Calendar', credential: { type: 'basic', username: 'desk', password: secrets.password } });
  const after = await create('credentials', { name: 'CRM', credential: { type: 'bearer', token: secrets.token } });
  const tool = await create('tools', {
    name: 'Find free appointments',
    description: 'Looks up the free appointments in the calendar.',
    kind: 'http_api',
    config: { url: `${receiver.url}/free` },
    credential_uuid: during,
  });
  const asking = { pre_call_fetch_mode: 'always', pre_call_fetch_url: `${receiver.url}/who`, pre_call_fetch_credential_uuid: before };
  return create('agents', {
    name: 'Appointments',
    settings,
    workflow_definition: {
      nodes: [
        node('start', 'startCall', { greeting: 'Hello {{name}}.', prompt: 'Say what the calendar says.', tool_uuids: [tool], ...asking }),
        node('end', 'endCall', { prompt: 'Say "See you soon. Goodbye."' }),
        { id: 'crm', type: 'webhook', data: { name: 'CRM', endpoint_url: `${receiver.url}/crm`, credential_uuid: after } },
      ],
      edges: [edge('start', 'end', { label: 'End', condition: 'The caller says goodbye.' })],
    },
  });
}

/** Every row of the database, secrets that are sealed as bytes. */
async function dumpOf({ database }: CallServer): Promise<string> {
  const client = new pg.Client(database.poolConfig);
  await client.connect();
  const { rows: tables } = await client.query<{ name: string }>(
    `SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) AS name FROM pg_tables WHERE schemaname IN ('public', 'graphile_worker')`,
  );
  const dumps: string[] = [];
  for (const { name } of tables) dumps.push((await client.query<{ text: string }>(`SELECT coalesce(json_agg(t), '[]')::text AS text FROM ${name} t`)).rows[0]?.text ?? '');
  await client.end();
  return dumps.join('\n');
}

it('an agent’s stored credentials are sent before, during and after a call, and stand nowhere else', async () => {
  echoSecrets();
  const uuid = await createAgent();
  const script = ['caller: Please look up the free appointments in the calendar.', 'caller: Thank you, goodbye.', 'listen'].join('\n');
  await placeCall({
    url: server.streamUrl(uuid),
    domain: server.tenant.domain,
    cloudonix: server.cloudonix,
    steps: parseCallerScript(script),
    speech: createSimulatedSpeech(systemClock),
    clock: systemClock,
    maxDurationMs: 40_000,
  });
  const agent = await server.store.agents.get(server.tenant.organizationId, uuid);
  if (agent === null) throw new Error('unreachable');
  const run = await server.endedRun(agent);
  expect(run).toMatchObject({ endReason: 'agent_hangup', initialContext: { name: 'Ada', echo: '****' } });
  const deliveries = async () => (await server.request('GET', `/api/v1/webhook-deliveries?run_id=${run.id}`)).json['items'] as Record<string, unknown>[];
  await waitUntil('the webhook', async () => (await deliveries()).every(({ status }) => status === 'delivered'));
  expect(await deliveries()).toMatchObject([{ event_type: 'workflow.webhook', response_body: 'you sent Bearer ****' }]);

  const sent = new Map(receiver.received.map(({ path, headers }) => [path, headers]));
  expect([...sent.keys()]).toEqual(['/who', '/free', '/crm']);
  expect(sent.get('/who')).toMatchObject({ 'x-client': 'desk', 'x-secret': secrets.client });
  expect(sent.get('/free')).toMatchObject({ authorization: `Basic ${basic}` });
  expect(sent.get('/crm')).toMatchObject({ authorization: `Bearer ${secrets.token}` });

  const events = await server.eventsOf(run);
  const said = events.flatMap(({ type, data }) => (type === 'agent-said' ? [String(data['text'])] : []));
  expect(said[0]).toBe('Hello Ada.');
  expect(said.join(' ')).toContain('Tuesday at ten');
  expect(events.filter(({ type }) => type === 'tool-finished').map(({ data }) => data)).toMatchObject([{ name: 'find_free_appointments', ok: true, result: expect.stringContaining('"Basic ****"') as string }]);

  const paths = ['credentials', 'tools', `agents/${uuid}`, `agents/${uuid}/export`, `agents/${uuid}/versions`, `runs/${run.id}`, `runs/${run.id}/events`, `runs/${run.id}/transcript`];
  const answers = await Promise.all(paths.map(async (path) => server.request('GET', `/api/v1/${path}`)));
  expect(answers.map(({ status }) => status)).toEqual(paths.map(() => 200));
  const places = { answers: JSON.stringify(answers.map(({ json }) => json)), logs: server.logLines.join('\n'), database: await dumpOf(server) };
  expect(places.database).toContain('Find free appointments');
  for (const [place, text] of Object.entries(places)) for (const secret of [...Object.values(secrets), basic]) expect([place, text.includes(secret)]).toEqual([place, false]);
}, 60_000);
