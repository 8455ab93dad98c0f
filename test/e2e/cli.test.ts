import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { freePort, runCommand, startCommand, untilPrinted, type CommandRun } from '../support/cli.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

/** The command line against a server that was set up by its link, as a new user does it: nothing but `serve` and the commands. */
let database: TestDatabase;
let dataDir: string;
let cloudonixPort: number;
let env: Record<string, string>;
let server: CommandRun;
let url: string;
let agentUuid: string;

const run = (...argv: string[]) => runCommand(env, ...argv);
const call = (...argv: string[]) => run('call', '--cloudonix-port', String(cloudonixPort), ...argv);

beforeAll(async () => {
  database = await createTestDatabase({ isEmpty: true });
  dataDir = join(await mkdtemp(join(tmpdir(), 'agent-stream-cli-')), 'data');
  cloudonixPort = await freePort();
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  env = {
    PORT: String(port),
    // Together with DATABASE_URL this leaves a server that makes no data directory of its own accord.
    AGENT_STREAM_SECRET_KEY: 'a'.repeat(64),
    AGENT_STREAM_DATA_DIR: dataDir,
    DATABASE_URL: database.databaseUrl,
    CLOUDONIX_API_BASE_URL: `http://127.0.0.1:${cloudonixPort}`,
    LOG_LEVEL: 'error',
  };
  server = startCommand(env, 'serve');
  await untilPrinted(server, '└─');
});

afterAll(async () => {
  server.interrupt();
  expect(await server.status).toBe(0);
  await database.drop();
  await rm(join(dataDir, '..'), { recursive: true, force: true });
});

describe('the set-up link', () => {
  it('is printed once the installation is empty, and leads to a page without foreign parts', async () => {
    const link = /Set up +(http:\S+)#\S+ +\(one time\)/.exec(server.stdout())?.[1] ?? '';
    expect(link).toBe(`${url}/setup`);
    const page = await fetch(link);
    expect(page.status).toBe(200);
    expect(page.headers.get('cache-control')).toBe('no-store');
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("script-src 'self'");
    // A browser would ask a server without TLS for the script by https, and the form would do nothing.
    expect(policy).not.toContain('upgrade-insecure-requests');
    const html = await page.text();
    expect([...html.matchAll(/(?:src|href)="([^"]*)"/g)].map((match) => match[1])).toEqual(['data:,', '/setup.js']);
    const script = await fetch(`${url}/setup.js`);
    expect(script.headers.get('content-type')).toMatch(/^text\/javascript/);
    const ids = [...(await script.text()).matchAll(/element\('(\w+)'\)/g)].map((match) => match[1] ?? '');
    expect(ids.length).toBeGreaterThan(5);
    for (const id of ids) expect(html).toContain(`id="${id}"`);
  });

  it('gives one API key to its reader and another to the commands of the machine', async () => {
    const token = /\/setup#(\S+)/.exec(server.stdout())?.[1];
    const setUp = () =>
      fetch(`${url}/api/v1/setup`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ token, organization_name: 'Acme', email: 'ann@example.com' }),
      });
    const response = await setUp();
    expect(response.status).toBe(201);
    const { api_key: shownKey } = (await response.json()) as { api_key: string };
    const path = join(dataDir, 'cli-api-key');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const localKey = (await readFile(path, 'utf8')).trim();
    expect(localKey).not.toBe(shownKey);
    for (const key of [shownKey, localKey]) {
      expect((await runCommand({ ...env, AGENT_STREAM_DATA_DIR: '/nowhere', AGENT_STREAM_API_KEY: key }, 'agents', 'list')).status).toBe(0);
    }
    expect((await setUp()).status).toBe(401);
    const listed = await run('keys', 'list');
    expect(listed.stdout).toContain('Commands on this machine');
    expect(listed.stdout).toContain('Set-up');
  });
});

describe('metrics', () => {
  it('are open on this machine, and closed to whom an unknown proxy brings', async () => {
    expect((await fetch(`${url}/metrics`)).status).toBe(200);
    expect((await fetch(`${url}/metrics`, { headers: { 'X-Forwarded-For': '127.0.0.1' } })).status).toBe(401);
  });
});

describe('agents', () => {
  it('come from the example', async () => {
    const created = await run('agents', 'create', '--name', 'Reception', '--from', 'examples/reception.json');
    expect(created).toMatchObject({ status: 0, stderr: '' });
    agentUuid = created.stdout.trim();
    const shown = await run('agents', 'show', agentUuid);
    expect(shown.stdout).toMatch(/published +v1/);
  });

  it('travel through a file and back', async () => {
    const path = join(dataDir, 'reception.json');
    expect(await run('agents', 'pull', agentUuid, path)).toMatchObject({ status: 0 });
    expect(await run('agents', 'diff', path)).toMatchObject({ status: 0, stderr: 'No difference.\n' });
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('The shop is closed on Mondays.', 'The shop is closed on Tuesdays.'));
    const differs = await run('agents', 'diff', path);
    expect(differs.status).toBe(exitCodes.failure);
    expect(differs.stdout).toMatch(/^\+ .*Tuesdays/m);
    expect(await run('agents', 'push', path, '--publish')).toMatchObject({ status: 0, stdout: 'Draft saved and published\n' });
    expect((await run('agents', 'show', agentUuid)).stdout).toMatch(/published +v2/);
  });
});

describe('call', () => {
  it('are imported with what was dropped, and exported to be imported again', async () => {
    const tried = await run('agents', 'import', 'examples/dograh/clinic.json', '--dry-run', '--name', 'Clinic');
    expect(tried).toMatchObject({ status: 0, stdout: '"Clinic" can be imported; nothing was stored\n' });
    expect(tried.stderr).toContain('not taken over: nodes.7 (object): node type “tuner”: an integration this server does not have');
    const imported = await run('agents', 'import', 'examples/dograh/clinic.json');
    expect(imported.status).toBe(0);
    const path = join(dataDir, '..', 'clinic.json');
    expect(await run('agents', 'export', imported.stdout.trim(), path)).toMatchObject({ status: 0 });
    expect(await run('agents', 'export', imported.stdout.trim(), path)).toMatchObject({ status: exitCodes.usage });
    expect(await run('agents', 'import', path, '--dry-run')).toMatchObject({ status: 0, stderr: '' });
    // Other commands of this server name no agent.
    expect(await run('agents', 'archive', imported.stdout.trim())).toMatchObject({ status: 0 });
    await writeFile(path, '{"nodes":[],"edges":[]}');
    const empty = await run('agents', 'import', path, '--dry-run');
    expect([empty.status, empty.stderr]).toEqual([exitCodes.failure, expect.stringContaining('there is no startCall node') as unknown]);
  });

  it('holds a conversation and names its run', async () => {
    const held = await call('--say', 'What are your opening hours?', 'Goodbye.');
    expect(held).toMatchObject({ status: 0, stderr: expect.stringContaining('Stored a telephony configuration "Simulator"') as string });
    expect(held.stdout).toMatch(/\d s {2}caller {2}What are your opening hours\?\n +\d+\.\d\d s {2}agent {3}.*\[gap \d+ ms\]/);
    const [, name = '', runId = ''] = /Run (WR-AGS-\d{8}): completed, agent_hangup \(agent-stream runs show (\S+)\)/.exec(held.stdout) ?? [];
    const shown = await run('runs', 'show', runId);
    expect(shown.stdout).toContain(name);
    expect(shown.stdout).toMatch(/caller {2}What are your opening hours\?\n.*agent {3}We are open from nine to five/);
    expect(shown.stdout).toMatch(/heard gap \d+ ms, endpointing \d+ ms/);
  });

  it('takes the path form, A-law, no marks and JSON', async () => {
    const held = await call('--agent', agentUuid, '--form', 'path', '--alaw', '--marks', 'never', '--say', 'Goodbye.', '--json');
    expect(held.status).toBe(0);
    const result = JSON.parse(held.stdout) as { asked: string; run: { state: string; end_reason: string }; problems: string[]; playout: { violations: string[] } };
    expect(result).toMatchObject({ asked: 'hang-up', run: { state: 'completed', end_reason: 'agent_hangup' }, problems: [], playout: { violations: [] } });
  });

  it('ends with 130 when it is interrupted, and the run as a hang-up of the caller', async () => {
    const held = startCommand(env, 'call', '--cloudonix-port', String(cloudonixPort), '--silence');
    await untilPrinted(held, 'agent');
    held.interrupt();
    expect(await held.status).toBe(exitCodes.interrupted);
    expect((await run('runs', 'tail')).stderr).toContain('completed: caller_hangup');
  });

  it('needs the stream token that the agent asks for', async () => {
    const rotated = await run('agents', 'token', agentUuid);
    const token = rotated.stdout.trim();
    expect(rotated.stderr).toContain(`${agentUuid}/${token}"/>`);
    const refused = await call('--agent', agentUuid, '--silence', '--duration', '5s');
    expect(refused.status).toBe(exitCodes.refused);
    expect(refused.stderr).toContain('1008 "Agent not found"');
    expect((await call('--agent', agentUuid, '--stream-token', token, '--silence', '--duration', '2s')).status).toBe(0);
    expect(await run('agents', 'token', agentUuid, '--remove')).toMatchObject({ status: 0, stdout: 'Removed\n' });
  });

  it('says what is wrong where the server asks another Cloudonix', async () => {
    const refused = await run('call', '--agent', agentUuid, '--cloudonix-port', String(await freePort()), '--silence', '--duration', '5s');
    expect(refused.status).toBe(exitCodes.refused);
    expect(refused.stderr).toContain('4400 "Session validation failed"');
    expect(refused.stderr).toContain('CLOUDONIX_API_BASE_URL');
    expect((await run('runs', 'tail')).stderr).toContain('failed: handshake_error');
  });
});

describe('exit statuses', () => {
  it.each([
    ['an unknown command', ['bogus'], exitCodes.usage],
    ['a missing argument', ['agents', 'show'], exitCodes.usage],
    ['a script that cannot be read', ['call', '--script', '/nowhere/script.txt'], exitCodes.usage],
    ['an unknown agent', ['agents', 'show', '00000000-0000-4000-8000-000000000000'], exitCodes.refused],
    ['an unknown run', ['runs', 'show', 'WR-AGS-99999999'], exitCodes.refused],
    ['a server that is down', ['agents', 'list', '--server', 'http://127.0.0.1:2'], exitCodes.cannotConnect],
    ['a call to a server that is down', ['call', '--agent', 'x', '--server', 'http://127.0.0.1:2'], exitCodes.cannotConnect],
  ] as const)('%s', async (_, argv, status) => {
    const result = await run(...argv);
    expect(result.status).toBe(status);
    expect(result.stdout).toBe('');
    expect(result.stderr).toMatch(/^error: /);
  });

  it('a wrong key', async () => {
    const result = await runCommand({ ...env, AGENT_STREAM_API_KEY: 'as_wrong-key-0123456789' }, 'agents', 'list');
    expect(result.status).toBe(exitCodes.refused);
    expect(result.stderr).toContain('401, not-authenticated');
  });

  it('doctor, where something is wrong', async () => {
    const result = await runCommand({ ...env, AGENT_STREAM_PUBLIC_URL: 'http://voice.example.com' }, 'doctor');
    expect(result.status).toBe(exitCodes.problemsFound);
    expect(result.stdout).toContain('✗ Public URL       http://voice.example.com is not https');
  });
});
