import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { parseConfig } from '../../config.js';
import { createOutput } from '../output.js';
import { databaseCheck } from './database-check.js';
import type { DoctorContext } from './finding.js';
import { createClockCheck, dataDirectoryCheck, espeakCheck, nodeCheck, portCheck } from './machine-checks.js';
import { publicUrlCheck, telephonyCheck } from './server-checks.js';
import { vendorCheck } from './vendor-check.js';
import { voiceActivityCheck } from './voice-activity-check.js';

const servers: Server[] = [];
afterEach(() => servers.splice(0).forEach((server) => server.close()));

async function listen(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const serve = async (listener: RequestListener) => `http://127.0.0.1:${await listen(createHttpServer(listener))}`;

/** A port of this machine where nobody listens. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function contextFor(options: { env?: Record<string, string>; serverUrl?: string; apiKey?: string } = {}): DoctorContext {
  const sink = { write: () => true };
  const env = { AGENT_STREAM_DATA_DIR: mkdtempSync(join(tmpdir(), 'agent-stream-')), ...options.env };
  return {
    env,
    config: parseConfig(env),
    output: createOutput({ stdout: sink, stderr: sink, hasColor: false }),
    clock: createVirtualClock(),
    fetch,
    signal: new AbortController().signal,
    serverUrl: options.serverUrl ?? 'http://127.0.0.1:1',
    apiKey: options.apiKey,
  };
}

describe('checks of the machine', () => {
  it('finds this Node.js new enough', async () => {
    expect(await nodeCheck.run(contextFor())).toEqual([{ status: 'ok', text: process.version }]);
  });

  it('tells a data directory that is there, that will be made, and that is a file', async () => {
    const root = mkdtempSync(join(tmpdir(), 'agent-stream-'));
    writeFileSync(join(root, 'file'), '');
    const findingFor = async (path: string) => (await dataDirectoryCheck.run(contextFor({ env: { AGENT_STREAM_DATA_DIR: path } })))[0];
    expect(await findingFor(root)).toEqual({ status: 'ok', text: `${root} is writable` });
    expect(await findingFor(join(root, 'a', 'b'))).toEqual({ status: 'ok', text: `${join(root, 'a', 'b')} will be created` });
    expect((await findingFor(join(root, 'file')))?.status).toBe('problem');
  });

  it('tells a server that answers, a free port, a taken one, and another program', async () => {
    const healthy = await serve((_, response) => void response.end('{}'));
    expect((await portCheck.run(contextFor({ serverUrl: healthy })))[0]).toEqual({ status: 'ok', text: `answers at ${healthy}` });
    const other = await serve((_, response) => void response.writeHead(404).end());
    expect((await portCheck.run(contextFor({ serverUrl: other })))[0]?.text).toContain('another program');
    expect((await portCheck.run(contextFor({ env: { PORT: String(await freePort()) } })))[0]).toMatchObject({ status: 'ok' });
    const taken = String(await listen(createServer()));
    const finding = (await portCheck.run(contextFor({ env: { PORT: taken } })))[0];
    expect(finding?.status).toBe('problem');
    expect(finding?.text).toContain('EADDRINUSE');
  });

  it('says what finds voices, and that a machine without the model is not broken', async () => {
    expect(await voiceActivityCheck.run(contextFor({ env: { AGENT_STREAM_VOICE_ACTIVITY: 'energy' } }))).toMatchObject([{ status: 'ok', text: expect.stringContaining('energy') as unknown }]);
    const [finding] = await voiceActivityCheck.run(contextFor());
    expect(finding).toMatchObject(finding?.status === 'ok' ? { text: 'Silero loads' } : { status: 'note', cure: expect.stringContaining('--omit=optional') as unknown });
  });

  it('says which builtin voice is used', async () => {
    const [finding] = await espeakCheck.run(contextFor());
    expect(finding?.text).toMatch(finding?.status === 'ok' ? /^eSpeak NG/ : /fallback voice/);
  });

  it.each([
    ['Thu, 01 Jan 2026 00:00:10 GMT', 'ok', '10 s behind'],
    ['Thu, 01 Jan 2026 00:05:00 GMT', 'problem', '300 s behind'],
    ['Wed, 31 Dec 2025 23:59:00 GMT', 'problem', '60 s ahead of'],
  ])('compares the clock with %s', async (date, status, text) => {
    const url = await serve((_, response) => void response.writeHead(401, { date }).end());
    const [finding] = await createClockCheck(() => url).run(contextFor());
    expect(finding?.status).toBe(status);
    expect(finding?.text).toContain(text);
  });
});

describe('checks of the database', () => {
  it('takes an embedded one as it is', async () => {
    const context = contextFor();
    expect(await databaseCheck.run(context)).toEqual([{ status: 'ok', text: 'embedded PostgreSQL, made at the first start' }]);
    mkdirSync(join(context.config?.dataDir ?? '', 'postgres'));
    writeFileSync(join(context.config?.dataDir ?? '', 'postgres', 'PG_VERSION'), '18');
    expect(await databaseCheck.run(context)).toEqual([{ status: 'ok', text: 'embedded PostgreSQL, starts with the server' }]);
  });

  it('asks an external one for its version and its tables', async () => {
    const { host, user } = inject('postgres');
    const findingFor = async (database: string) => {
      const env = { DATABASE_URL: `postgres://${user}@localhost/${database}?host=${encodeURIComponent(host)}` };
      return (await databaseCheck.run(contextFor({ env })))[0];
    };
    expect(await findingFor('postgres')).toMatchObject({ status: 'ok', text: expect.stringMatching(/^PostgreSQL \d+ answers; its tables/) as string });
    expect(await findingFor('no_such_database')).toMatchObject({ status: 'problem', text: 'DATABASE_URL does not answer (3D000)' });
  });

  it('says that an external one does not answer, without its password', async () => {
    const env = { DATABASE_URL: `postgres://user:s3cret@127.0.0.1:${await freePort()}/calls` };
    const [finding] = await databaseCheck.run(contextFor({ env }));
    expect(finding?.status).toBe('problem');
    expect(finding?.text).toBe('DATABASE_URL does not answer (ECONNREFUSED)');
    expect(JSON.stringify(finding)).not.toContain('s3cret');
  });
});

describe('the check of vendors', () => {
  const texts = async (options: Parameters<typeof contextFor>[0]) => (await vendorCheck.run(contextFor(options))).map(({ status, text }) => `${status} ${text}`);
  const noRealtime = 'ok speech-to-speech: none has a key';
  const simulated = [...['speech-to-text', 'language model', 'text-to-speech'].map((leg) => `note ${leg}: simulated (no key)`), noRealtime];

  it('counts keys of the environment, and those that the organization has stored', async () => {
    expect(await texts({})).toEqual(simulated);
    expect(await texts({ env: { OPENAI_API_KEY: 'key' } })).toEqual([
      ...['speech-to-text', 'language model', 'text-to-speech'].map((leg) => `ok ${leg}: OpenAI or compatible`),
      'ok speech-to-speech: OpenAI or compatible, for agents that name one',
    ]);
    const url = await serve((_, response) => void response.end(JSON.stringify({ items: [{ vendor: 'deepgram' }], next_cursor: null })));
    expect(await texts({ serverUrl: url, apiKey: 'key' })).toEqual(['ok speech-to-text: Deepgram', simulated[1], 'ok text-to-speech: Deepgram', noRealtime]);
  });

  it('goes by the environment where the server does not answer or refuses', async () => {
    expect(await texts({ apiKey: 'key' })).toEqual(simulated);
    const url = await serve((_, response) => void response.writeHead(401).end('{}'));
    expect(await texts({ serverUrl: url, apiKey: 'wrong' })).toEqual(simulated);
  });
});

describe('checks of the server', () => {
  it.each([
    ['http://localhost:8080', 'note', 'reaches this machine only'],
    ['http://calls.example', 'problem', 'is not https'],
  ])('judges the public URL %s', async (url, status, text) => {
    const [finding] = await publicUrlCheck.run(contextFor({ env: { AGENT_STREAM_PUBLIC_URL: url } }));
    expect(finding?.status).toBe(status);
    expect(finding?.text).toContain(text);
  });

  it('tries every stored telephony configuration', async () => {
    const results: Readonly<Record<string, object>> = {
      '/api/v1/telephony-configs': { items: [{ id: 'one', name: 'Main', provider: 'cloudonix' }, { id: 'two', name: 'Old', provider: 'cloudonix' }] },
      '/api/v1/telephony-configs/one/test': { ok: true, message: 'accepted' },
      '/api/v1/telephony-configs/two/test': { ok: false, message: 'refused', code: 'provider-rejected' },
    };
    const url = await serve((request, response) => void response.end(JSON.stringify(results[request.url ?? ''] ?? {})));
    expect(await telephonyCheck.run(contextFor({ serverUrl: url, apiKey: 'key' }))).toEqual([
      { status: 'ok', text: 'cloudonix "Main": accepted' },
      expect.objectContaining({ status: 'problem', text: 'cloudonix "Old": refused' }),
    ]);
  });

  it('skips what needs a server or a key', async () => {
    expect((await telephonyCheck.run(contextFor()))[0]?.status).toBe('skipped');
    const url = await serve((_, response) => void response.end('{}'));
    expect((await telephonyCheck.run(contextFor({ serverUrl: url })))[0]?.text).toContain('AGENT_STREAM_API_KEY');
  });
});
