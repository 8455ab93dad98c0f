import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request as openRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { parseCallerScript } from '../../src/simulator/caller-script.js';
import { startFakeCloudonix } from '../../src/simulator/fake-cloudonix.js';
import { placeCall } from '../../src/simulator/place-call.js';
import { createSimulatedSpeech } from '../../src/simulator/simulated-speech.js';
import { findVendor } from '../../src/speech/registry.js';
import { freePort, runCommand, startCommand, untilPrinted } from '../support/cli.js';
import { createTestDatabase } from '../support/database.js';
import { startFakeAssemblyai } from '../support/fakes/assemblyai.js';
import { hearBuiltinVoice, speakBuiltinVoice } from '../support/fakes/builtin-voice.js';
import { startFakeDeepgram } from '../support/fakes/deepgram.js';
import { startFakeElevenlabsVoice } from '../support/fakes/elevenlabs-voice.js';
import { startFakeGoogle } from '../support/fakes/google.js';
import { startFakeGroq } from '../support/fakes/groq.js';
import { startFakeTranscriptions } from '../support/fakes/openai-transcriptions.js';
import { startFakeOpenaiVoice } from '../support/fakes/openai-voice.js';
import { startFakeOpenai } from '../support/fakes/openai.js';
import { startFakeRime } from '../support/fakes/rime.js';
import { startVendorServer, type VendorServer } from '../support/fakes/vendor-server.js';
import { waitFor } from '../support/wait-for.js';

/**
 * README.md, "With other keys": its lines are read out of the file, the keys are those of fakes that speak the vendors' protocols, and the
 * commands before them lead to an answered call. Caller and agent speak in the builtin voice, so that words are heard.
 */
const domain = 'acme.cloudonix.net';
const bearerToken = 'XI0123456789abcdef';
const bootstrapKey = 'b'.repeat(64);
const question = 'What can you tell me about the weather?';
const answer = 'The weather is sunny today.';

const ears = { transcribe: hearBuiltinVoice };
const mind = { reply: () => ({ text: answer }) };
const voice = { render: speakBuiltinVoice };

/** One server for all that a key of OpenAI opens, as theirs is: each path has a fake of its own behind it. */
async function startFakeOpenaiPlatform({ apiKey }: { readonly apiKey: string }): Promise<VendorServer> {
  const hearing = await startFakeTranscriptions({ apiKey, ...ears });
  const thinking = await startFakeOpenai({ apiKey, ...mind });
  const speaking = await startFakeOpenaiVoice({ apiKey, ...voice });
  const front = await startVendorServer({
    onRequest(request, response) {
      const { url: path = '', method, headers } = request;
      const behind = path.endsWith('/chat/completions') ? thinking : path.endsWith('/audio/speech') ? speaking : hearing;
      const forwarded = openRequest(`${behind.httpUrl}${path}`, { method, headers }, (answered) => {
        response.writeHead(answered.statusCode ?? 502, answered.headers);
        answered.pipe(response);
      });
      forwarded.on('error', () => response.destroy());
      response.on('close', () => forwarded.destroy());
      request.pipe(forwarded);
    },
  });
  return {
    ...front,
    async close() {
      await Promise.all([front, hearing, thinking, speaking].map((server) => server.close()));
    },
  };
}

type StartFake = (options: { readonly apiKey: string }) => Promise<VendorServer>;
const fakes: Readonly<Record<string, StartFake>> = {
  openai: startFakeOpenaiPlatform,
  deepgram: ({ apiKey }) => startFakeDeepgram({ apiKey, ...ears }),
  groq: ({ apiKey }) => startFakeGroq({ apiKey, ...mind }),
  elevenlabs: ({ apiKey }) => startFakeElevenlabsVoice({ apiKey, ...voice }),
  assemblyai: ({ apiKey }) => startFakeAssemblyai({ apiKey, ...ears }),
  google: ({ apiKey }) => startFakeGoogle({ apiKey, ...mind }),
  rime: ({ apiKey }) => startFakeRime({ apiKey, ...voice }),
};

const readme = await readFile('README.md', 'utf8');
const chapter = /\n### With other keys\n([\s\S]*?)\n### /.exec(readme)?.[1] ?? '';
const exportedKeys = [...chapter.matchAll(/^ {4}export (.*)$/gm)].map(([, line = '']) => [...line.matchAll(/([A-Z_]+)=…/g)].map(([, name = '']) => name));

const sets = [
  { stt: 'openai', llm: 'openai', tts: 'openai' },
  { stt: 'deepgram', llm: 'groq', tts: 'elevenlabs' },
  { stt: 'assemblyai', llm: 'google', tts: 'rime' },
] as const;

it('is about the sets of keys that the README names', () => {
  expect(exportedKeys).toEqual(sets.map((set) => [...new Set(Object.values(set))].map((name) => findVendor(name)?.apiKeyEnv)));
});

describe.each(sets)('with the keys of $stt, $llm and $tts', (set) => {
  const closing: (() => Promise<unknown>)[] = [];
  let env: Record<string, string>;
  let url: string;
  let cloudonix: Awaited<ReturnType<typeof startFakeCloudonix>>;

  beforeAll(async () => {
    const database = await createTestDatabase({ isEmpty: true });
    const dataDir = await mkdtemp(join(tmpdir(), 'agent-stream-set-'));
    closing.push(() => rm(dataDir, { recursive: true, force: true }), () => database.drop());
    cloudonix = await startFakeCloudonix({ domains: { [domain]: { bearerToken } } });
    closing.push(() => cloudonix.close());
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    env = {
      CLOUDONIX_API_BASE_URL: cloudonix.baseUrl,
      PORT: String(port),
      AGENT_STREAM_PUBLIC_URL: url,
      AGENT_STREAM_BOOTSTRAP_API_KEY: bootstrapKey,
      AGENT_STREAM_DATA_DIR: dataDir,
      DATABASE_URL: database.databaseUrl,
      LOG_LEVEL: 'error',
    };
    for (const name of new Set(Object.values(set))) {
      const { apiKeyEnv, baseUrl } = findVendor(name)!;
      const fake = await fakes[name]!({ apiKey: `${name}-key` });
      closing.push(() => fake.close());
      env[apiKeyEnv!] = `${name}-key`;
      env[baseUrl.env!] = baseUrl.default.startsWith('wss:') ? fake.wsUrl : fake.httpUrl;
    }
    const server = startCommand(env, 'serve');
    closing.push(async () => {
      server.interrupt();
      expect(await server.status).toBe(0);
    });
    await untilPrinted(server, '└─');
    expect(server.stdout()).toContain(`hearing: ${set.stt} · thinking: ${set.llm} · speaking: ${set.tts}`);
  });
  afterAll(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });

  it('answers a call, and both sides are heard', async () => {
    const headers = { Authorization: `Bearer ${bootstrapKey}`, 'Content-Type': 'application/json' };
    const get = async <T>(path: string): Promise<T> => (await (await fetch(`${url}/api/v1${path}`, { headers })).json()) as T;
    const body = JSON.stringify({ name: 'Main', provider: 'cloudonix', credentials: { domain_id: domain, bearer_token: bearerToken } });
    expect((await fetch(`${url}/api/v1/telephony-configs`, { method: 'POST', headers, body })).status).toBe(201);
    const agentUuid = (await runCommand(env, 'agents', 'create', '--name', 'Reception')).stdout.trim();
    const streamUrl = /<Stream url="([^"]*)"/.exec((await runCommand(env, 'agents', 'stream-url', agentUuid)).stdout)?.[1] ?? '';

    const call = await placeCall({
      url: streamUrl,
      domain,
      cloudonix,
      steps: parseCallerScript(`caller: ${question}\nlisten\nhangup`),
      speech: createSimulatedSpeech(systemClock),
      clock: systemClock,
      maxDurationMs: 40_000,
    });
    expect(call.problems).toEqual([]);
    expect(call.turns.filter(({ who }) => who === 'agent').length).toBeGreaterThanOrEqual(2);

    const run = await waitFor('the run', async () => {
      const [newest] = (await get<{ items: { id: string; state: string; end_reason: string }[] }>('/runs?limit=1')).items;
      return newest?.state === 'completed' ? newest : null;
    });
    expect(run.end_reason).toBe('caller_hangup');
    const transcript = await get<{ items: { role: string; text: string }[] }>(`/runs/${run.id}/transcript`);
    const said = (role: string) => transcript.items.filter((item) => item.role === role).map(({ text }) => text);
    // Some vendors end a sentence in their own way.
    expect(said('caller').map((text) => text.replace(/[?.]+$/, '?'))).toEqual([question]);
    expect(said('agent').at(-1)).toBe(answer);
    const events = (await get<{ items: { type: string; data: Record<string, unknown> }[] }>(`/runs/${run.id}/events?limit=200`)).items;
    const chosen = (vendor: string) => expect.objectContaining({ vendor, reason: 'environment', is_simulated: false }) as unknown;
    expect(events.find(({ type }) => type === 'call-answered')?.data['models']).toEqual({ stt: chosen(set.stt), llm: chosen(set.llm), tts: chosen(set.tts) });
    expect(events.map(({ type }) => type)).not.toContain('vendor-failed');
  });
});
