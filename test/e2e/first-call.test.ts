import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { parseCallerScript } from '../../src/simulator/caller-script.js';
import { startFakeCloudonix, type FakeCloudonix } from '../../src/simulator/fake-cloudonix.js';
import { placeCall, type PlacedCall } from '../../src/simulator/place-call.js';
import { createSimulatedSpeech } from '../../src/simulator/simulated-speech.js';
import { freePort, runCommand, startCommand, untilPrinted, type CommandRun } from '../support/cli.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { hearBuiltinVoice, speakBuiltinVoice } from '../support/fakes/builtin-voice.js';
import { startFakeCartesia, type FakeCartesia } from '../support/fakes/cartesia.js';
import { startFakeDeepgram, type FakeDeepgram } from '../support/fakes/deepgram.js';
import { startFakeOpenai, type ChatRequest, type FakeOpenai, type OpenaiFault, type ScriptedReply } from '../support/fakes/openai.js';

/**
 * README.md, "The first real phone call", as it is written: its commands are read out of the file and run, with fakes that speak the
 * protocols of Cloudonix and of the three vendors. The builtin voice is what caller and agent are made of, so that words are heard.
 */
const domain = 'acme.cloudonix.net';
const bearerToken = 'XI0123456789abcdef';
const bootstrapKey = 'b'.repeat(64);
const keys = { DEEPGRAM_API_KEY: 'deepgram-key', OPENAI_API_KEY: 'openai-key', CARTESIA_API_KEY: 'cartesia-key' };
const question = 'What can you tell me about the weather?';
const answer = 'The weather is sunny today.';

let readme: string;
let database: TestDatabase;
let dataDir: string;
let env: Record<string, string>;
let deepgram: FakeDeepgram;
let openai: FakeOpenai;
let cartesia: FakeCartesia;
let cloudonix: FakeCloudonix;
let server: CommandRun;
let url: string;
/** What the model’s next requests meet. */
let modelFault: OpenaiFault | undefined;

const run = (...argv: string[]) => runCommand(env, ...argv);

/** The arguments of a command of the README that begins with `begin`; words in capitals are filled in. */
function readmeCommand(begin: string, values: Readonly<Record<string, string>> = {}): string[] {
  const line = readme.split('\n').find((candidate) => candidate.trim().startsWith(`npx agent-stream ${begin}`));
  if (line === undefined) throw new Error(`The README’s chapter has no command that begins with: ${begin}`);
  const words = line.trim().split(' ').slice(2);
  return words.map((word) => values[word] ?? word);
}

/** What the README's curl posts, with the domain's credential in place of its example. */
async function postAsReadmeSays(): Promise<Response> {
  const curl = /curl -sS (\S+) \\\n\s+-H "Authorization: Bearer \$\(cat data\/(\S+)\)" -H 'Content-Type: (\S+)' \\\n\s+-d '(.*)'/.exec(readme);
  if (curl === null) throw new Error('The README’s request is not written as expected');
  const [, address = '', keyFile = '', contentType = '', body = ''] = curl;
  expect(body).toContain('"XI…"');
  expect(body).toContain(`"${domain}"`);
  const key = (await readFile(join(dataDir, keyFile), 'utf8')).trim();
  return fetch(address.replace('http://127.0.0.1:8080', url), {
    method: 'POST',
    headers: { Authorization: `Bearer ${key}`, 'Content-Type': contentType },
    body: body.replace('XI…', bearerToken),
  });
}

/** The API's answer to the holder of the bootstrap key. */
async function get<T>(path: string): Promise<T> {
  const response = await fetch(`${url}/api/v1${path}`, { headers: { Authorization: `Bearer ${bootstrapKey}` } });
  return (await response.json()) as T;
}

interface Run {
  readonly id: string;
  readonly state: string;
  readonly end_reason: string;
  readonly gathered_context: Readonly<Record<string, unknown>>;
  readonly usage: Readonly<Record<string, number>>;
}

interface RunEvent {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The newest run, once it is over. */
async function newestRun(): Promise<Run> {
  const untilMs = systemClock.nowMs() + 20_000;
  for (;;) {
    const [newest] = (await get<{ items: Run[] }>('/runs?limit=1')).items;
    if (newest !== undefined && ['completed', 'failed'].includes(newest.state)) return newest;
    if (systemClock.nowMs() > untilMs) throw new Error(`the run is ${newest?.state ?? 'not there'}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const eventsOf = async (run: Run) => (await get<{ items: RunEvent[] }>(`/runs/${run.id}/events?limit=200`)).items;

/** A sample of /metrics; 0 where there is none. */
async function metric(sample: string): Promise<number> {
  const lines = (await (await fetch(`${url}/metrics`)).text()).split('\n');
  return Number(lines.find((line) => line.startsWith(`${sample} `))?.slice(sample.length) ?? 0);
}

/** A call with what the caller does, line by line. */
function callThe(address: string, ...script: string[]): Promise<PlacedCall> {
  const steps = parseCallerScript(script.join('\n'));
  return placeCall({ url: address, domain, cloudonix, steps, speech: createSimulatedSpeech(systemClock), clock: systemClock, maxDurationMs: 40_000 });
}

/** The URL of the document's stream, as an XML parser gives it. */
function streamUrlOf(cxml: string): string {
  const attribute = /<Connect>\s*<Stream url="([^"<>]*)"\s*\/>\s*<\/Connect>\s*<Hangup\/>\s*<\/Response>/.exec(cxml)?.[1];
  if (attribute === undefined) throw new Error(`no stream in ${cxml}`);
  expect(attribute).not.toMatch(/&(?!(amp|lt|gt|quot|apos);)/);
  const entities: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'" };
  return attribute.replace(/&(amp|lt|gt|quot|apos);/g, (entity) => entities[entity] ?? entity);
}

/** A model that knows the weather, and that follows its way out when the caller says goodbye. */
function reply({ messages, tools }: ChatRequest): ScriptedReply {
  const last = messages.at(-1);
  if (last?.role === 'user' && /goodbye/i.test(JSON.stringify(last.content))) {
    const name = tools?.[0]?.function.name;
    if (name !== undefined) return { toolCalls: [{ id: 'call-1', name, argumentsJson: '{}' }], finishReason: 'tool_calls' };
  }
  return { text: last?.role === 'user' && /weather/i.test(JSON.stringify(last.content)) ? answer : 'Have a nice day.' };
}

beforeAll(async () => {
  readme = /\n## The first real phone call\n([\s\S]*?)\n## /.exec(await readFile('README.md', 'utf8'))?.[1] ?? '';
  database = await createTestDatabase({ isEmpty: true });
  dataDir = await mkdtemp(join(tmpdir(), 'agent-stream-first-'));
  deepgram = await startFakeDeepgram({ apiKey: keys.DEEPGRAM_API_KEY, transcribe: hearBuiltinVoice });
  openai = await startFakeOpenai({ apiKey: keys.OPENAI_API_KEY, reply, fault: () => modelFault });
  cartesia = await startFakeCartesia({ apiKey: keys.CARTESIA_API_KEY, render: speakBuiltinVoice });
  cloudonix = await startFakeCloudonix({ domains: { [domain]: { bearerToken } } });
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  env = {
    ...keys,
    DEEPGRAM_BASE_URL: deepgram.wsUrl,
    OPENAI_BASE_URL: openai.httpUrl,
    CARTESIA_BASE_URL: cartesia.wsUrl,
    CLOUDONIX_API_BASE_URL: cloudonix.baseUrl,
    PORT: String(port),
    AGENT_STREAM_PUBLIC_URL: url,
    AGENT_STREAM_BOOTSTRAP_API_KEY: bootstrapKey,
    AGENT_STREAM_DATA_DIR: dataDir,
    DATABASE_URL: database.databaseUrl,
    LOG_LEVEL: 'error',
  };
  server = startCommand(env, 'serve');
  await untilPrinted(server, '└─');
});

afterAll(async () => {
  server.interrupt();
  expect(await server.status).toBe(0);
  await Promise.all([deepgram.close(), openai.close(), cartesia.close(), cloudonix.close()]);
  await database.drop();
  await rm(dataDir, { recursive: true, force: true });
});

describe('the first real phone call, as the README tells it', () => {
  let agentUuid: string;
  let streamUrl: string;
  let call: PlacedCall;

  it('starts with three keys, and the banner names who hears, thinks and speaks', async () => {
    expect(server.stdout()).toContain('hearing: deepgram · thinking: openai · speaking: cartesia');
    expect(server.stdout()).toContain('speech-to-speech, for agents that name it: openai\n');
    expect(server.stdout()).not.toContain('simulated');
    expect(server.stdout()).not.toContain('/setup#');
    for (const secret of [bootstrapKey, ...Object.values(keys)]) expect(server.stdout()).not.toContain(secret);
  });

  it('stores the Cloudonix domain with the README’s request and never shows its token', async () => {
    const response = await postAsReadmeSays();
    expect(response.status).toBe(201);
    expect(await response.text()).not.toContain(bearerToken);
  });

  it('takes the bootstrap key as an API key', async () => {
    const response = await fetch(`${url}/api/v1/telephony-configs`, { headers: { Authorization: `Bearer ${bootstrapKey}` } });
    expect(response.status).toBe(200);
    expect(((await response.json()) as { items: { name: string }[] }).items.map(({ name }) => name)).toEqual(['Main']);
  });

  it('creates the agent', async () => {
    const created = await run(...readmeCommand('agents create'));
    expect(created).toMatchObject({ status: 0, stderr: '' });
    agentUuid = created.stdout.trim();
    expect(agentUuid).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('finds nothing missing but a public address', async () => {
    const examined = await run(...readmeCommand('doctor'));
    expect(examined.status).toBe(0);
    expect(examined.stdout).toContain('speech-to-text: Deepgram');
    expect(examined.stdout).toContain('language model: OpenAI or compatible');
    expect(examined.stdout).toContain('text-to-speech: Cartesia');
    expect(examined.stdout).toMatch(/✓ Telephony +cloudonix "Main"/);
    expect(examined.stdout).toMatch(/! Public URL .*reaches this machine only/);
    expect(examined.stdout).not.toContain('✗');
    for (const secret of [bearerToken, bootstrapKey, ...Object.values(keys)]) expect(examined.stdout).not.toContain(secret);
  });

  it('prints a document to paste that is the README’s, but for host and agent', async () => {
    const printed = await run(...readmeCommand('agents stream-url', { AGENT_UUID: agentUuid }));
    expect(printed.status).toBe(0);
    const cxml = printed.stdout.slice(printed.stdout.indexOf('<?xml'));
    const inReadme = /```xml\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    const pasted = inReadme
      .split('\n')
      .map((line) => line.slice(3))
      .join('\n')
      .replace('wss://voice.example.com', url.replace('http', 'ws'))
      .replace('AGENT_UUID', agentUuid);
    expect(cxml.trim()).toBe(pasted.trim());
    streamUrl = streamUrlOf(cxml);
  });

  it('answers the call that Cloudonix streams to exactly that URL', async () => {
    call = await callThe(streamUrl, `caller: ${question}`, 'caller: Goodbye.');
    expect(call.problems).toEqual([]);
    expect(call.stats.violations).toEqual([]);
    expect(call).toMatchObject({ asked: 'hang-up', ending: { type: 'closed', by: 'carrier', code: 1000 } });
    // What was said is in the run's transcript, below; on a machine that is busy the caller's ears may miss a word.
    expect(call.turns.filter((turn) => turn.who === 'agent').length).toBeGreaterThanOrEqual(3);
  });

  it('leaves a complete run: both sides, the vendors, and no simulated one', async () => {
    const finished = await newestRun();
    expect(finished).toMatchObject({ state: 'completed', end_reason: 'agent_hangup', gathered_context: { session: call.session, nodes_visited: ['Reception', 'Goodbye'] } });
    expect(finished.usage).toMatchObject({ caller_turns: 2, agent_replies: 3, model_input_tokens: expect.any(Number) as number });

    const transcript = await get<{ items: { role: string; text: string }[] }>(`/runs/${finished.id}/transcript`);
    expect(transcript.items.map(({ role, text }) => `${role}: ${text}`)).toEqual([
      'agent: Hello, thank you for calling. How can I help you?',
      `caller: ${question}`,
      `agent: ${answer}`,
      'caller: Goodbye.',
      'agent: Have a nice day.',
    ]);

    const events = await eventsOf(finished);
    const models = events.find(({ type }) => type === 'call-answered')?.data['models'];
    const chosen = (vendor: string) => expect.objectContaining({ vendor, reason: 'environment', is_simulated: false }) as unknown;
    expect(models).toEqual({ stt: chosen('deepgram'), llm: chosen('openai'), tts: chosen('cartesia') });
    expect(events.map(({ type }) => type)).not.toContain('vendor-failed');

    expect(deepgram.connections.map(({ headers }) => headers.authorization)).toEqual([`Token ${keys.DEEPGRAM_API_KEY}`]);
    expect(openai.requests.map(({ outcome }) => outcome)).not.toContain('aborted');
    expect(openai.requests.length).toBeGreaterThanOrEqual(2);
  });

  it('is watched with the README’s commands', async () => {
    const list = await run('runs', 'list');
    const name = /WR-AGS-\d{8}/.exec(list.stdout)?.[0] ?? '';
    const tailed = await run(...readmeCommand('runs tail'));
    expect(tailed).toMatchObject({ status: 0 });
    expect(tailed.stdout).toContain(`text=${answer}`);
    expect(tailed.stderr).toContain('completed: agent_hangup');
    const shown = await run(...readmeCommand('runs show', { 'WR-AGS-00000001': name }));
    expect(shown.status).toBe(0);
    expect(shown.stdout).toContain(answer);
    expect(shown.stdout).toContain('completed (agent_hangup)');
  });

  it('shows in /metrics how it went', async () => {
    expect(await metric('agent_stream_calls_total{provider="cloudonix",outcome="agent_hangup"}')).toBe(1);
    expect(await metric('agent_stream_turn_gap_seconds_count')).toBe(2);
    // About 10 s of speech at 50 frames a second, one of 50 sampled.
    expect(await metric('agent_stream_media_pacing_seconds_count')).toBeGreaterThanOrEqual(3);
    expect(await metric('agent_stream_calls_active')).toBe(0);
  });

  it('goes on, says so and counts it where a vendor fails', async () => {
    modelFault = { kind: 'http', status: 401 };
    await callThe(streamUrl, `caller: ${question}`, 'listen', 'hangup');
    const failed = await newestRun();
    expect(failed).toMatchObject({ state: 'completed', end_reason: 'caller_hangup' });
    const failure = (await eventsOf(failed)).find(({ type }) => type === 'vendor-failed');
    expect(failure?.data).toMatchObject({ leg: 'llm', vendor: 'openai', code: 'vendor-unauthorized' });
    expect(await metric('agent_stream_vendor_errors_total{leg="llm",vendor="openai",kind="vendor-unauthorized"}')).toBe(1);
  });
});
