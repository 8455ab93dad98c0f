import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyText, startApi, type ApiTest } from './api-harness.js';

let api: ApiTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const token = 'canary-bearer-token-1234';
const unknownUuid = '00000000-0000-4000-8000-000000000000';

let names = 0;
const create = (credential: object, rest: object = {}) => api.request('POST', '/api/v1/credentials', { body: { name: `Credential ${(names += 1)}`, credential, ...rest } });
const bearer = async () => String((await create({ type: 'bearer', token })).json['uuid']);
const change = (uuid: unknown, body: object) => api.request('PATCH', `/api/v1/credentials/${String(uuid)}`, { body });
const opened = async (uuid: unknown) => (await api.store.credentials.get(api.alice.organizationId, String(uuid)))?.fields;
const pathsOf = ({ json }: { json: Record<string, unknown> }) => (json['errors'] as { path: string }[]).map(({ path }) => path);

describe('a credential of requests', () => {
  it.each<[string, object, string]>([
    ['an unknown type', { type: 'oauth', token }, 'credential.type'],
    ['a field of another type', { type: 'bearer', token, header: 'X-A' }, 'credential.header'],
    ['no secret', { type: 'basic', username: 'desk' }, 'credential.password'],
    ['a header that the request sets itself', { type: 'custom_header', header: 'Content-Length', value: '1' }, 'credential.header'],
    ['a value of two lines', { type: 'custom_headers', headers: { 'X-A': 'a\r\nX-B: b' } }, 'credential.headers.X-A'],
  ])('with %s is refused by field, and nothing of it is repeated', async (_name, credential, path) => {
    const answer = await create(credential);
    expect([answer.status, pathsOf(answer)]).toEqual([422, [path]]);
    expect(answer.text).not.toContain(token);
  });

  it('keeps secrets that come back masked, one by one, and takes the others', async () => {
    const { json } = await create({ type: 'basic', username: 'desk', password: 'a-long-password' });
    const masked = json['credential'] as object;
    expect(masked).toEqual({ type: 'basic', username: 'desk', password: '****word' });
    expect((await change(json['uuid'], { credential: { ...masked, username: 'front' } })).status).toBe(200);
    expect(await opened(json['uuid'])).toEqual({ type: 'basic', username: 'front', password: 'a-long-password' });
    await change(json['uuid'], { credential: { type: 'custom_headers', headers: { 'X-A': 'first-long-secret', 'X-B': 'b' } } });
    await change(json['uuid'], { credential: { type: 'custom_headers', headers: { 'X-A': '****cret', 'X-B': 'c' } } });
    expect(await opened(json['uuid'])).toEqual({ type: 'custom_headers', headers: { 'X-A': 'first-long-secret', 'X-B': 'c' } });
    // The mask of another type's secret is none of this one's.
    await change(json['uuid'], { credential: { type: 'bearer', token: '****cret' } });
    expect(await opened(json['uuid'])).toEqual({ type: 'bearer', token: '****cret' });
  });

  it('is changed in nothing that it does not have, and has a name of its own', async () => {
    const [uuid, other] = [await bearer(), await create({ type: 'bearer', token })];
    expect((await change(uuid, { token })).status).toBe(422);
    expect((await change(uuid, { name: other.json['name'] })).json['code']).toBe('conflict');
    expect((await change(uuid, {})).json).toMatchObject({ uuid, credential: { type: 'bearer', token: '****1234' } });
  });

  it('is of no other organization', async () => {
    const path = `/api/v1/credentials/${await bearer()}`;
    for (const method of ['GET', 'DELETE'] as const) expect((await api.request(method, path, { key: api.bob.key })).status).toBe(404);
    expect((await api.request('PATCH', path, { key: api.bob.key, body: { name: 'Mine' } })).status).toBe(404);
  });
});

describe('a tool with a stored credential', () => {
  const createTool = (rest: object) =>
    api.request('POST', '/api/v1/tools', { body: { name: `Tool ${(names += 1)}`, description: 'D', kind: 'http_api', config: { url: 'https://shop.example.com' }, ...rest } });
  const changeTool = (uuid: unknown, body: object) => api.request('PATCH', `/api/v1/tools/${String(uuid)}`, { body });
  const own = { type: 'api_key', header: 'X-API-Key', key: 'own-key-0123456789' };

  it('names one that exists, and has no other beside it', async () => {
    const uuid = await bearer();
    expect((await createTool({ credential_uuid: uuid })).json).toMatchObject({ credential: null, credential_uuid: uuid });
    for (const body of [{ credential_uuid: unknownUuid }, { credential_uuid: uuid, credential: own }]) {
      const answer = await createTool(body);
      expect([answer.status, pathsOf(answer)]).toEqual([422, ['credential_uuid']]);
    }
  });

  it('takes one in the place of the other, and keeps what is sent back as it was', async () => {
    const uuid = await bearer();
    const tool = (await createTool({ credential: own })).json['uuid'];
    const shown = { ...own, key: '****6789' };
    const states: [object, object | null, string | null][] = [
      [{ credential: shown, credential_uuid: null }, shown, null],
      [{ credential_uuid: uuid }, null, uuid],
      [{ credential: null, credential_uuid: uuid }, null, uuid],
      [{ credential: null }, null, uuid],
      [{ description: 'Other' }, null, uuid],
      [{ credential: own }, shown, null],
      [{ credential_uuid: null }, shown, null],
      [{ credential_uuid: uuid }, null, uuid],
      [{ credential_uuid: null }, null, null],
    ];
    for (const [body, credential, credential_uuid] of states) expect((await changeTool(tool, body)).json).toMatchObject({ credential, credential_uuid });
  });

  it('keeps it from being deleted', async () => {
    const uuid = await bearer();
    const { json } = await createTool({ credential_uuid: uuid });
    const refused = await api.request('DELETE', `/api/v1/credentials/${uuid}`);
    expect([refused.status, refused.json['code']]).toEqual([409, 'conflict']);
    expect(refused.json['detail']).toContain(`the tool “${String(json['name'])}”`);
    await changeTool(json['uuid'], { credential_uuid: null });
    expect((await api.request('DELETE', `/api/v1/credentials/${uuid}`)).status).toBe(204);
  });
});

describe('an agent that names a credential', () => {
  const workflow = (uuid: string) => ({
    nodes: [
      { id: 's', type: 'startCall', data: { name: 'S', prompt: 'P', pre_call_fetch_mode: 'always', pre_call_fetch_url: 'https://crm.example.com/who', pre_call_fetch_credential_uuid: uuid } },
      { id: 'w', type: 'webhook', data: { name: 'W', endpoint_url: 'https://crm.example.com/calls', credential_uuid: uuid } },
    ],
    edges: [],
  });
  const createAgent = (uuid: string) => api.request('POST', '/api/v1/agents', { body: { name: 'Desk', workflow_definition: workflow(uuid) } });
  const places = [{ element_id: 's', path: 'data.pre_call_fetch_credential_uuid' }, { element_id: 'w', path: 'data.credential_uuid' }];

  it('is published where it exists in its organization, and nowhere else', async () => {
    const uuid = await bearer();
    expect((await createAgent(uuid)).status).toBe(201);
    const foreign = await api.store.credentials.create({ organizationId: api.bob.organizationId, name: 'Theirs', fields: { type: 'bearer', token } });
    for (const missing of [unknownUuid, foreign.uuid]) {
      const { status, json } = await createAgent(missing);
      expect([status, json['code']]).toEqual([422, 'workflow-invalid']);
      expect(json['errors']).toMatchObject(places.map((place) => ({ ...place, message: `there is no credential ${missing}`, cure: anyText })));
    }
  });

  it('keeps it until it is archived; restored it must be given another to be published', async () => {
    const uuid = await bearer();
    const agent = String((await createAgent(uuid)).json['uuid']);
    const remove = () => api.request('DELETE', `/api/v1/credentials/${uuid}`);
    expect((await remove()).json['detail']).toContain('the agent “Desk”');
    await api.request('POST', `/api/v1/agents/${agent}/archive`);
    expect((await remove()).status).toBe(204);
    await api.request('POST', `/api/v1/agents/${agent}/unarchive`, { body: {} });
    const draft = await api.request('PUT', `/api/v1/agents/${agent}/draft`, { body: { settings: { language: 'de' } } });
    expect(draft.json['errors']).toMatchObject(places);
    expect((await api.request('POST', `/api/v1/agents/${agent}/publish`, { body: {} })).json['code']).toBe('workflow-invalid');
  });

  it('is imported with it where it is here, and else with what to create', async () => {
    const uuid = await bearer();
    const importing = (named: string) => api.request('POST', '/api/v1/agents/import', { body: { name: 'Desk', workflow_definition: workflow(named) } });
    expect((await importing(uuid)).json).toMatchObject({ dropped: [], content: { workflow_definition: { nodes: [{}, { data: { credential_uuid: uuid } }] } } });
    const { status, json } = await importing(unknownUuid);
    expect([status, json['problems']]).toEqual([201, []]);
    expect(json['dropped']).toEqual([
      { path: 'nodes.0.data.pre_call_fetch_credential_uuid', element_id: 's', value_kind: 'string', why: expect.stringContaining('create the one for crm.example.com (POST /api/v1/credentials)') as string },
      { path: 'nodes.1.data.credential_uuid', element_id: 'w', value_kind: 'string', why: expect.stringContaining('then name it in credential_uuid') as string },
    ]);
  });
});

it('logs no secret', () => expect(api.logLines.join('\n')).not.toContain(token));
