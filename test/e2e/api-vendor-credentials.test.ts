import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFakeCartesia } from '../support/fakes/cartesia.js';
import { startFakeOpenai } from '../support/fakes/openai.js';
import { findClosedPort, startVendorServer, type VendorServer } from '../support/fakes/vendor-server.js';
import { until } from '../support/wait-for.js';
import { anyText, startApi, type ApiTest } from './api-harness.js';

const rightKey = 'sk-right-0123456789-abcd';
const wrongKey = 'sk-wrong-0123456789-wxyz';
const anyNumber: unknown = expect.any(Number);

let api: ApiTest;
let model: VendorServer;
let voice: VendorServer;
let silent: VendorServer;
beforeAll(async () => {
  api = await startApi({ env: { AGENT_STREAM_ALLOW_PRIVATE_NETWORKS: 'true' } });
  model = await startFakeOpenai({ apiKey: rightKey });
  voice = await startFakeCartesia({ apiKey: rightKey });
  silent = await startVendorServer({ onRequest: () => undefined, onUpgrade: () => ({ kind: 'hang' }) });
});
afterAll(async () => {
  for (const each of [api, model, voice, silent]) await each.close();
});

let names = 0;
const save = (query: string, body: object) =>
  api.request('POST', `/api/v1/vendor-credentials${query}`, { body: { vendor: 'openai', name: `Key ${(names += 1)}`, api_key: rightKey, ...body } });
const list = async () => (await api.request('GET', '/api/v1/vendor-credentials')).json.items!;
const test = (id: unknown, key?: string) => api.request('POST', `/api/v1/vendor-credentials/${String(id)}/test`, key === undefined ? {} : { key });
const expectNoSecret = (text: string) => {
  for (const secret of [rightKey, wrongKey]) expect(text).not.toContain(secret);
};

describe('testing a stored key', () => {
  it('answers by leg, and shows neither key nor address', async () => {
    const { json } = await save('', { base_url: model.httpUrl });
    const { status, json: answer, text } = await test(json['id']);
    expect(status).toBe(200);
    expect(answer).toEqual({
      legs: [
        // The fake answers in writing alone, as many compatible servers do.
        { leg: 'stt', ok: false, time_to_first_byte_ms: null, model: 'whisper-1', code: 'vendor-rejected', message: anyText },
        { leg: 'llm', ok: true, time_to_first_byte_ms: anyNumber, model: 'gpt-4.1-mini' },
        { leg: 'tts', ok: false, time_to_first_byte_ms: null, model: 'gpt-4o-mini-tts', code: 'vendor-rejected', message: anyText },
        { leg: 'realtime', ok: false, time_to_first_byte_ms: null, model: 'gpt-realtime', code: 'vendor-rejected', message: anyText },
      ],
    });
    expectNoSecret(text);
    expect(text).not.toContain('127.0.0.1');
  });

  it('says what the vendor refuses, and what does not answer', async () => {
    const refused = await save('', { vendor: 'deepgram', api_key: wrongKey, base_url: (await startRefusing()).wsUrl });
    const dead = await save('', { base_url: `http://127.0.0.1:${await findClosedPort()}` });
    const codes = async (id: unknown) => ((await test(id)).json['legs'] as { leg: string; ok: boolean; code: string }[]).map(({ leg, ok, code }) => [leg, ok, code]);
    expect(await codes(refused.json['id'])).toEqual([
      ['stt', false, 'vendor-unauthorized'],
      ['tts', false, 'vendor-unauthorized'],
    ]);
    expect(await codes(dead.json['id'])).toEqual([
      ['stt', false, 'vendor-unreachable'],
      ['llm', false, 'vendor-unreachable'],
      ['tts', false, 'vendor-unreachable'],
      ['realtime', false, 'vendor-unreachable'],
    ]);
  });

  it('is for the organization that stored it', async () => {
    const { json } = await save('', {});
    expect((await test(json['id'], api.bob.key)).status).toBe(404);
  });

  it('ends when the client is gone', async () => {
    const { json: saved } = await save('', { vendor: 'cartesia', base_url: silent.wsUrl });
    const controller = new AbortController();
    const headers = { authorization: `Bearer ${api.alice.key}` };
    const asking = fetch(`${api.url}/api/v1/vendor-credentials/${String(saved['id'])}/test`, { method: 'POST', headers, signal: controller.signal });
    await until(() => silent.openSockets() > 0);
    controller.abort(new Error('gone'));
    await expect(asking).rejects.toThrow('gone');
    await until(() => silent.openSockets() === 0, 'the vendor is let go');
  });
});

const refusing: VendorServer[] = [];
afterAll(async () => {
  for (const server of refusing) await server.close();
});
async function startRefusing(): Promise<VendorServer> {
  const server = await startVendorServer({ onRequest: (_request, response) => void response.writeHead(403).end(), onUpgrade: () => ({ kind: 'http', status: 403 }) });
  refusing.push(server);
  return server;
}

describe('testing while saving', () => {
  it('stores what works, and says how it did', async () => {
    const { status, json } = await save('?test=true', { vendor: 'cartesia', base_url: voice.wsUrl });
    expect([status, json['legs']]).toEqual([201, [{ leg: 'tts', ok: true, time_to_first_byte_ms: anyNumber, model: 'sonic-3' }]]);
    expect(await list()).toContainEqual(expect.objectContaining({ id: json['id'] }));
  });

  it('stores nothing that the vendor refuses', async () => {
    const before = await list();
    const { status, json, headers, text } = await save('?test=true', { vendor: 'cartesia', api_key: wrongKey, base_url: voice.wsUrl });
    expect(status).toBe(422);
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(json).toMatchObject({ code: 'invalid-request', errors: [{ path: 'api_key', message: 'was refused by cartesia (tts)', cure: anyText }] });
    expectNoSecret(text);
    expect(await list()).toEqual(before);
  });

  it('stores a key that one leg takes, and one whose vendor is away', async () => {
    const half = await save('?test=true', { base_url: model.httpUrl });
    expect([half.status, (half.json['legs'] as { ok: boolean }[]).map(({ ok }) => ok)]).toEqual([201, [false, true, false, false]]);
    const away = await save('?test=true', { base_url: `http://127.0.0.1:${await findClosedPort()}` });
    expect(away.status).toBe(201);
  });

  it('takes no other word for true', async () => {
    expect((await save('?test=maybe', {})).status).toBe(422);
    expect((await save('?probe=true', {})).status).toBe(422);
  });
});

describe('changing a stored key', () => {
  const change = (id: unknown, body: object, query = '') => api.request('PATCH', `/api/v1/vendor-credentials/${String(id)}${query}`, { body });
  const keyOf = async (id: unknown) => (await api.store.vendorCredentials.get(api.alice.organizationId, String(id)))?.apiKey;

  it('replaces it only by one that the vendor takes', async () => {
    const { json } = await save('', { vendor: 'cartesia', base_url: voice.wsUrl });
    const refused = await change(json['id'], { api_key: wrongKey }, '?test=true');
    expect([refused.status, refused.json['code']]).toEqual([422, 'invalid-request']);
    expect(await keyOf(json['id'])).toBe(rightKey);
    expect((await change(json['id'], { api_key: wrongKey })).status).toBe(200);
    expect(await keyOf(json['id'])).toBe(wrongKey);
    const back = await change(json['id'], { api_key: rightKey }, '?test=true');
    expect(back.json).toMatchObject({ api_key: '****abcd', legs: [{ leg: 'tts', ok: true }] });
  });

  it('keeps it where it comes back masked, and does not send it to another address', async () => {
    const { json } = await save('', { vendor: 'cartesia', base_url: voice.wsUrl });
    expect((await change(json['id'], { name: 'Renamed voice', api_key: json['api_key'] })).json).toMatchObject({ name: 'Renamed voice', api_key: json['api_key'] });
    expect(await keyOf(json['id'])).toBe(rightKey);
    const moved = await change(json['id'], { base_url: silent.wsUrl, api_key: json['api_key'] });
    expect([moved.status, moved.json['errors']]).toEqual([422, [{ path: 'api_key', message: anyText }]]);
    expect((await change(json['id'], { base_url: silent.wsUrl, api_key: wrongKey })).json).toMatchObject({ base_url: silent.wsUrl });
    expect((await change(json['id'], { base_url: null })).json).toMatchObject({ base_url: null });
    expect((await change(json['id'], { vendor: 'openai' })).status).toBe(422);
  });
});

it('logs no key', () => expectNoSecret(api.logLines.join('\n')));
