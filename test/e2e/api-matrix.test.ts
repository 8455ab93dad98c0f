import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyText, startApi, type ApiAnswer, type ApiTest } from './api-harness.js';
import { createWorld, operations, publicOperations, secrets, type World } from './api-operations.js';

let api: ApiTest;
let world: World;
const answers: ApiAnswer[] = [];

beforeAll(async () => {
  api = await startApi();
  world = await createWorld(api, async (path, content) => {
    await mkdir(dirname(join(api.dataDir, path)), { recursive: true });
    await writeFile(join(api.dataDir, path), content);
  });
});
afterAll(() => api.close());

function expectProblem(answer: ApiAnswer, status: number, code: string): void {
  expect([answer.status, answer.json['code']]).toEqual([status, code]);
  expect(answer.headers.get('content-type')).toBe('application/problem+json');
  expect(answer.json).toMatchObject({
    type: `urn:agent-stream:error:${code}`,
    title: anyText,
    status,
    detail: anyText,
    cure: anyText,
  });
  expect(typeof answer.json['retryable']).toBe('boolean');
}

const methodOf = (id: string) => id.split(' ')[0] ?? 'GET';

describe('every operation of the OpenAPI document', () => {
  it('is in the table of this test', async () => {
    const { json } = await api.request('GET', '/api/v1/openapi.json', { key: null });
    expect(json['openapi']).toBe('3.1.0');
    const paths = json['paths'] as Record<string, Record<string, unknown>>;
    const documented = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`));
    expect(documented.toSorted()).toEqual([...operations.map(({ id }) => id), ...publicOperations].toSorted());
  });

  it.each(operations.map((operation) => [operation.id, operation] as const))('%s without a key: 401', async (id, { path, body }) => {
    const answer = await api.request(methodOf(id), path(world), { key: null, body });
    expectProblem(answer, 401, 'not-authenticated');
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
  });

  const owned = operations.filter(({ id }) => id.includes('{'));
  it.each(owned.map((operation) => [operation.id, operation] as const))('%s of another organization: 404', async (id, { path, body }) => {
    expectProblem(await api.request(methodOf(id), path(world), { key: api.bob.key, body }), 404, 'not-found');
  });

  it.each(owned.map((operation) => [operation.id, operation] as const))('%s with an id that is none: 404', async (id, { path, body }) => {
    for (const nonsense of ['not-a-uuid', '%00', "1'%20OR%201=1", '00000000-0000-0000-0000-000000000000']) {
      const bad = path(world).replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, nonsense);
      expectProblem(await api.request(methodOf(id), bad, { body }), 404, 'not-found');
    }
  });

  const withBody = operations.filter(({ body }) => body !== undefined && Object.keys(body as object).length > 0);
  it.each(withBody.map((operation) => [operation.id, operation] as const))('%s refuses what does not fit', async (id, { path, body, takesAnyObject }) => {
    const send = (bad: unknown, headers?: Record<string, string>) =>
      api.request(methodOf(id), path(world), headers === undefined ? { body: bad } : { body: bad, headers });
    if (takesAnyObject !== true) {
      const unknown = await send({ ...(body as object), unknown_field: 1 });
      expectProblem(unknown, 422, 'invalid-request');
      expect(unknown.json['errors']).toContainEqual({ path: 'unknown_field', message: 'is not a known field' });
    }
    for (const bad of [[], '"text"', 7, null]) expect((await send(bad)).status).toBe(422);
    expectProblem(await send('{"name":'), 400, 'invalid-request');
    expectProblem(await send('x=1', { 'content-type': 'application/x-www-form-urlencoded' }), 415, 'unsupported-media-type');
    expectProblem(await send(JSON.stringify({ name: 'x'.repeat(1024 * 1024) })), 413, 'body-too-large');
  });

  it.each(operations.map((operation) => [operation.id, operation] as const))('%s works', async (id, { path, body, file, status, check }) => {
    const request = file === undefined ? { body } : { body: file.content, headers: { 'content-type': file.type } };
    const answer = await api.request(methodOf(id), path(world), request);
    expect(answer.status, answer.text).toBe(status);
    answers.push(answer);
    await check?.(answer, api);
  });
});

describe('after every operation was called', () => {
  it('no answer held a stored secret', () => {
    expect(answers).toHaveLength(operations.length);
    for (const { text } of answers) for (const secret of Object.values(secrets)) expect(text).not.toContain(secret);
  });

  it('no log line held a secret, a key, an agent’s UUID or a number', () => {
    const log = api.logLines.join('');
    expect(log).toContain('/api/v1/agents/:uuid');
    for (const canary of [...Object.values(secrets), api.alice.key, world.agentUuid, '+15550001111']) expect(log).not.toContain(canary);
  });

  it('another organization sees none of it in its lists', async () => {
    for (const path of ['agents', 'telephony-configs', 'runs', 'refusals', 'vendor-credentials', 'credentials', 'tools', 'webhook-endpoints', 'webhook-deliveries', 'documents', 'audio-clips']) {
      const { json } = await api.request('GET', `/api/v1/${path}`, { key: api.bob.key });
      expect(json.items).toEqual([]);
    }
  });
});
