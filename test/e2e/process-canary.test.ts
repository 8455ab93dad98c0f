import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { startFakeCloudonix, type FakeCloudonix } from '../../src/simulator/fake-cloudonix.js';
import { speakBuiltinVoice } from '../support/fakes/builtin-voice.js';
import { startFakeCartesia, type FakeCartesia } from '../support/fakes/cartesia.js';
import { startFakeDeepgram, type FakeDeepgram } from '../support/fakes/deepgram.js';
import { startFakeOpenai, type FakeOpenai, type OpenaiFault } from '../support/fakes/openai.js';
import { createAgent, hasEnded, runsOf, send, startCall, streamUrl, transcriptOf, waitForRun } from '../support/installation.js';
import { buildProgram, createDataDir, disposeProcesses, startServerProcess, type ServerProcess } from '../support/server-process.js';
import { waitUntil } from '../support/wait-for.js';

/** What must not leave the database, the API answers of its owner, and the provider or vendor it is meant for. */
const secrets = {
  apiKey: `as-canary-${randomBytes(12).toString('hex')}`,
  wrongApiKey: `as-wrong-${randomBytes(12).toString('hex')}`,
  bearerToken: `XIcanary${randomBytes(12).toString('hex')}`,
  deepgramKey: `dg-canary-${randomBytes(12).toString('hex')}`,
  openaiKey: `sk-canary-${randomBytes(12).toString('hex')}`,
  cartesiaKey: `ca-canary-${randomBytes(12).toString('hex')}`,
  wrongToken: randomBytes(24).toString('base64url'),
};
const domain = 'canary-domain.cloudonix.net';
const numbers = { from: '+447700900461', to: '+447700900872' };
const sessions = { good: `canary-${randomBytes(9).toString('hex')}`, unknown: `canary-${randomBytes(9).toString('hex')}`, failing: `canary-${randomBytes(9).toString('hex')}` };
const words = { caller: 'zanzibar', agent: 'ultramarine', operator: 'saxifrage' };
const agentText = `The answer is ${words.agent}.`;

let cloudonix: FakeCloudonix;
let deepgram: FakeDeepgram;
let openai: FakeOpenai;
let cartesia: FakeCartesia;
let openaiFault: OpenaiFault | undefined;
let server: ServerProcess;
let agentUuid: string;
let streamToken: string;
/** Everything others than the owner were answered. */
const strangersAnswers: string[] = [];

beforeAll(async () => {
  await buildProgram();
  cloudonix = await startFakeCloudonix({ domains: { [domain]: { bearerToken: secrets.bearerToken } } });
  deepgram = await startFakeDeepgram({ apiKey: secrets.deepgramKey, script: () => `tell me about ${words.caller}` });
  openai = await startFakeOpenai({ apiKey: secrets.openaiKey, reply: () => ({ text: agentText }), fault: () => openaiFault });
  cartesia = await startFakeCartesia({ apiKey: secrets.cartesiaKey, render: speakBuiltinVoice });
  server = await startServerProcess({
    dataDir: await createDataDir(),
    env: {
      LOG_LEVEL: 'trace',
      AGENT_STREAM_BOOTSTRAP_API_KEY: secrets.apiKey,
      CLOUDONIX_API_BASE_URL: cloudonix.baseUrl,
      DEEPGRAM_BASE_URL: deepgram.wsUrl,
      OPENAI_BASE_URL: openai.httpUrl,
      CARTESIA_BASE_URL: cartesia.wsUrl,
      OPENAI_API_KEY: secrets.openaiKey,
      CARTESIA_API_KEY: secrets.cartesiaKey,
    },
  });
}, 120_000);
afterAll(async () => {
  await disposeProcesses();
  await Promise.all([cloudonix, deepgram, openai, cartesia].map((fake) => fake.close()));
});

/** A request of the owner. */
const ask = (method: string, path: string, body?: unknown) => send(server.url, method, `/api/v1${path}`, { key: secrets.apiKey, body });

/** A request of somebody else; what is answered is kept. */
async function askAsStranger(method: string, path: string, options: { body?: unknown; key?: string | null } = {}): Promise<number> {
  const answer = await send(server.url, method, path, { key: null, ...options });
  strangersAnswers.push(answer.text, JSON.stringify([...answer.headers]));
  return answer.status;
}

/** Opens a stream that will be refused, sends `messages`, and keeps how it ended. */
async function refusedStream(url: string, messages: readonly unknown[] = []): Promise<string> {
  const socket = new WebSocket(url);
  const ending = await new Promise<string>((resolve) => {
    socket.on('open', () => messages.forEach((message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message))));
    socket.on('close', (code, reason) => resolve(`${code} ${reason.toString()}`));
    socket.on('error', () => undefined);
    socket.on('unexpected-response', (_request, response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('end', () => resolve(`${response.statusCode} ${JSON.stringify(response.headers)} ${body}`));
    });
  });
  strangersAnswers.push(ending);
  return ending;
}

const tokenUrl = () => `${streamUrl(server.url, agentUuid)}/${streamToken}`;
const connected = { event: 'connected', protocol: 'Call', version: '1.0.0' };
const startOf = (session: string, accountSid = domain) => ({
  event: 'start',
  streamSid: `ST-${session}`,
  start: { streamSid: `ST-${session}`, session, callSid: `${session}@192.0.2.9`, accountSid, ...numbers, tracks: ['inbound'], customParameters: { note: words.caller } },
});

async function setUp(): Promise<void> {
  const credentials = { domain_id: domain, bearer_token: secrets.bearerToken };
  expect((await ask('POST', '/telephony-configs', { name: 'Canary', provider: 'cloudonix', credentials })).status).toBe(201);
  expect((await ask('POST', '/vendor-credentials', { vendor: 'deepgram', name: 'Canary', api_key: secrets.deepgramKey })).status).toBe(201);
  const models = { stt: { vendor: 'deepgram' }, llm: { vendor: 'openai' }, tts: { vendor: 'cartesia' } };
  agentUuid = await createAgent(server.url, { models, max_user_idle_timeout: 60, recording: { enabled: true } }, undefined, secrets.apiKey);
  streamToken = String((await ask('POST', `/agents/${agentUuid}/stream-token`, {})).json['stream_token']);
  expect(streamToken.length).toBeGreaterThan(20);
}

describe('secrets, numbers and words', () => {
  it('pass through whole calls, failing ones and refused ones', async () => {
    await setUp();
    const script = `caller: Tell me about ${words.caller}\nlisten\ndtmf: 42\nwait: 30s`;
    const call = startCall(server.url, agentUuid, script, { cloudonix, url: `${tokenUrl()}?note=${words.caller}`, domain, session: sessions.good, ...numbers });
    const run = await waitForRun(server.url, agentUuid, ({ state }) => state === 'running', secrets.apiKey);
    const lines = async () => (await transcriptOf(server.url, run.id, secrets.apiKey)).map(({ text }) => text.toLowerCase()).join(' | ');
    await waitUntil('an answer', async () => new RegExp(`${words.caller}.*${words.agent}`).test(await lines()), 40_000);
    expect((await ask('POST', `/runs/${run.id}/say`, { text: `And now ${words.operator}.` })).status).toBe(202);
    await waitUntil('the operator’s words', async () => (await lines()).includes(words.operator));
    openaiFault = { kind: 'http', status: 500 };
    call.hangUp();
    await call.ended;

    // A vendor that fails in the call, and a session that fails at the provider.
    const failing = startCall(server.url, agentUuid, `caller: Tell me about ${words.caller}\nwait: 3s`, { cloudonix, url: tokenUrl(), domain, session: sessions.failing, ...numbers });
    await failing.ended;
    cloudonix.setBehaviour('get-session', [{ type: 'status', status: 500, body: secrets.bearerToken }], { forever: true });
    expect(await refusedStream(tokenUrl(), [connected, startOf(sessions.good)])).toMatch(/^4400 /);
    cloudonix.setBehaviour('get-session', []);
    expect(await refusedStream(tokenUrl(), [connected, startOf(sessions.unknown)])).toMatch(/^4400 /);
    expect(await refusedStream(tokenUrl(), [connected, startOf(sessions.good, `${words.caller}.cloudonix.net`)])).toMatch(/^4400 /);
    expect(await refusedStream(tokenUrl(), [startOf(sessions.good)])).toMatch(/^4400 /);
    expect(await refusedStream(tokenUrl(), [`{"event":"connected","token":"${streamToken}`])).toMatch(/^(4400|1007) /);
    expect(await refusedStream(`${streamUrl(server.url, agentUuid)}/${secrets.wrongToken}`)).toBe('1008 Agent not found');
    expect(await refusedStream(`${streamUrl(server.url, agentUuid)}`)).toBe('1008 Agent not found');
    expect(await refusedStream(`${server.url.replace('http', 'ws')}/api/v1/agent-stream/${words.caller}/${agentUuid}/${streamToken}`)).toMatch(/^1008 /);
    expect(await refusedStream(`${server.url.replace('http', 'ws')}/api/v2/agent-stream/cloudonix/${agentUuid}/${streamToken}`)).toMatch(/^404 /);
    await waitUntil('the end of all runs', async () => (await runsOf(server.url, agentUuid, secrets.apiKey)).every(hasEnded), 30_000);
    const reasons = (await runsOf(server.url, agentUuid, secrets.apiKey)).map(({ end_reason: endReason }) => endReason);
    expect(reasons.filter((reason) => reason === 'handshake_error').length).toBeGreaterThanOrEqual(4);
    expect(reasons).toContain('caller_hangup');
  }, 120_000);

  it('are answered to nobody but their owner', async () => {
    const [run] = await runsOf(server.url, agentUuid, secrets.apiKey);
    for (const key of [null, secrets.wrongApiKey, `${secrets.apiKey}x`]) {
      for (const path of [`/agents/${agentUuid}`, `/agents/${agentUuid}/stream-url`, `/runs/${run?.id}`, `/runs?q=${encodeURIComponent(numbers.from)}`, '/telephony-configs', '/vendor-credentials', '/api-keys']) {
        expect(await askAsStranger('GET', `/api/v1${path}`, { key })).toBe(401);
      }
    }
    expect(await askAsStranger('GET', `/${agentUuid}/${streamToken}?key=${secrets.apiKey}`)).toBe(404);
    expect(await askAsStranger('POST', '/api/v1/setup', { body: { token: secrets.wrongToken, organization_name: 'x', email: 'x@example.com' } })).toBe(401);
    expect(await askAsStranger('POST', '/api/v1/setup', { body: `{"token":"${secrets.wrongToken}` })).toBe(400);
    expect(await askAsStranger('POST', `/api/v1/telephony-callbacks/cloudonix/${agentUuid}`, { body: { session: sessions.good, apiKey: secrets.wrongApiKey } })).toBeGreaterThanOrEqual(400);
    expect(await askAsStranger('GET', '/metrics')).toBe(200);
    expect(await askAsStranger('GET', '/readyz')).toBe(200);
    expect(await askAsStranger('GET', '/api/v1/openapi.json')).toBe(200);
  });

  it('are not echoed by problems, even to their owner', async () => {
    const bad = [
      await ask('POST', '/telephony-configs', { name: 'Again', provider: 'cloudonix', credentials: { domain_id: domain, bearer_token: secrets.bearerToken } }),
      await ask('POST', '/telephony-configs', { name: 'Bad', provider: 'cloudonix', credentials: { domain_id: 7, bearer_token: secrets.bearerToken, extra: secrets.bearerToken } }),
      await ask('POST', '/vendor-credentials', { vendor: 'nobody', name: 'x', api_key: secrets.deepgramKey }),
      await ask('POST', '/vendor-credentials', { vendor: 'deepgram', name: 'x', api_key: `${secrets.deepgramKey} with a space` }),
      await ask('POST', '/vendor-credentials', `{"api_key":"${secrets.deepgramKey}"`),
    ];
    for (const { status, text } of bad) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
      for (const secret of Object.values(secrets)) expect(text).not.toContain(secret);
    }
    const listed = `${(await ask('GET', '/telephony-configs')).text}${(await ask('GET', '/vendor-credentials')).text}${(await ask('GET', '/api-keys')).text}`;
    for (const secret of Object.values(secrets)) expect(listed).not.toContain(secret);
  });

  it('are not in clear in the database where they are credentials', async () => {
    const client = new pg.Client({ host: join(server.dataDir, 'postgres'), user: 'postgres', database: 'postgres' });
    await client.connect();
    const tables = await client.query<{ name: string }>(`SELECT quote_ident(table_name) AS name FROM information_schema.tables WHERE table_schema = 'public'`);
    expect(tables.rows.length).toBeGreaterThan(8);
    const dump: string[] = [];
    for (const { name } of tables.rows) dump.push(...(await client.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`)).rows.map(({ row }) => row));
    await client.end();
    const text = dump.join('\n');
    // What the dump must hold, or it proves nothing: the agent, the numbers, the words, and something sealed.
    for (const known of [agentUuid, numbers.from, words.caller, words.agent, words.operator, '\\x01']) expect(text).toContain(known);
    for (const secret of [secrets.apiKey, secrets.bearerToken, secrets.deepgramKey, secrets.openaiKey, secrets.cartesiaKey, streamToken]) {
      for (const form of [secret, Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('base64').replace(/=+$/, '')]) expect(text).not.toContain(form);
    }
  });

  it('are in no log, file, metric or answer', async () => {
    const setupKeys = Object.values(secrets);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    const { stdout, stderr } = server.output();
    const sinks = new Map([['stdout', stdout], ['stderr', stderr], ['answers of strangers', strangersAnswers.join('\n')], ...(await readSideFiles(server.dataDir))]);
    // The log is there, and says what happened.
    expect(stdout).toContain('A run ended');
    expect(stdout).toContain('"msg":"Request"');
    expect([...sinks.keys()].filter((name) => /postgres\/log\/.*\.log$/.test(name))).not.toEqual([]);
    const canaries = [
      ...setupKeys,
      ...[agentUuid, agentUuid.toUpperCase(), agentUuid.replaceAll('-', ''), streamToken],
      ...Object.values(sessions),
      ...Object.values(numbers).flatMap((number) => [number, number.slice(1), encodeURIComponent(number)]),
      ...Object.values(words),
    ];
    for (const [name, text] of sinks) {
      for (const canary of canaries) {
        expect(text.toLowerCase().includes(canary.toLowerCase()) ? `${name}: ${contextOf(text, canary)}` : null).toBeNull();
      }
    }
  });
});

/** Where a canary sings. */
function contextOf(text: string, canary: string): string {
  const index = text.toLowerCase().indexOf(canary.toLowerCase());
  return text.slice(Math.max(0, index - 200), index + canary.length + 100);
}

/** The database's own files hold what the database holds; recordings hold what was said. */
const mayHoldAll = /^(recordings|postgres\/(base|global|pg_(?!hba|ident)[a-z_]+))\//;

async function readSideFiles(dataDir: string): Promise<[string, string][]> {
  const entries = await readdir(dataDir, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => relative(dataDir, join(entry.parentPath, entry.name)));
  const recorded = paths.filter((path) => path.startsWith('recordings/'));
  expect(recorded).not.toEqual([]);
  const names = paths.filter((path) => !mayHoldAll.test(path));
  return [
    ['names of files', names.join('\n')],
    ...(await Promise.all(names.map(async (path) => [path, (await readFile(join(dataDir, path))).toString('latin1')] as [string, string]))),
  ];
}
