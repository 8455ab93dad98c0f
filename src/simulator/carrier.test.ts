import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:http';
import { WebSocketServer, type WebSocket } from 'ws';
import { afterEach, describe, expect, it } from 'vitest';
import { FRAME_BYTES } from '../audio/frame.js';
import { mulawToAlaw } from '../audio/g711.js';
import { sleep, systemClock } from '../base/clock.js';
import { openCarrierStream, type CarrierEvent, type CarrierOptions } from './carrier.js';

type Message = Record<string, unknown> & { event: string };

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A server that records what the carrier sends and lets the test answer. */
async function startServer(onConnection: (socket: WebSocket) => void = () => undefined) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  cleanups.push(() => {
    for (const client of server.clients) client.terminate();
    server.close();
  });
  await once(server, 'listening');
  const messages: Message[] = [];
  server.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString('utf8')) as Message));
    onConnection(socket);
  });
  return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, messages };
}

const call = {
  domain: 'acme.cloudonix.net',
  session: 'session-1',
  callSid: 'call-1',
  streamSid: 'ST-1',
  from: '+12125550100',
  to: '+12125550199',
  customParameters: { tenant: 't-77' },
  mediaFormat: 'mulaw',
  clock: systemClock,
  echoMarks: 'yes',
} as const satisfies Omit<CarrierOptions, 'url'>;

const sendMedia = (socket: WebSocket, audio: Uint8Array) =>
  socket.send(JSON.stringify({ event: 'media', streamSid: 'ST-1', media: { payload: Buffer.from(audio).toString('base64') } }));

describe('openCarrierStream', () => {
  it('sends connected, start, then media at real time, then stop', async () => {
    const server = await startServer();
    const stream = openCarrierStream({ ...call, url: server.url });
    expect(await stream.opened).toBe(true);
    await stream.speak(new Uint8Array(FRAME_BYTES * 5).fill(0x20));
    stream.sendDtmf('5');
    await sleep(systemClock, 300);
    const passedMs = stream.nowMs();
    stream.hangUp();
    expect(await stream.ended).toEqual({ type: 'closed', code: 1000, reason: '', by: 'carrier' });

    expect(server.messages[0]).toMatchObject({ event: 'connected', protocol: 'Call' });
    expect(server.messages[1]).toMatchObject({
      event: 'start',
      streamSid: 'ST-1',
      start: { session: 'session-1', callSid: 'call-1', accountSid: 'acme.cloudonix.net', customParameters: { tenant: 't-77' } },
    });
    const media = server.messages.filter((message) => message.event === 'media');
    expect(media.length).toBeGreaterThanOrEqual(Math.floor(passedMs / 20) - 1);
    expect(media.length).toBeLessThanOrEqual(Math.floor(passedMs / 20) + 1);
    expect(media[0]).toMatchObject({ media: { chunk: 1, timestamp: '0', payload: Buffer.alloc(FRAME_BYTES, 0x20).toString('base64') } });
    expect(server.messages.filter((message) => message.event === 'dtmf')).toMatchObject([{ dtmf: { digit: '5' } }]);
    expect(server.messages.at(-1)).toMatchObject({ event: 'stop', stop: { session: 'session-1' } });
    const numbers = server.messages.slice(1).map((message) => Number(message['sequenceNumber']));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });

  it('plays what it receives in time, echoes marks, and empties its buffer on clear', async () => {
    const server = await startServer((socket) => {
      socket.once('message', () => {
        sendMedia(socket, new Uint8Array(FRAME_BYTES * 5).fill(0x30));
        socket.send(JSON.stringify({ event: 'mark', streamSid: 'ST-1', mark: { name: 'm1' } }));
        sendMedia(socket, new Uint8Array(FRAME_BYTES * 100).fill(0x40));
        setTimeout(() => socket.send(JSON.stringify({ event: 'clear', streamSid: 'ST-1' })), 300);
      });
    });
    const events: CarrierEvent[] = [];
    const stream = openCarrierStream({ ...call, url: server.url, onEvent: (event) => events.push(event) });
    await sleep(systemClock, 600);
    stream.hangUp();
    await stream.ended;
    const { agent, caller } = stream.recording();
    const cleared = events.find((event) => event.type === 'cleared');
    expect(agent.length).toBe(caller.length);
    expect(agent.filter((code) => code === 0x30)).toHaveLength(FRAME_BYTES * 5);
    expect(cleared?.droppedMs).toBeGreaterThan(1000);
    const playedMs = agent.filter((code) => code === 0x40).length / 8;
    expect(playedMs).toBeCloseTo(2000 - (cleared?.droppedMs ?? 0), 0);
    expect(server.messages.filter((message) => message.event === 'mark')).toMatchObject([{ mark: { name: 'm1' } }]);
    expect(events.filter((event) => event.type.startsWith('agent-audio')).map((event) => event.type)).toEqual(['agent-audio-started', 'agent-audio-ended']);
  });

  it('plays without a hole what came in time while its own process stalled', async () => {
    const blockProcess = (ms: number) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    const server = await startServer((socket) => {
      socket.once('message', () => {
        sendMedia(socket, new Uint8Array(FRAME_BYTES * 8).fill(0x30));
        // The next audio comes in time, and nobody is there to read it.
        setTimeout(() => {
          for (let frame = 0; frame < 20; frame += 1) sendMedia(socket, new Uint8Array(FRAME_BYTES).fill(0x40));
          blockProcess(350);
        }, 60);
      });
    });
    const stream = openCarrierStream({ ...call, url: server.url });
    await stream.speak(new Uint8Array(FRAME_BYTES * 35).fill(0x20));
    stream.hangUp();
    await stream.ended;
    const { agent } = stream.recording();
    expect(stream.stats()).toMatchObject({ underruns: 0, receivedMs: 560 });
    expect(agent.lastIndexOf(0x40) - agent.indexOf(0x30) + 1).toBe(28 * FRAME_BYTES);
    // The caller's own frames are all sent, in order.
    const chunks = server.messages.filter(({ event }) => event === 'media').map((message) => (message['media'] as { chunk: number }).chunk);
    expect(chunks.slice(0, 35)).toEqual(Array.from({ length: 35 }, (_, index) => index + 1));
  });

  it('speaks A-law both ways where the call was negotiated so', async () => {
    const tone = new Uint8Array(FRAME_BYTES).fill(0x20);
    const server = await startServer((socket) => socket.once('message', () => sendMedia(socket, mulawToAlaw(tone))));
    const stream = openCarrierStream({ ...call, mediaFormat: 'alaw', url: server.url });
    await stream.speak(tone);
    await sleep(systemClock, 100);
    stream.hangUp();
    await stream.ended;
    expect(server.messages[1]).toMatchObject({ start: { mediaFormat: { encoding: 'audio/x-alaw' } } });
    expect(server.messages.find((message) => message.event === 'media')).toMatchObject({ media: { payload: Buffer.from(mulawToAlaw(tone)).toString('base64') } });
    expect(stream.recording().agent.filter((code) => code === 0x20).length).toBe(FRAME_BYTES);
  });

  it('counts what no carrier understands and goes on', async () => {
    const server = await startServer((socket) => {
      socket.once('message', () => {
        for (const text of ['{', '[]', '{"event":"media","streamSid":"other"}', '{"event":"nod","streamSid":"ST-1"}']) socket.send(text);
        socket.send(Buffer.from([1]), { binary: true });
        sendMedia(socket, new Uint8Array(7));
      });
    });
    const stream = openCarrierStream({ ...call, url: server.url });
    await sleep(systemClock, 150);
    stream.hangUp();
    await stream.ended;
    expect(stream.stats().violationCount).toBe(6);
  });

  it('misbehaves as told', async () => {
    const server = await startServer();
    const stream = openCarrierStream({
      ...call,
      url: server.url,
      faults: [{ type: 'omit-stop' }, { type: 'mute', fromMs: 0, forMs: 100 }, { type: 'swap-frames', every: 7 }, { type: 'duplicate-frames', every: 10 }],
    });
    await sleep(systemClock, 500);
    stream.hangUp();
    await stream.ended;
    const chunks = server.messages.filter((message) => message.event === 'media').map((message) => (message['media'] as { chunk: number }).chunk);
    expect(chunks.slice(0, 6)).toEqual([6, 8, 7, 9, 10, 10]);
    expect(server.messages.some((message) => message.event === 'stop')).toBe(false);
  });

  it('reports the server’s close code and reason', async () => {
    const server = await startServer((socket) => socket.close(4400, 'Session validation failed'));
    const stream = openCarrierStream({ ...call, url: server.url });
    expect(await stream.ended).toEqual({ type: 'closed', code: 4400, reason: 'Session validation failed', by: 'server' });
  });

  it('reports a refused upgrade and an unreachable server without throwing', async () => {
    const http = createServer((_request, response) => response.writeHead(404).end());
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    cleanups.push(() => http.close());
    const refused = openCarrierStream({ ...call, url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}/` });
    expect(await refused.opened).toBe(false);
    expect(await refused.ended).toEqual({ type: 'not-upgraded', httpStatus: 404 });
    const unreachable = openCarrierStream({ ...call, url: 'ws://127.0.0.1:1/' });
    expect(await unreachable.ended).toMatchObject({ type: 'unreachable' });
  });

  it('drops the line when its signal aborts', async () => {
    const server = await startServer();
    const controller = new AbortController();
    const stream = openCarrierStream({ ...call, url: server.url, signal: controller.signal });
    await stream.opened;
    const speaking = stream.speak(new Uint8Array(FRAME_BYTES * 500));
    controller.abort();
    expect(await stream.ended).toMatchObject({ code: 1006, by: 'carrier' });
    await speaking;
    expect(server.messages.some((message) => message.event === 'stop')).toBe(false);
  });
});
