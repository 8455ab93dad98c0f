import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/cli/exit-codes.js';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { runCommand } from '../support/cli.js';

/** An agent as a later version might write it: what this version does not know is refused by name, never dropped. */
let server: CallServer;
let env: Readonly<Record<string, string>>;
let example: string;
beforeAll(async () => {
  server = await startCallServer();
  env = { AGENT_STREAM_URL: server.node.url, AGENT_STREAM_API_KEY: server.tenant.key };
  example = await readFile('examples/reception.json', 'utf8');
});
afterAll(() => server.stop());

interface AgentJson extends Record<string, unknown> {
  workflow_definition: { nodes: { type: string; data: object }[]; edges: { data: object }[] };
  settings: object;
}

type Change = (agent: AgentJson) => void;

/** The example as a newer version wrote it. */
function newer(change: Change): AgentJson {
  const agent = JSON.parse(example) as AgentJson;
  agent.settings ??= {};
  change(agent);
  return agent;
}

const unknownField = /unknown field: /;

/** What a newer version has, the field that is named, and what is said of it. */
const changes: readonly (readonly [string, Change, string, RegExp])[] = [
  ['a type of node', ({ workflow_definition: { nodes } }) => void Object.assign(nodes[1] ?? {}, { type: 'voicemailNode' }), 'type', /unknown node type: "voicemailNode"/],
  ['a field of a node', ({ workflow_definition: { nodes } }) => void Object.assign(nodes[0]?.data ?? {}, { sentiment_model: 'large' }), 'sentiment_model', unknownField],
  ['a field of an edge', ({ workflow_definition: { edges } }) => void Object.assign(edges[0]?.data ?? {}, { weight: 2 }), 'weight', unknownField],
  ['a field of the workflow', ({ workflow_definition: workflow }) => void Object.assign(workflow, { schema_version: 9 }), 'schema_version', unknownField],
  ['a setting', ({ settings }) => void Object.assign(settings, { emotion_detection: true }), 'emotion_detection', unknownField],
];

type SingleProblem = { readonly path: string; readonly message: string };

describe('an agent from a newer version', () => {
  it.each(changes)('with %s that is not known here is refused by the API, by field and with the reason', async (_name, change, field, reason) => {
    const before = (await server.request('GET', '/api/v1/agents')).json;
    const { status, json } = await server.request('POST', '/api/v1/agents', { ...newer(change), name: 'Newer' });
    expect([status, json['code']]).toEqual([422, 'workflow-invalid']);
    const errors = json['errors'] as readonly SingleProblem[];
    const [first] = errors;
    expect(first?.path.split('.').at(-1)).toBe(field);
    expect(first?.message).toMatch(reason);
    expect((await server.request('GET', '/api/v1/agents')).json).toEqual(before);
  });

  it.each(changes)('with %s that is not known here is not pushed: field and reason are printed, no agent is made', async (_name, change, field, reason) => {
    const path = join(server.dataDir, 'newer.json');
    await writeFile(path, JSON.stringify(newer(change)));
    const text = await readFile(path, 'utf8');
    const pushed = await runCommand(env, 'agents', 'push', path);
    expect(pushed).toMatchObject({ status: exitCodes.refused, stdout: '' });
    expect(pushed.stderr).toContain(field);
    expect(pushed.stderr).toMatch(reason);
    // A file that became an agent has its uuid written into it.
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it.each(changes)('with %s that is not known here becomes a draft that says so, and is not published', async (_name, change, field, reason) => {
    const path = join(server.dataDir, 'known.json');
    await writeFile(path, example);
    expect(await runCommand(env, 'agents', 'push', path)).toMatchObject({ status: 0 });
    const { uuid } = JSON.parse(await readFile(path, 'utf8')) as { uuid: string };
    await writeFile(path, JSON.stringify({ ...newer(change), uuid }));
    const pushed = await runCommand(env, 'agents', 'push', path, '--publish');
    expect(pushed.status).toBe(exitCodes.refused);
    expect(pushed.stderr).toContain(field);
    expect(pushed.stderr).toMatch(reason);
    expect((await server.request('GET', `/api/v1/agents/${uuid}`)).json).toMatchObject({ published_version: 1 });
  });

  it('with a field of the file that is not known is refused before anything is sent', async () => {
    const path = join(server.dataDir, 'file.json');
    await writeFile(path, JSON.stringify({ ...newer(() => undefined), format_version: 2 }));
    const pushed = await runCommand({ ...env, AGENT_STREAM_URL: 'http://127.0.0.1:1' }, 'agents', 'push', path);
    expect(pushed).toMatchObject({ status: exitCodes.usage, stdout: '' });
    expect(pushed.stderr).toMatch(/is not an agent file.*format_version/);
  });
});
