import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type ApiTest } from './api-harness.js';

let api: ApiTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const createAgent = async (name: string, body: object = {}): Promise<string> => {
  const answer = await api.request('POST', '/api/v1/agents', { body: { name, ...body } });
  expect(answer.status, answer.text).toBe(201);
  return String(answer.json['uuid']);
};

const brokenWorkflow = {
  nodes: [{ id: 'a', type: 'agentNode', position: { x: 0, y: 0 }, data: { name: 'Lost', prompt: 'Talk.' } }],
  edges: [{ id: 'e', source: 'a', target: 'nowhere', data: { label: 'Away' } }],
};

describe('agents', () => {
  it('are refused with every problem named', async () => {
    const { status, json } = await api.request('POST', '/api/v1/agents', {
      body: { name: 'Broken', workflow_definition: brokenWorkflow, settings: { max_call_duration: 1, colour: 'red', models: { stt: { vendor: 'nobody' } } } },
    });
    expect([status, json['code']]).toEqual([422, 'workflow-invalid']);
    const errors = json['errors'] as { path: string; element_id?: string; message: string; cure?: string }[];
    expect(errors.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['settings.max_call_duration', 'settings.colour', expect.stringMatching(/^settings\.models\.stt/)]),
    );
    expect(errors.some(({ element_id: element }) => element === 'e')).toBe(true);
    expect(errors.every(({ message, cure }) => message !== '' && cure !== '')).toBe(true);
    expect((await api.request('GET', '/api/v1/agents')).json.items).toEqual([]);
  });

  it('refuse variables that no call could hold', async () => {
    const variables = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`v${index}`, 'x'.repeat(100)]));
    const { status, json } = await api.request('POST', '/api/v1/agents', { body: { name: 'Large', template_context_variables: variables } });
    expect([status, json['code']]).toEqual([422, 'workflow-invalid']);
  });

  it('keep a broken draft, and refuse to publish it', async () => {
    const uuid = await createAgent('Drafted');
    const draft = await api.request('PUT', `/api/v1/agents/${uuid}/draft`, { body: { workflow_definition: brokenWorkflow } });
    expect(draft.status).toBe(200);
    expect(draft.json['errors']).not.toEqual([]);
    const published = await api.request('POST', `/api/v1/agents/${uuid}/publish`);
    expect([published.status, published.json['code']]).toEqual([422, 'workflow-invalid']);
    expect((await api.request('GET', `/api/v1/agents/${uuid}`)).json).toMatchObject({ published_version: 1, draft_version: 2, version: 2 });
  });

  it('have nothing to publish without a draft', async () => {
    const uuid = await createAgent('No draft');
    const { status, json } = await api.request('POST', `/api/v1/agents/${uuid}/publish`);
    expect([status, json['code'], json['detail']]).toEqual([409, 'conflict', 'There is no draft to publish.']);
  });

  it('guard their draft by If-Match', async () => {
    const uuid = await createAgent('Guarded');
    const path = `/api/v1/agents/${uuid}`;
    const etag = (await api.request('GET', path)).headers.get('etag') ?? '';
    const put = (company: string, ifMatch: string) =>
      api.request('PUT', `${path}/draft`, { body: { template_context_variables: { company } }, headers: { 'if-match': ifMatch } });
    const first = await put('First', etag);
    expect(first.status).toBe(200);
    const stale = await put('Second', etag);
    expect([stale.status, stale.json['code']]).toEqual([412, 'precondition-failed']);
    const current = (await api.request('GET', path)).headers.get('etag');
    expect(first.headers.get('etag')).toBe(current);
    expect((await put('Third', `"other", ${current}`)).status).toBe(200);
    expect((await put('Fourth', '*')).status).toBe(200);
  });

  it('let one of several writers with the same tag through, and lose nothing of those without one', async () => {
    const path = `/api/v1/agents/${await createAgent('Contended')}`;
    const edit = (body: Record<string, unknown>, headers: Record<string, string> = {}) => api.request('PUT', `${path}/draft`, { body, headers });
    for (let round = 0; round < 5; round += 1) {
      const etag = (await api.request('GET', path)).headers.get('etag') ?? '';
      const writers = Array.from({ length: 8 }, (_, index) => `${round}-${index}`);
      const answers = await Promise.all(writers.map((writer) => edit({ template_context_variables: { writer } }, { 'if-match': etag })));
      expect(answers.map(({ status }) => status).toSorted((left, right) => left - right)).toEqual([200, ...Array<number>(7).fill(412)]);
      const winner = writers[answers.findIndex(({ status }) => status === 200)];
      expect((await api.request('GET', path)).json['template_context_variables']).toEqual({ writer: winner });
    }
    const parts = [{ template_context_variables: { company: 'Acme' } }, { settings: { language: 'de' } }];
    for (const { status } of await Promise.all(parts.map((part) => edit(part)))) expect(status).toBe(200);
    expect((await api.request('GET', path)).json).toMatchObject({ template_context_variables: { company: 'Acme' }, settings: { language: 'de' } });
  });

  it('page newest first, each exactly once, and refuse a made-up cursor', async () => {
    const uuids: string[] = [];
    for (let index = 0; index < 5; index += 1) uuids.push(await createAgent(`Paged ${index}`));
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const query: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const { json, status } = await api.request('GET', `/api/v1/agents?limit=2${query}`);
      expect(status).toBe(200);
      expect(json.items?.length).toBeLessThanOrEqual(2);
      seen.push(...(json.items ?? []).map((agent) => String(agent['uuid'])));
      cursor = json['next_cursor'] as string | null;
    } while (cursor !== null);
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.slice(0, 5)).toEqual(uuids.toReversed());
    for (const query of ['cursor=rubbish', 'cursor=%00', 'limit=0', 'limit=201', 'limit=abc', 'unknown=1', 'limit=1&limit=2']) {
      const { status, json } = await api.request('GET', `/api/v1/agents?${query}`);
      expect([query, status, json['code']]).toEqual([query, 422, 'invalid-request']);
    }
  });

  it('show archived ones on request only', async () => {
    const uuid = await createAgent('Gone');
    await api.request('POST', `/api/v1/agents/${uuid}/archive`);
    const listed = async (query: string) =>
      ((await api.request('GET', `/api/v1/agents?limit=200${query}`)).json.items ?? []).some((agent) => agent['uuid'] === uuid);
    expect([await listed(''), await listed('&include_archived=true')]).toEqual([false, true]);
  });

  it('hide the stream token behind a placeholder once it was shown', async () => {
    const uuid = await createAgent('Locked');
    const path = `/api/v1/agents/${uuid}`;
    const token = String((await api.request('POST', `${path}/stream-token`, { body: { overlap_seconds: 0 } })).json['stream_token']);
    const { json, text } = await api.request('GET', `${path}/stream-url`);
    expect(json['url']).toMatch(/\/\{stream_token\}$/);
    expect(text).not.toContain(token);
    expect((await api.request('GET', path)).json['requires_stream_token']).toBe(true);
    expect((await api.request('DELETE', `${path}/stream-token`)).status).toBe(204);
    expect((await api.request('DELETE', `${path}/stream-token`)).status).toBe(404);
    expect((await api.request('GET', `${path}/stream-url?provider=nobody`)).json['errors']).toEqual([
      { path: 'provider', message: 'is not a known provider; known are cloudonix' },
    ]);
  });
});

describe('telephony configurations', () => {
  const create = (credentials: object, key = api.alice.key) =>
    api.request('POST', '/api/v1/telephony-configs', { key, body: { name: 'Acme', provider: 'cloudonix', credentials } });

  it('exist once per account and organization', async () => {
    const first = await create({ domain_id: 'acme', bearer_token: 'XI-0123456789' });
    expect(first.status).toBe(201);
    const again = await create({ domain_id: ' ACME.cloudonix.net. ' });
    expect([again.status, again.json['code']]).toEqual([409, 'conflict']);
    expect((await create({ domain_id: 'acme' }, api.bob.key)).status).toBe(201);
    const other = await create({ domain_id: 'other' });
    const moved = await api.request('PATCH', `/api/v1/telephony-configs/${String(other.json['id'])}`, { body: { credentials: { domain_id: 'acme' } } });
    expect([moved.status, moved.json['code']]).toEqual([409, 'conflict']);
  });

  it('keep the stored secret where a masked one comes back, and take a new one', async () => {
    const { json } = await create({ domain_id: 'kept', bearer_token: 'XI-0123456789-old' });
    const id = String(json['id']);
    const stored = async () => (await api.store.telephonyConfigs.get(api.alice.organizationId, id))?.credentials;
    await api.request('PATCH', `/api/v1/telephony-configs/${id}`, { body: { credentials: { bearer_token: '****-old' } } });
    expect(await stored()).toEqual({ domain_id: 'kept', bearer_token: 'XI-0123456789-old' });
    await api.request('PATCH', `/api/v1/telephony-configs/${id}`, { body: { credentials: { bearer_token: 'XI-0123456789-new' } } });
    expect(await stored()).toEqual({ domain_id: 'kept', bearer_token: 'XI-0123456789-new' });
  });

  it('refuse unknown providers and credentials that do not fit, by field', async () => {
    const unknown = await api.request('POST', '/api/v1/telephony-configs', { body: { name: 'X', provider: 'nobody', credentials: {} } });
    expect(unknown.json['errors']).toEqual([{ path: 'provider', message: 'is not a known provider; known are cloudonix' }]);
    const bad = await create({ domain_id: 'acme', bearer_token: 'with space', colour: 'red' });
    expect(bad.status).toBe(422);
    expect((bad.json['errors'] as { path: string }[]).map(({ path }) => path)).toContain('credentials.bearer_token');
  });
});

describe('keys, credentials and limits', () => {
  it('take effect at once when a key is deleted', async () => {
    const created = await api.request('POST', '/api/v1/api-keys', { body: { name: 'Short-lived' } });
    const key = String(created.json['key']);
    expect((await api.request('GET', '/api/v1/usage', { key })).status).toBe(200);
    expect((await api.request('GET', '/api/v1/usage', { key: null, headers: { 'x-api-key': key } })).status).toBe(200);
    await api.request('DELETE', `/api/v1/api-keys/${String(created.json['id'])}`);
    expect((await api.request('GET', '/api/v1/usage', { key })).status).toBe(401);
  });

  it('refuse a key that has expired already, or for a stranger', async () => {
    const expired = await api.request('POST', '/api/v1/api-keys', { body: { name: 'Old', expires_at: '2020-01-01T00:00:00Z' } });
    expect(expired.json['errors']).toEqual([{ path: 'expires_at', message: 'must lie in the future' }]);
    const stranger = await api.request('POST', '/api/v1/api-keys', { body: { name: 'His', user_id: api.bob.userId } });
    expect(stranger.json['errors']).toEqual([{ path: 'user_id', message: 'is not a user of the organization' }]);
  });

  it('refuse vendors that take no key, addresses that are none, and models that do not exist', async () => {
    const credential = (change: object) =>
      api.request('POST', '/api/v1/vendor-credentials', { body: { vendor: 'deepgram', name: 'D', api_key: 'k', ...change } });
    expect((await credential({ vendor: 'builtin' })).status).toBe(422);
    expect((await credential({ base_url: 'file:///etc/passwd' })).status).toBe(422);
    expect((await credential({ api_key: 'two words' })).status).toBe(422);
    expect((await credential({ base_url: 'wss://proxy.example.com' })).status).toBe(201);
    for (const host of ['127.0.0.1:9', '169.254.169.254', '[::1]', '[::ffff:10.0.0.1]', '0.0.0.0', '2130706433', 'localhost', 'db.internal', 'redis']) {
      const { status, json } = await credential({ base_url: `http://${host}/` });
      expect([host, status, json['code']]).toEqual([host, 422, 'egress-refused']);
    }
    const models = await api.request('PUT', '/api/v1/organization/limits', { body: { default_models: { stt: { vendor: 'nobody' } } } });
    expect(models.status).toBe(422);
    expect((models.json['errors'] as { path: string }[])[0]?.path).toMatch(/^default_models\.stt/);
  });
});
