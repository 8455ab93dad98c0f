import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Run } from '../../src/store/store.js';
import { finaliseRun, mintRun, startApi, type ApiTest } from './api-harness.js';

let api: ApiTest;
let agentUuid: string;
beforeAll(async () => {
  api = await startApi();
  agentUuid = String((await api.request('POST', '/api/v1/agents', { body: { name: 'First' } })).json['uuid']);
});
afterAll(() => api.close());

const mint = () => mintRun(api.store, api.alice, agentUuid);

describe('a run', () => {
  it('has exactly the fields of the contract', async () => {
    const run = await mint();
    await api.store.runs.markRunning(run.id);
    await finaliseRun(api.store, run.id);
    const { json } = await api.request('GET', `/api/v1/runs/${run.id}`);
    const anyName: unknown = expect.stringMatching(/^WR-AGS-\d{8}$/);
    const time: unknown = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(json).toEqual({
      id: run.id,
      name: anyName,
      agent_uuid: agentUuid,
      analysis: null,
      agent_version: 1,
      organization_id: api.alice.organizationId,
      telephony_config_id: null,
      call_type: 'inbound',
      mode: 'cloudonix',
      state: 'completed',
      initial_context: { provider: 'cloudonix', direction: 'inbound', caller_number: '+15550001111', called_number: '+15550002222' },
      gathered_context: { nodes_visited: ['Reception'] },
      logs: {},
      end_reason: 'caller_hangup',
      close_code: 1000,
      close_reason: '',
      created_at: time,
      answered_at: time,
      ended_at: time,
      duration_ms: 4200,
      usage: { llm: { input_tokens: 12 } },
      cost: {},
      latency: { turns: [] },
      recording_url: null,
      recording_expires_at: null,
      recording_deleted_at: null,
      transcript_url: `${api.url}/api/v1/runs/${run.id}/transcript`,
      events_url: `${api.url}/api/v1/runs/${run.id}/events`,
    });
  });

  it('is found by its filters', async () => {
    const run = await mint();
    const ids = async (query: string) => {
      const { json, status } = await api.request('GET', `/api/v1/runs?${query}`);
      expect(status, query).toBe(200);
      return (json.items ?? []).map((item) => item['id']);
    };
    const created = encodeURIComponent(run.createdAt.toISOString());
    expect(await ids(`state=initialized&agent_uuid=${agentUuid}`)).toContain(run.id);
    expect(await ids(`q=${run.name}`)).toEqual([run.id]);
    expect(await ids(`q=${encodeURIComponent('+1555000')}&limit=200`)).toContain(run.id);
    expect(await ids('q=%25')).toEqual([]);
    expect(await ids('state=failed')).toEqual([]);
    expect(await ids('end_reason=caller_hangup')).not.toContain(run.id);
    expect(await ids(`from=${created}&limit=200`)).toContain(run.id);
    expect(await ids(`to=${created}&limit=200`)).not.toContain(run.id);
    for (const query of ['state=gone', 'end_reason=boredom', 'from=yesterday', 'q=%00', 'agent_uuid=x', 'sort=name']) {
      expect([query, (await api.request('GET', `/api/v1/runs?${query}`)).status]).toEqual([query, 422]);
    }
  });

  it('pages its events by cursor and by `after`', async () => {
    const run = await mint();
    const events = Array.from({ length: 5 }, (_, index) => ({ seq: index + 1, atMs: index, type: 'dtmf-received', data: { digit: String(index) } }));
    await api.store.runs.appendEvents(run.id, events);
    const path = `/api/v1/runs/${run.id}/events`;
    const first = await api.request('GET', `${path}?limit=3`);
    expect(first.json).toMatchObject({ items: [{ seq: 1, at_ms: 0, type: 'dtmf-received', data: { digit: '0' } }, { seq: 2 }, { seq: 3 }], next_cursor: '3' });
    const second = await api.request('GET', `${path}?limit=3&cursor=3`);
    expect(second.json).toMatchObject({ items: [{ seq: 4 }, { seq: 5 }], next_cursor: null });
    expect((await api.request('GET', `${path}?after=4`)).json.items).toHaveLength(1);
    expect((await api.request('GET', `${path}?after=99999999999`)).status).toBe(422);
  });

  it('is controlled only while it lives', async () => {
    const run = await mint();
    const control = (action: string, body?: object) => api.request('POST', `/api/v1/runs/${run.id}/${action}`, { body });
    for (const destination of ['5551234', '+0123456789', 'tel:+15551234567', 'sip:a b@c', 'javascript:alert(1)', '']) {
      const { status, json } = await control('transfer', { destination });
      expect([destination, status, json['code']]).toEqual([destination, 422, 'transfer-invalid-destination']);
    }
    expect((await control('transfer', { destination: 'sip:desk@example.com' })).status).toBe(202);
    const unheard = await control('say', { text: 'nobody is there' });
    expect([unheard.status, unheard.json['code']]).toEqual([409, 'run-not-live']);
    await finaliseRun(api.store, run.id);
    const ended = await control('hangup');
    expect([ended.status, ended.json['code'], ended.json['detail']]).toEqual([409, 'run-not-live', 'The run is completed.']);
  });
});

describe('a recording', () => {
  const record = async (path: string, content: string | null): Promise<Run> => {
    const run = await mint();
    if (content !== null) {
      await mkdir(join(api.dataDir, 'recordings'), { recursive: true });
      await writeFile(join(api.dataDir, path), content);
    }
    await finaliseRun(api.store, run.id, path);
    return run;
  };
  const fetchRange = (run: Run, range: string) => api.request('GET', `/api/v1/runs/${run.id}/recording`, { headers: { range } });

  it('is sent in parts', async () => {
    const run = await record('recordings/parts.wav', 'RIFF0123456789');
    const middle = await fetchRange(run, 'bytes=4-7');
    expect([middle.status, middle.text, middle.headers.get('content-range')]).toEqual([206, '0123', 'bytes 4-7/14']);
    expect((await fetchRange(run, 'bytes=-3')).text).toBe('789');
    const beyond = await fetchRange(run, 'bytes=14-');
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */14']);
    const whole = await fetchRange(run, 'bytes=nonsense');
    expect([whole.status, whole.text, whole.headers.get('cache-control')]).toEqual([200, 'RIFF0123456789', 'no-store']);
    expect(whole.headers.get('accept-ranges')).toBe('bytes');
  });

  it('that was deleted is not found', async () => {
    const run = await record('recordings/deleted.wav', null);
    expect((await fetchRange(run, 'bytes=0-')).json['detail']).toBe('The recording is no longer there.');
  });

  it('never lies outside the data directory', async () => {
    const run = await record('../../../etc/passwd', null);
    const { status, text } = await fetchRange(run, 'bytes=0-');
    expect(status).toBe(500);
    expect(text).not.toContain('passwd');
  });
});
