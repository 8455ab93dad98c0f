import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startApi, type ApiTest } from './api-harness.js';

let api: ApiTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const url = 'https://hooks.example.com/calls';
const create = (body: object) => api.request('POST', '/api/v1/webhook-endpoints', { body: { url, ...body } });

describe('webhook endpoints', () => {
  it.each([
    [{ url: 'ftp://hooks.example.com' }, 'url'],
    [{ url: 'hooks.example.com' }, 'url'],
    [{ url: 'https://user:password@hooks.example.com' }, 'url'],
    [{ events: [] }, 'events'],
    [{ events: ['run.ended', 'run.ended'] }, 'events'],
    [{ events: ['run.exploded'] }, 'events'],
    [{ secret: 'whsec_mine' }, 'secret'],
    [{ enabled: 'yes' }, 'enabled'],
  ])('refuse %j and say where', async (body, path) => {
    const { status, json } = await create(body);
    expect([status, json['code']]).toEqual([422, 'invalid-request']);
    expect((json['errors'] as { path: string }[])[0]?.path).toMatch(new RegExp(`^${path}`));
  });

  it.each(['http://127.0.0.1/', 'http://localhost:8080/', 'http://[::1]/', 'http://169.254.169.254/latest', 'http://2130706433/', 'http://0x7f.1/', 'http://router/', 'http://db.internal/'])(
    'refuse %s, which lies inside, also as a change',
    async (inside) => {
      expect((await create({ url: inside })).json).toMatchObject({ code: 'egress-refused' });
      const { json } = await create({});
      const path = `/api/v1/webhook-endpoints/${String(json['id'])}`;
      expect((await api.request('PATCH', path, { body: { url: inside } })).json).toMatchObject({ code: 'egress-refused' });
      expect((await api.request('DELETE', path)).status).toBe(204);
      expect((await api.request('GET', path)).status).toBe(404);
    },
  );

  it('are listed in pages', async () => {
    const ids: unknown[] = [];
    for (let count = 0; count < 5; count += 1) ids.push((await create({ description: String(count) })).json['id']);
    const seen: unknown[] = [];
    for (let cursor = ''; ; ) {
      const { json } = await api.request('GET', `/api/v1/webhook-endpoints?limit=2${cursor}`);
      seen.push(...(json.items ?? []).map(({ id }) => id));
      if (typeof json['next_cursor'] !== 'string') break;
      cursor = `&cursor=${json['next_cursor']}`;
    }
    expect(seen).toEqual(ids.toReversed());
  });

  it('give their secret once, and another at a rotation', async () => {
    const created = await create({});
    const path = `/api/v1/webhook-endpoints/${String(created.json['id'])}`;
    expect((await api.request('GET', path)).text).not.toContain('whsec_');
    const rotated = await api.request('POST', `${path}/rotate-secret`, { body: { overlap_hours: 1 } });
    expect(rotated.json['secret']).not.toBe(created.json['secret']);
    const leftMs = Date.parse(String(rotated.json['former_secret_expires_at'])) - Date.now();
    expect(leftMs).toBeGreaterThan(3_500_000);
    expect(leftMs).toBeLessThan(3_700_000);
    expect((await api.request('POST', `${path}/rotate-secret`, { body: { overlap_hours: 1_000 } })).status).toBe(422);
    for (const line of api.logLines) expect(line).not.toContain('whsec_');
  });

  it('resend a delivery of their own and no other', async () => {
    const [one, other] = [String((await create({})).json['id']), String((await create({})).json['id'])];
    const { json } = await api.request('POST', `/api/v1/webhook-endpoints/${one}/test`);
    const resend = (endpointId: string) => api.request('POST', `/api/v1/webhook-endpoints/${endpointId}/deliveries/${String(json['id'])}/resend`);
    expect((await resend(one)).json).toMatchObject({ id: json['id'], webhook_id: json['webhook_id'], status: 'pending' });
    expect((await resend(other)).status).toBe(404);
  });
});
