import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { createApiClient } from '../../src/cli/api-client.js';
import { talk } from '../../src/cli/chat-talk.js';
import { createOutput } from '../../src/cli/output.js';
import { startApi, type ApiTest } from './api-harness.js';

let api: ApiTest;
let agentUuid: string;
beforeAll(async () => {
  api = await startApi();
  const file = JSON.parse(readFileSync(new URL('../../examples/reception.json', import.meta.url), 'utf8')) as { workflow_definition: unknown };
  const models = { stt: { vendor: 'builtin' }, llm: { vendor: 'builtin', first_token_ms: 0, token_ms: 0 }, tts: { vendor: 'builtin' } };
  const { json } = await api.request('POST', '/api/v1/agents', { body: { name: 'Chatty', workflow_definition: file.workflow_definition, settings: { models } } });
  agentUuid = String(json['uuid']);
});
afterAll(() => api.close());

async function* each(lines: readonly string[]): AsyncGenerator<string> {
  await Promise.resolve();
  yield* lines;
}

async function play(lines: readonly string[], uuid = agentUuid) {
  const written = { stdout: '', stderr: '' };
  const output = createOutput({ stdout: { write: (text) => (written.stdout += text) }, stderr: { write: (text) => (written.stderr += text) }, hasColor: false });
  const client = createApiClient({ serverUrl: api.url, apiKey: api.alice.key, fetch, clock: systemClock, signal: new AbortController().signal });
  await talk(each(lines), { agentUuid: uuid, body: { variables: { shop_name: 'Spokes' } } }, { client, output });
  return { said: written.stdout.split('\n').filter((line) => line.startsWith('agent: ')), ...written };
}

describe('agent-stream chat', () => {
  it('talks with the agent, takes turns back and leaves nothing behind', async () => {
    const { said, stdout, stderr } = await play(['What are your opening hours?', '/undo', 'What is your address?', 'Goodbye.', '/undo', '/silence', '/quit', 'never said']);
    expect(said.slice(0, 3)).toEqual([
      'agent: Hello, Spokes, how can I help you?',
      'agent: We are open from nine to five, Tuesday to Saturday.',
      'agent: You find us at twelve Mill Street, next to the station.',
    ]);
    expect(said.at(-1)).toBe('agent: Are you still there?');
    expect(stdout).toContain('the agent hangs up: agent_hangup');
    expect(stderr).toContain('Taken back: the next line is the first turn.');
    expect((await api.request('GET', `/api/v1/agents/${agentUuid}/chats`)).json.items).toEqual([]);
  });

  it('says what cannot be done, and goes on', async () => {
    const { stderr, said } = await play(['/press x', '/dance', '/fail busy', '', '/silence']);
    expect(stderr).toContain('/press takes keys');
    expect(stderr).toContain('unknown command /dance');
    expect(stderr).toContain('No transfer is under way');
    expect(said).toHaveLength(2);
  });

  it('ends with a clear error where there is no such agent', async () => {
    await expect(play([], '00000000-0000-4000-8000-000000000000')).rejects.toMatchObject({ exitCode: 4 });
  });
});
