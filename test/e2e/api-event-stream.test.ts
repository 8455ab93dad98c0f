import { get, type IncomingMessage } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { finaliseRun, mintRun, startApi, type ApiTest } from './api-harness.js';

let api: ApiTest;
afterEach(() => api.close());

/** An open event stream and what it has received. */
interface Reader {
  readonly response: IncomingMessage;
  text(): string;
  until(condition: (text: string) => boolean): Promise<void>;
  readonly ended: Promise<void>;
}

async function follow(path: string, headers: Record<string, string> = {}): Promise<Reader> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const options = { headers: { authorization: `Bearer ${api.alice.key}`, accept: 'text/event-stream', ...headers } };
    get(`${api.url}${path}`, options, resolve).on('error', reject);
  });
  let received = '';
  const waiting = new Set<() => void>();
  response.setEncoding('utf8').on('data', (chunk: string) => {
    received += chunk;
    for (const check of waiting) check();
  });
  const ended = new Promise<void>((resolve) => response.once('close', () => resolve()));
  return {
    response,
    ended,
    text: () => received,
    until: (condition) =>
      new Promise((resolve) => {
        const check = () => {
          if (condition(received)) resolve();
        };
        waiting.add(check);
        check();
      }),
  };
}

async function startRun(): Promise<{ id: string; path: string }> {
  api = await startApi();
  const agent = await api.request('POST', '/api/v1/agents', { body: { name: 'First' } });
  const { id } = await mintRun(api.store, api.alice, String(agent.json['uuid']));
  return { id, path: `/api/v1/runs/${id}/events` };
}

const event = (seq: number) => ({ seq, atMs: seq * 10, type: 'caller-said', data: { text: `turn ${seq}` } });
const idsIn = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]));

describe('an event stream', () => {
  it('sends what was, what happens, and the end', async () => {
    const { id, path } = await startRun();
    await api.store.runs.appendEvents(id, [event(1), event(2)]);
    const reader = await follow(path);
    expect(reader.response.statusCode).toBe(200);
    expect(reader.response.headers).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store' });
    await reader.until((text) => idsIn(text).length === 2);
    await api.store.runs.appendEvents(id, [event(3)]);
    await reader.until((text) => idsIn(text).length === 3);
    await finaliseRun(api.store, id);
    await reader.ended;
    expect(idsIn(reader.text())).toEqual([1, 2, 3]);
    expect(reader.text()).toContain('data: {"seq":3,"at_ms":30,"type":"caller-said","data":{"text":"turn 3"}}');
    expect(reader.text().trimEnd()).toMatch(/event: end\ndata: \{"state":"completed","end_reason":"caller_hangup"\}$/);
  });

  it('goes on where a reader left off', async () => {
    const { id, path } = await startRun();
    await api.store.runs.appendEvents(id, [event(1), event(2), event(3)]);
    await finaliseRun(api.store, id);
    const resumed = await follow(path, { 'last-event-id': '2' });
    await resumed.ended;
    expect(idsIn(resumed.text())).toEqual([3]);
    const after = await follow(`${path}?after=1`);
    await after.ended;
    expect(idsIn(after.text())).toEqual([2, 3]);
    const confused = await follow(path, { 'last-event-id': 'rubbish' });
    await confused.ended;
    expect(idsIn(confused.text())).toEqual([1, 2, 3]);
  });

  it('sends a long history whole and in order', async () => {
    const { id, path } = await startRun();
    await api.store.runs.appendEvents(id, Array.from({ length: 1201 }, (_, index) => event(index + 1)));
    await finaliseRun(api.store, id);
    const reader = await follow(path);
    await reader.ended;
    expect(idsIn(reader.text())).toEqual(Array.from({ length: 1201 }, (_, index) => index + 1));
  });

  it('is refused like any other request', async () => {
    const { path } = await startRun();
    const reader = await follow(path, { authorization: `Bearer ${api.bob.key}` });
    await reader.ended;
    expect(reader.response.statusCode).toBe(404);
  });

  it('ends when the server shuts down, which does not wait for it', async () => {
    const { id, path } = await startRun();
    await api.store.runs.appendEvents(id, [event(1)]);
    const reader = await follow(path);
    await reader.until((text) => idsIn(text).length === 1);
    await api.server.close();
    await reader.ended;
    expect(reader.text()).not.toContain('event: end');
  });
});
