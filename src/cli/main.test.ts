import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../base/clock.js';
import { exitCodes } from './exit-codes.js';
import { runCli } from './main.js';
import { createOutput } from './output.js';

const uuid = '0f5a3c1e-8a5b-4c7d-9e2f-1a2b3c4d5e6f';
const agent = {
  uuid,
  name: 'Reception',
  status: 'active',
  published_version: 3,
  draft_version: null,
  requires_stream_token: false,
  updated_at: '2026-01-02T03:04:05.000Z',
};
const content = { workflow_definition: { nodes: [], edges: [] }, settings: { b: 1, a: 2 }, template_context_variables: {} };
const run = {
  id: '01934c2e-0000-7000-8000-000000000001',
  name: 'WR-AGS-00000042',
  agent_uuid: uuid,
  agent_version: 3,
  mode: 'cloudonix',
  state: 'completed',
  initial_context: { caller_number: '+15551234567', called_number: '+15557654321' },
  gathered_context: { call_id: 'abc' },
  end_reason: 'caller_hangup',
  close_code: 1000,
  close_reason: '',
  created_at: '2026-01-02T03:04:05.000Z',
  answered_at: '2026-01-02T03:04:05.100Z',
  ended_at: '2026-01-02T03:04:17.100Z',
  duration_ms: 12_000,
  latency: { turns: [{ turn_id: 1, heard_gap_ms: 312.4, model_first_token_ms: 90 }] },
};

interface Request {
  readonly method: string;
  readonly url: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

const closers: (() => void)[] = [];
afterEach(() => closers.splice(0).forEach((close) => close()));

/** A server that answers by `METHOD path` and keeps what it was asked. */
async function startApi(answers: Readonly<Record<string, (response: ServerResponse) => void>>) {
  const requests: Request[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      const { method = '', url = '', headers } = request;
      requests.push({ method, url, authorization: headers.authorization, body: text === '' ? undefined : (JSON.parse(text) as unknown) });
      const answer = answers[`${method} ${url.split('?')[0]}`];
      if (answer === undefined) response.writeHead(404, { 'content-type': 'application/problem+json' }).end('{"title":"Not found","detail":"No such thing.","code":"not-found","cure":"Check the id."}');
      else answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

const json = (value: unknown, status = 200) => (response: ServerResponse) => void response.writeHead(status).end(JSON.stringify(value));

async function cli(url: string, ...argv: string[]) {
  const written = { stdout: '', stderr: '' };
  const output = createOutput({
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { write: (text) => (written.stderr += text) },
    hasColor: false,
  });
  const env = { AGENT_STREAM_URL: url, AGENT_STREAM_API_KEY: 'key-1' };
  const status = await runCli(argv, { env, output, clock: systemClock, fetch, signal: new AbortController().signal });
  return { status, ...written };
}

describe('the command line itself', () => {
  it('prints help and version with status 0', async () => {
    const help = await cli('http://127.0.0.1:1', '--help');
    expect(help.status).toBe(exitCodes.ok);
    for (const name of ['serve', 'demo', 'call', 'agents', 'runs', 'documents', 'keys', 'doctor']) expect(help.stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
    const version = await cli('http://127.0.0.1:1', '--version');
    expect(version.status).toBe(exitCodes.ok);
    expect(version.stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect((await cli('http://127.0.0.1:1', 'help', 'agents')).stdout).toContain('stream-url');
  });

  it.each([[['agnets']], [['agents', '--bogus']], [['runs', 'list', '--limit', '0']], [['keys', 'create']], [['agents', 'show']], [['agents', 'list', '--server', 'x']]])(
    'answers %j with status 2 and says what is wrong on stderr',
    async (argv) => {
      const result = await cli('http://127.0.0.1:1', ...argv);
      expect(result.status).toBe(exitCodes.usage);
      expect(result.stdout).toBe('');
      expect(result.stderr).toMatch(/^error: /);
    },
  );

  it('tells apart who cannot be reached and who refuses', async () => {
    const unreachable = await cli('http://127.0.0.1:1', 'agents', 'list');
    expect(unreachable.status).toBe(exitCodes.cannotConnect);
    expect(unreachable.stderr).toContain('cannot reach http://127.0.0.1:1');
    const api = await startApi({ 'GET /api/v1/api-keys': json({ code: 'not-authenticated', detail: 'No API key.' }, 401) });
    const refused = await cli(api.url, 'keys', 'list');
    expect(refused.status).toBe(exitCodes.refused);
    expect(refused.stderr).toBe(
      'error: GET /api/v1/api-keys: No API key. (401, not-authenticated)\n  Set AGENT_STREAM_API_KEY to a valid key (agent-stream keys create, on the server’s machine).\n',
    );
  });
});

describe('agents', () => {
  it('lists them as a table, or as the API’s answer', async () => {
    const answer = { items: [agent, { ...agent, name: 'Old\u001b[2J', status: 'archived' }], next_cursor: 'c2' };
    const api = await startApi({ 'GET /api/v1/agents': json(answer) });
    const table = await cli(api.url, 'agents', 'list', '--archived', '--limit', '2');
    expect(table.stdout.split('\n')[1]).toMatch(new RegExp(`^${uuid}  Reception +v3 +-  2026-01-02 03:04:05$`));
    expect(table.stdout).toContain('Old\\u{1b}[2J (archived)');
    expect(table.stderr).toBe('More: --cursor c2\n');
    expect(api.requests[0]).toMatchObject({ url: '/api/v1/agents?limit=2&include_archived=true', authorization: 'Bearer key-1' });
    expect(JSON.parse((await cli(api.url, 'agents', 'list', '--json')).stdout)).toEqual(answer);
  });

  it('pulls, compares and pushes a file', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'agent-stream-')), 'agent.json');
    const api = await startApi({
      [`GET /api/v1/agents/${uuid}`]: json({ ...agent, version: 3, ...content }),
      [`PUT /api/v1/agents/${uuid}/draft`]: json({ version: 4, errors: [], warnings: [{ path: 'nodes.1', message: 'is never reached' }] }),
      [`POST /api/v1/agents/${uuid}/publish`]: json({ version: 4 }),
    });
    expect(await cli(api.url, 'agents', 'pull', uuid, path)).toMatchObject({ status: 0 });
    expect((await cli(api.url, 'agents', 'pull', uuid, path)).status).toBe(exitCodes.usage);
    expect(await cli(api.url, 'agents', 'diff', path)).toMatchObject({ status: 0, stderr: 'No difference.\n' });
    const file = JSON.parse(readFileSync(path, 'utf8')) as object;
    expect(file).toEqual({ uuid, name: 'Reception', ...content });
    writeFileSync(path, JSON.stringify({ ...file, settings: { a: 2, b: 9 } }));
    const changed = await cli(api.url, 'agents', 'diff', path);
    expect(changed.status).toBe(exitCodes.failure);
    expect(changed.stdout).toContain('-     "b": 1\n+     "b": 9\n');
    expect(await cli(api.url, 'agents', 'push', path, '--publish')).toMatchObject({
      status: 0,
      stdout: 'Draft saved and published\n',
      stderr: 'warning: nodes.1: is never reached\n',
    });
    const [put, publish] = api.requests.slice(-2);
    expect(put).toMatchObject({ method: 'PUT', body: { ...content, settings: { a: 2, b: 9 } } });
    expect(publish?.url).toBe(`/api/v1/agents/${uuid}/publish`);
  });

  it('creates the agent of a file without uuid, and writes the uuid into it', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'agent-stream-')), 'agent.json');
    writeFileSync(path, JSON.stringify({ name: 'New', workflow_definition: { nodes: [] } }));
    const api = await startApi({ 'POST /api/v1/agents': json({ ...agent, name: 'New' }, 201) });
    expect((await cli(api.url, 'agents', 'push', path)).status).toBe(0);
    expect(api.requests[0]?.body).toEqual({ name: 'New', workflow_definition: { nodes: [] } });
    expect(JSON.parse(readFileSync(path, 'utf8'))).toMatchObject({ uuid, name: 'New' });
  });

  it('shows every problem of a refused document', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'agent-stream-')), 'agent.json');
    writeFileSync(path, JSON.stringify({ name: 'New' }));
    const problem = { detail: 'The agent document cannot run as it is.', code: 'workflow-invalid', errors: [{ path: 'nodes.0.data.prompt', message: 'is empty' }] };
    const api = await startApi({ 'POST /api/v1/agents': json(problem, 422) });
    const result = await cli(api.url, 'agents', 'push', path);
    expect(result.status).toBe(exitCodes.refused);
    expect(result.stderr).toContain('nodes.0.data.prompt: is empty');
  });
});

describe('runs', () => {
  it('shows conversation, times, latencies and the end', async () => {
    const items = [
      { turn_id: 1, role: 'caller', text: 'Hello?', start_ms: 1200, end_ms: 1900 },
      { turn_id: 1, role: 'agent', text: 'Hi there', start_ms: 2200, end_ms: 3000, interrupted: true },
    ];
    const api = await startApi({
      'GET /api/v1/runs': json({ items: [run], next_cursor: null }),
      [`GET /api/v1/runs/${run.id}/transcript`]: json({ items }),
    });
    const result = await cli(api.url, 'runs', 'show', run.name);
    expect(result.status).toBe(0);
    expect(result.stdout).toContain('completed (caller_hangup)');
    expect(result.stdout).toContain('0:01.2  caller  Hello?');
    expect(result.stdout).toContain('0:02.2  agent   Hi there — interrupted\n                  heard gap 312 ms, model first token 90 ms');
  });

  it('follows a run until its stream ends', async () => {
    let asked = 0;
    const api = await startApi({
      'GET /api/v1/runs': json({ items: [{ ...run, state: 'running', end_reason: null }], next_cursor: null }),
      [`GET /api/v1/runs/${run.id}`]: (response) => {
        asked += 1;
        json(run)(response);
      },
      [`GET /api/v1/runs/${run.id}/events`]: (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('id: 1\ndata: {"seq":1,"at_ms":1200,"type":"transcript-final","data":{"te');
        response.write('xt":"Hello"}}\n\n: keep-alive\n\n');
        response.end('event: end\ndata: {}\n\n');
      },
    });
    const result = await cli(api.url, 'runs', 'tail');
    expect(result.stdout).toBe('  0:01.2  transcript-final        text=Hello\n');
    expect(result.stderr).toContain('completed: caller_hangup');
    expect(asked).toBe(1);
  });
});
