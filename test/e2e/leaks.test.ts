import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { sleep, systemClock } from '../../src/base/clock.js';
import type { Agent } from '../../src/store/store.js';
import { hasEnded, startCallServer, type CallServer, type CallTenant } from '../support/call-server.js';
import { startFakeCartesia, type FakeCartesia } from '../support/fakes/cartesia.js';
import { createCountingClock } from '../support/fakes/counting-clock.js';
import { startFakeDeepgram, type FakeDeepgram } from '../support/fakes/deepgram.js';
import { startFakeOpenai, type FakeOpenai } from '../support/fakes/openai.js';
import { renderCodedWords } from '../support/fakes/speech-audio.js';
import { connected, media, openCarrier, startMessage, stop, UpgradeRefused, type StreamCarrier } from '../support/stream-carrier.js';
import { waitFor, waitUntil } from '../support/wait-for.js';

const ABORTED_CALLS = 300;
const REFUSED_HANDSHAKES = 500;
const AT_ONCE = 10;

/** Rows of the fakes' and the log's own memory, per call; a call's session, with its buffers, is a hundred times that. */
const HEAP_BYTES_PER_CALL = 20_000;
/** Timers and descriptors that come and go by themselves: a pooled connection, a keep-alive. */
const SLACK = 3;

const clock = createCountingClock();
let server: CallServer;
let deepgram: FakeDeepgram;
let openai: FakeOpenai;
let cartesia: FakeCartesia;
let agent: Agent;
let tenant: CallTenant;

beforeAll(async () => {
  deepgram = await startFakeDeepgram({ script: () => 'tell me more' });
  openai = await startFakeOpenai({ firstTokenMs: 20, interTokenMs: 5 });
  cartesia = await startFakeCartesia({ firstByteMs: 20 });
  server = await startCallServer({
    clock,
    env: {
      // The test plays many carriers at many addresses.
      AGENT_STREAM_TRUST_PROXY: 'true',
      DEEPGRAM_BASE_URL: deepgram.wsUrl,
      OPENAI_BASE_URL: openai.httpUrl,
      CARTESIA_BASE_URL: cartesia.wsUrl,
      DEEPGRAM_API_KEY: 'fake',
      OPENAI_API_KEY: 'fake',
      CARTESIA_API_KEY: 'fake',
    },
  });
  tenant = server.tenant;
  const models = { stt: { vendor: 'deepgram' }, llm: { vendor: 'openai' }, tts: { vendor: 'cartesia' } };
  agent = await server.createAgent({ settings: { models, recording: { enabled: true } } });
}, 60_000);
afterAll(async () => {
  await server.stop();
  await Promise.all([deepgram, openai, cartesia].map((fake) => fake.close()));
});

/** Deterministic random numbers (mulberry32), so that a failure can be played again. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

setFlagsFromString('--expose_gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Heap after everything that can go is gone. */
async function heapBytes(): Promise<number> {
  for (let rounds = 0; rounds < 4; rounds += 1) {
    collectGarbage();
    await sleep(systemClock, 30);
  }
  return process.memoryUsage().heapUsed;
}

const openFiles = () => readdirSync('/dev/fd').length;

/** The most that is left once a node that holds no call has come to rest. */
interface Rest {
  readonly timers: number;
  readonly files: number;
  readonly heap: number;
}

/** Waits until no call is left anywhere, and tells what is. */
async function comeToRest(): Promise<Rest> {
  await waitUntil('the end of all calls', () => server.node.directory.activeCount() === 0);
  expect(server.node.directory.heldRunIds()).toEqual([]);
  await waitUntil('the end of all vendor sockets', () => deepgram.openSockets() === 0 && cartesia.openSockets() === 0);
  expect((await server.store.quotas.usage(tenant.organizationId)).liveCalls).toBe(0);
  // Connections that wait for their next use are let go of after a while: the least of some seconds counts.
  let rest: Rest = { timers: clock.pendingTimers(), files: openFiles(), heap: 0 };
  for (let looks = 0; looks < 30; looks += 1) {
    await sleep(systemClock, 100);
    rest = { timers: Math.min(rest.timers, clock.pendingTimers()), files: Math.min(rest.files, openFiles()), heap: 0 };
  }
  return { ...rest, heap: await heapBytes() };
}

function expectNothingLeft(before: Rest, after: Rest, calls: number, what: string): void {
  const grownKb = (after.heap - before.heap) / 1024;
  process.stdout.write(
    `${what}: timers ${before.timers} -> ${after.timers}, files ${before.files} -> ${after.files}, heap ${grownKb.toFixed(0)} kB more (${(grownKb / calls).toFixed(1)} kB each)\n`,
  );
  expect(after.timers).toBeLessThanOrEqual(before.timers + SLACK);
  expect(after.files).toBeLessThanOrEqual(before.files + SLACK);
  expect(after.heap - before.heap).toBeLessThan(calls * HEAP_BYTES_PER_CALL);
}

/** Runs `count` of something, `AT_ONCE` at a time. */
async function inParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

const words = Buffer.from(renderCodedWords(['alpha', 'bravo']));

/** How callers leave. */
const leave: readonly ((carrier: StreamCarrier) => void)[] = [
  ({ socket }) => socket.terminate(),
  ({ socket }) => socket.close(1000),
  (carrier) => {
    carrier.send(stop);
    carrier.socket.close();
  },
  // Says that it stops, and leaves the closing to the server.
  (carrier) => carrier.send(stop),
  (carrier) => carrier.send({ event: 'mark', mark: { name: 'nobody sent it' } }, '{"event":', media(7), stop),
];

/** One call that is broken off at a random point of its life. */
async function abortCall(random: () => number): Promise<void> {
  const url = server.streamUrl(agent.uuid);
  const point = Math.floor(random() * 6);
  if (point === 0) return abortUpgrade(url, random() * 5);
  const carrier = await openCarrier(url, { headers: { 'x-forwarded-for': `198.51.100.${Math.floor(random() * 250)}` } });
  server.cloudonix.addSession(tenant.domain, carrier.session);
  const pause = (ms: number) => sleep(systemClock, random() * ms);
  if (point >= 2) carrier.send(connected);
  if (point >= 3) carrier.send(startMessage(carrier.session, tenant.domain));
  if (point === 3) await pause(40);
  if (point >= 4) {
    carrier.talk();
    await carrier.heard();
    await pause(300);
  }
  if (point === 5) {
    carrier.say(words);
    await pause(1_200);
  }
  leave[Math.floor(random() * leave.length)]?.(carrier);
  await sleep(systemClock, 20);
  // What the server keeps open, such as a call whose stop came before its handshake, the carrier drops.
  const untilMs = systemClock.nowMs() + 3_000;
  await waitFor('the end of the socket', () => {
    if (systemClock.nowMs() > untilMs) carrier.socket.terminate();
    return carrier.socket.readyState === WebSocket.CLOSED ? true : null;
  });
}

/** Breaks the connection in the middle of the HTTP upgrade, or just after it was asked for. */
async function abortUpgrade(url: string, afterMs: number): Promise<void> {
  const { hostname, port, pathname } = new URL(url);
  const request = `GET ${pathname} HTTP/1.1\r\nHost: ${hostname}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
  await new Promise<void>((resolve) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(afterMs < 1 ? request.slice(0, 40) : request);
      void sleep(systemClock, afterMs).then(() => socket.resetAndDestroy());
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
  });
}

describe('a node', () => {
  it(`holds nothing of ${ABORTED_CALLS} calls that were broken off anywhere`, async () => {
    const random = createRandom(20_261);
    const abort = () => abortCall(random);
    await inParallel(60, abort);
    const before = await comeToRest();
    await inParallel(ABORTED_CALLS, abort);
    expectNothingLeft(before, await comeToRest(), ABORTED_CALLS, `${ABORTED_CALLS} aborted calls`);
    await waitUntil('the end of all runs', async () => (await server.runsOf(agent)).every(hasEnded));
    const reasons = new Set((await server.runsOf(agent)).map(({ endReason }) => endReason));
    expect([...reasons].filter((reason) => reason !== 'caller_hangup' && reason !== 'handshake_error')).toEqual([]);
    expect(server.logLines.filter((line) => /"level":50/.test(line))).toEqual([]);
  }, 120_000);

  it(`holds nothing of ${REFUSED_HANDSHAKES} handshakes that it refused`, async () => {
    const token = await server.store.agents.rotateStreamToken(agent.organizationId, agent.uuid, 0);
    expect(token).not.toBeNull();
    const start = (change: Readonly<Record<string, unknown>>, domain: string | undefined = tenant.domain) => startMessage(randomUUID(), domain, change);
    const valid = () => server.streamUrl(agent.uuid, { token: token ?? '' });
    const kinds: readonly (() => readonly [string, readonly unknown[]])[] = [
      () => [server.streamUrl(randomUUID()), []],
      () => [server.streamUrl(agent.uuid, { token: 'wrong-token-wrong-token-wrong' }), []],
      () => [server.streamUrl(agent.uuid), []],
      () => [server.streamUrl(agent.uuid, { token: token ?? '', provider: 'nobody' }), []],
      () => [valid(), [start({})]],
      () => [valid(), [connected, connected]],
      () => [valid(), [connected, { event: 'start', start: null }]],
      () => [valid(), [connected, start({ streamSid: undefined })]],
      () => [valid(), [connected, start({}, 'unknown.cloudonix.net')]],
      () => [valid(), [connected, start({}, undefined)]],
      // Nobody has told Cloudonix of the session.
      () => [valid(), [connected, start({})]],
      () => [valid(), [connected, start({ mediaFormat: { encoding: 'audio/opus', sampleRate: 48_000, channels: 2 } })]],
      () => [`${server.node.url.replace('http', 'ws')}/api/v1/agent-stream/`, []],
    ];
    const endings = new Map<string, number>();
    const refuse = async (index: number) => {
      const [url, messages] = kinds[index % kinds.length]!();
      const headers = { 'x-forwarded-for': `203.0.113.${index % 250}`, ...(index % 29 === 0 ? { origin: 'https://example.com' } : {}) };
      const ending = await openCarrier(url, { headers }).then(
        async (carrier) => {
          carrier.send(...messages);
          const { code, reason } = await carrier.closed;
          return `${code} ${reason}`;
        },
        (error: unknown) => {
          if (error instanceof UpgradeRefused) return `HTTP ${error.status}`;
          throw error;
        },
      );
      endings.set(ending, (endings.get(ending) ?? 0) + 1);
    };
    await inParallel(kinds.length * 5, refuse);
    const before = await comeToRest();
    endings.clear();
    await inParallel(REFUSED_HANDSHAKES, refuse);
    process.stdout.write(`${REFUSED_HANDSHAKES} refusals: ${[...endings].map(([ending, count]) => `${count} x ${ending}`).join(', ')}\n`);
    expect([...endings.values()].reduce((sum, count) => sum + count, 0)).toBe(REFUSED_HANDSHAKES);
    for (const ending of endings.keys()) expect(ending).toMatch(/^(1008|4400|HTTP (403|404|429)) ?/);
    expectNothingLeft(before, await comeToRest(), REFUSED_HANDSHAKES, `${REFUSED_HANDSHAKES} refused handshakes`);
    await waitUntil('the end of all runs', async () => (await server.runsOf(agent)).every(hasEnded));
    expect(server.logLines.filter((line) => /"level":50/.test(line))).toEqual([]);
  }, 120_000);
});
