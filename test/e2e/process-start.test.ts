import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase } from '../support/database.js';
import { send } from '../support/installation.js';
import { API_KEY, buildProgram, createDataDir, disposeProcesses, startProgram, startServerProcess, type ServerProcess } from '../support/server-process.js';

beforeAll(buildProgram, 120_000);
afterAll(disposeProcesses);

/** Runs `serve` to the end that a refused start comes to. */
async function refusedStart(env: Readonly<Record<string, string>>): Promise<{ code: number | null; stdout: string; lines: string[] }> {
  const program = await startProgram(['serve'], { PORT: '0', ...env });
  const { code } = await program.exited();
  const { stdout, stderr } = program.output();
  return { code, stdout, lines: stderr.trimEnd().split('\n') };
}

describe('a server on an embedded database', () => {
  let server: ServerProcess;
  let dataDir: string;
  beforeAll(async () => {
    server = await startServerProcess();
    dataDir = server.dataDir;
  });

  it('is ready soon, on an existing data directory sooner, and leaves nothing running', async () => {
    const freshMs = server.readyMs;
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    const again = await startServerProcess({ dataDir });
    process.stdout.write(`ready after ${freshMs.toFixed(0)} ms on a fresh, ${again.readyMs.toFixed(0)} ms on an existing data directory\n`);
    expect(again.readyMs).toBeLessThan(10_000);
    expect((await send(again.url, 'GET', '/api/v1/users')).json.items).toHaveLength(1);
    server = again;
  });

  it('keeps a second server off its data directory, and goes on', async () => {
    const { code, lines } = await refusedStart({ AGENT_STREAM_DATA_DIR: dataDir });
    expect(code).toBe(1);
    expect(lines[0]).toMatch(/is in use by another server \(agent-stream, process \d+\).*data-directory-in-use/);
    expect(lines[0]).toContain(String(server.pid));
    expect((await send(server.url, 'GET', '/readyz', { key: null })).status).toBe(200);
  });

  it('refuses a port that is taken with a clear line', async () => {
    const { port } = new URL(server.url);
    const database = await createTestDatabase();
    const { code, lines } = await refusedStart({ PORT: port, DATABASE_URL: database.databaseUrl, AGENT_STREAM_DATA_DIR: await createDataDir() });
    await database.drop();
    expect(code).toBe(2);
    expect(lines[0]).toContain(`PORT=${port} cannot be listened on: EADDRINUSE`);
  });
});

describe('a start that is refused', () => {
  const refusals: readonly (readonly [string, Readonly<Record<string, string>>, RegExp])[] = [
    ['an unknown variable', { AGENT_STREAM_DATADIR: '/tmp' }, /AGENT_STREAM_DATADIR is not a known variable: did you mean AGENT_STREAM_DATA_DIR\?/],
    ['a bad value', { AGENT_STREAM_MAX_CALLS: 'many' }, /AGENT_STREAM_MAX_CALLS="many" must be a whole number/],
    ['a public bind in plain text', { HOST: '0.0.0.0' }, /HOST="0\.0\.0\.0" would serve calls and API keys in plain text.*AGENT_STREAM_TLS_CERT_FILE/],
    ['half of a TLS pair', { AGENT_STREAM_TLS_KEY_FILE: '/nowhere' }, /AGENT_STREAM_TLS_KEY_FILE is set without AGENT_STREAM_TLS_CERT_FILE/],
    ['a bad URL of a provider', { CLOUDONIX_API_BASE_URL: 'api.cloudonix.io' }, /CLOUDONIX_API_BASE_URL must be an http\(s\):\/\//],
  ];

  it.each(refusals)('for %s says so in one line and ends with 2', async (_name, env, problem) => {
    const { code, stdout, lines } = await refusedStart({ AGENT_STREAM_DATA_DIR: await createDataDir(), ...env });
    expect(code).toBe(2);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(problem);
    expect(stdout).toBe('');
  });

  it('does not show a secret that is not well formed', async () => {
    const secret = 'not-a-secret-key-but-secret-enough';
    const { code, stdout, lines } = await refusedStart({ AGENT_STREAM_DATA_DIR: await createDataDir(), AGENT_STREAM_SECRET_KEY: secret });
    expect(code).toBe(2);
    expect(lines.join('\n')).toMatch(/AGENT_STREAM_SECRET_KEY must be 32 bytes/);
    expect(`${stdout}${lines.join('\n')}`).not.toContain(secret);
  });

  it('for a database that does not answer says what to look at, and does not show its password', async () => {
    const { code, stdout, lines } = await refusedStart({
      AGENT_STREAM_DATA_DIR: await createDataDir(),
      DATABASE_URL: 'postgresql://owner:pass-word-canary@127.0.0.1:1/calls',
    });
    expect(code).toBe(1);
    expect(lines[0]).toMatch(/database-unavailable/);
    expect(`${stdout}${lines.join('\n')}`).not.toContain('pass-word-canary');
  });
});

describe('nodes that start at once on an empty database', () => {
  it('set it up once', async () => {
    const database = await createTestDatabase({ isEmpty: true });
    const env = { DATABASE_URL: database.databaseUrl, AGENT_STREAM_SECRET_KEY: 'ab'.repeat(32) };
    const nodes = await Promise.all([startServerProcess({ env }), startServerProcess({ env })]);
    const answers = await Promise.all(nodes.map(({ url }) => send(url, 'GET', '/api/v1/users', { key: API_KEY })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(answers[0]?.json).toEqual(answers[1]?.json);
    const client = new pg.Client(database.poolConfig);
    await client.connect();
    const { rows } = await client.query<{ organizations: string; users: string; bootstrap: string }>(
      `SELECT (SELECT count(*) FROM organizations) AS organizations, (SELECT count(*) FROM users) AS users,
        (SELECT count(*) FROM api_keys WHERE name = 'Bootstrap') AS bootstrap`,
    );
    await client.end();
    expect(rows).toEqual([{ organizations: '1', users: '1', bootstrap: '1' }]);
    await Promise.all(nodes.map((node) => node.stop()));
    await database.drop();
  });
});
