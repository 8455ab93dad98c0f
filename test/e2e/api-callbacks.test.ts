import { createHmac, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { anyText, finaliseRun, mintRun, startApi, type ApiTest } from './api-harness.js';

const requestsKey = 'requests-key-0123456789';
let api: ApiTest;
let configId: string;
let agentUuid: string;
beforeAll(async () => {
  api = await startApi();
  agentUuid = String((await api.request('POST', '/api/v1/agents', { body: { name: 'First' } })).json['uuid']);
  const credentials = { domain_id: 'acme', bearer_token: 'XI-0123456789', requests_key: requestsKey };
  configId = String((await api.request('POST', '/api/v1/telephony-configs', { body: { name: 'Acme', provider: 'cloudonix', credentials } })).json['id']);
});
afterAll(() => api.close());

async function boundRun(): Promise<{ runId: string; sessionId: string }> {
  const { id: runId } = await mintRun(api.store, api.alice, agentUuid);
  const sessionId = randomUUID().replaceAll('-', '');
  const bound = await api.store.runs.bindSession(runId, { sessionId, telephonyConfigId: configId, initialContext: {}, gatheredContext: {}, logs: {} });
  expect(bound).toBe('bound');
  return { runId, sessionId };
}

const post = (body: unknown, options: { kind?: string; id?: string; headers?: Record<string, string> } = {}) =>
  api.request('POST', `/api/v1/telephony-callbacks/cloudonix/${options.id ?? configId}/${options.kind ?? 'session'}`, {
    key: null,
    body,
    headers: options.headers ?? { 'x-cx-apikey': requestsKey },
  });

const logsOf = async (runId: string) => (await api.store.runs.get(api.alice.organizationId, runId))?.logs ?? {};

describe('a session status post', () => {
  it('is kept on the run once, and a final one of a live run is passed on', async () => {
    const { runId, sessionId } = await boundRun();
    for (const status of ['ringing', 'answer', 'answer']) expect((await post({ token: sessionId, status })).status).toBe(204);
    expect(api.endedCalls).toEqual([]);
    expect((await post([{ token: sessionId, status: 'NoAnswer' }])).status).toBe(204);
    expect(Object.keys(await logsOf(runId)).toSorted()).toEqual(['session_status_answer', 'session_status_noanswer', 'session_status_ringing']);
    expect(await logsOf(runId)).toMatchObject({ session_status_answer: { status: 'answer', received_at: anyText } });
    expect(api.endedCalls).toEqual([{ runId, status: 'noanswer' }]);
  });

  it('counts also as a form, or signed', async () => {
    const { runId, sessionId } = await boundRun();
    const form = new URLSearchParams({ token: sessionId, status: 'ringing' }).toString();
    const headers = { 'x-cx-apikey': requestsKey, 'content-type': 'application/x-www-form-urlencoded' };
    expect((await post(form, { headers })).status).toBe(204);
    const body = JSON.stringify({ token: sessionId, status: 'connected' });
    const signature = createHmac('sha256', requestsKey).update(body).digest('hex');
    expect((await post(body, { headers: { 'x-cloudonix-signature': signature } })).status).toBe(204);
    expect(Object.keys(await logsOf(runId)).toSorted()).toEqual(['session_status_connected', 'session_status_ringing']);
  });

  it('with a wrong key is a 401 and changes nothing', async () => {
    const { runId, sessionId } = await boundRun();
    const wrong: Record<string, string>[] = [
      {},
      { 'x-cx-apikey': 'requests-key-9876543210' },
      { authorization: `Bearer ${api.alice.key}` },
      { 'x-cx-apikey': requestsKey, 'x-cloudonix-signature': 'ab'.repeat(32) },
    ];
    for (const headers of wrong) {
      const { status, json } = await post({ token: sessionId, status: 'failed' }, { headers });
      expect([status, json['code']]).toEqual([401, 'not-authenticated']);
    }
    expect(await logsOf(runId)).toEqual({});
    expect(api.endedCalls.some((call) => call.runId === runId)).toBe(false);
  });

  it('that was signed more than five minutes ago is a 401', async () => {
    const { runId, sessionId } = await boundRun();
    const body = JSON.stringify({ token: sessionId, status: 'connected' });
    const postAged = async (ageSeconds: number) => {
      const timestamp = String(Math.floor(systemClock.wallMs() / 1000) - ageSeconds);
      const signature = createHmac('sha256', requestsKey).update(`${timestamp}.${body}`).digest('hex');
      return (await post(body, { headers: { 'x-cloudonix-signature': signature, 'x-cloudonix-timestamp': timestamp } })).status;
    };
    expect(await postAged(310)).toBe(401);
    expect(await logsOf(runId)).toEqual({});
    expect(await postAged(10)).toBe(204);
    expect(Object.keys(await logsOf(runId))).toEqual(['session_status_connected']);
  });

  it('of nobody’s session, or that says nothing, is acknowledged', async () => {
    for (const body of [{ token: 'unknown-session', status: 'answer' }, {}, [], 'not json', '\u0000', '"text"', 7]) {
      expect((await post(body)).status).toBe(204);
    }
  });

  it('belongs to a configuration, a provider and a kind that exist', async () => {
    expect((await post({}, { id: randomUUID() })).status).toBe(404);
    expect((await post({}, { id: 'no-uuid' })).status).toBe(404);
    expect((await post({}, { kind: 'other' })).status).toBe(404);
    const elsewhere = await api.request('POST', `/api/v1/telephony-callbacks/nobody/${configId}/session`, { key: null, body: {} });
    expect(elsewhere.status).toBe(404);
    expect((await post({ text: 'x'.repeat(70_000) })).status).toBe(413);
  });
});

describe('a call record', () => {
  it('is kept on a run that has ended', async () => {
    const { runId, sessionId } = await boundRun();
    await finaliseRun(api.store, runId);
    const record = { domain: 'acme.cloudonix.net', call_id: 'c1', disposition: 'ANSWER', duration: 12, billsec: 9, session: { token: sessionId } };
    expect((await post(record, { kind: 'cdr' })).status).toBe(204);
    expect(await logsOf(runId)).toMatchObject({ cdr: { status: 'answer', call_id: 'c1', billsec: '9' } });
    expect(api.endedCalls.some((call) => call.runId === runId)).toBe(false);
  });

  it('of another organization’s session changes nothing', async () => {
    const { runId, sessionId } = await boundRun();
    const credentials = { domain_id: 'evil', requests_key: 'bobs-own-key-0123456789' };
    const config = await api.request('POST', '/api/v1/telephony-configs', { key: api.bob.key, body: { name: 'Bob', provider: 'cloudonix', credentials } });
    const answer = await post({ token: sessionId, status: 'failed' }, { id: String(config.json['id']), headers: { 'x-cx-apikey': credentials.requests_key } });
    expect(answer.status).toBe(204);
    expect(await logsOf(runId)).toEqual({});
  });
});

describe('a transfer callback', () => {
  const path = (secret: string) => `/api/v1/telephony-callbacks/cloudonix/transfer/t-1/${secret}`;

  it('reaches the call that waits for it', async () => {
    const body = { StatusCallbackEvent: 'participant-join' };
    expect((await api.request('POST', path('right-secret'), { key: null, body })).status).toBe(204);
    expect(api.transferCallbacks).toEqual([{ provider: 'cloudonix', transferId: 't-1', secret: 'right-secret', progress: { type: 'answered' } }]);
  });

  it('with a wrong secret, or of another provider, is not found', async () => {
    expect((await api.request('POST', path('wrong'), { key: null, body: {} })).status).toBe(404);
    const other = '/api/v1/telephony-callbacks/nobody/transfer/t-1/right-secret';
    expect((await api.request('POST', other, { key: null, body: {} })).status).toBe(404);
    expect(api.logLines.join('')).not.toContain('right-secret');
  });
});

it('limits guesses per configuration and address', async () => {
  const { sessionId } = await boundRun();
  const statuses: number[] = [];
  for (let attempt = 0; attempt < 25; attempt += 1) {
    statuses.push((await post({ token: sessionId, status: 'answer' }, { headers: { 'x-cx-apikey': `guess-${attempt}` } })).status);
  }
  expect(statuses[0]).toBe(401);
  expect(statuses.at(-1)).toBe(429);
});
