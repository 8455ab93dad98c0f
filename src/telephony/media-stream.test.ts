import { once } from 'node:events';
import { Socket, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { cloudonixDialectFixtures as wire } from '../../test/contracts/fixtures/cloudonix-dialect.js';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { mulawToAlaw } from '../audio/g711.js';
import { systemClock, type Clock } from '../base/clock.js';
import { toAgentStreamError } from '../base/errors.js';
import { silentLog } from '../base/log.js';
import { cloudonix } from './cloudonix/index.js';
import { openMediaStream, type MediaStream, type StreamEnding } from './media-stream.js';
import type { StreamLimits } from './stream-limits.js';

const connected = '{"event":"connected","protocol":"Call","version":"1.0.0"}';
const media = (n: number, fill = n) =>
  JSON.stringify({ event: 'media', media: { chunk: n, timestamp: n * 20, payload: Buffer.alloc(160, fill).toString('base64') } });

const cleanUps: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** Waits, generously, until the assertion holds. */
const settled = (assertion: () => void) => vi.waitFor(assertion, 10_000);

/** Resolves when the stream has read everything that the peer sent before. */
async function processed(peer: WebSocket): Promise<void> {
  peer.ping();
  await once(peer, 'pong');
}

interface Line {
  readonly peer: WebSocket;
  readonly stream: MediaStream;
  readonly received: string[];
  /** Close code and reason, as the peer sees them. */
  readonly peerClosed: Promise<{ code: number; reason: string }>;
}

/** A stream and its peer over a real socket on loopback. */
async function openLine(options: { clock?: Clock; limits?: Partial<StreamLimits> } = {}): Promise<Line> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', maxPayload: 65_536, perMessageDeflate: false });
  await once(server, 'listening');
  const streams = new Promise<MediaStream>((resolve) => {
    server.on('connection', (socket) => {
      resolve(openMediaStream({ socket, clock: options.clock ?? systemClock, log: silentLog, ...(options.limits ? { limits: options.limits } : {}) }));
    });
  });
  const peer = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const received: string[] = [];
  peer.on('message', (data: Buffer) => void received.push(data.toString('utf8')));
  peer.on('error', () => undefined);
  const peerClosed = new Promise<{ code: number; reason: string }>((resolve) => {
    peer.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  cleanUps.push(() => {
    for (const client of server.clients) client.terminate();
    peer.terminate();
    return new Promise<void>((resolve) => server.close(() => resolve()));
  });
  await once(peer, 'open');
  return { peer, stream: await streams, received, peerClosed };
}

function attach(stream: MediaStream) {
  const frames: Buffer[] = [];
  const events: string[] = [];
  const endings: StreamEnding[] = [];
  stream.start({
    onAudio: (frame) => void frames.push(Buffer.from(frame)),
    onDtmf: (digit) => void events.push(`dtmf ${digit}`),
    onMark: (name) => void events.push(`mark ${name}`),
    onStop: () => void events.push('stop'),
    onClose: (ending) => void endings.push(ending),
    onProtocolEvent: (type, data) => void events.push(`${type} ${JSON.stringify(data)}`),
  });
  return { frames, events, endings };
}

/** Shakes hands and starts. */
async function openCall(options: Parameters<typeof openLine>[0] = {}, start = wire.start) {
  const line = await openLine(options);
  line.peer.send(connected);
  line.peer.send(start);
  await line.stream.handshake(cloudonix.dialect);
  return { ...line, ...attach(line.stream) };
}

describe('media stream: handshake', () => {
  it('reads connected and start, also when both came before it was asked', async () => {
    const { peer, stream } = await openLine();
    peer.send(connected);
    peer.send(wire.start);
    expect(await stream.firstMessages(2)).toEqual([connected, wire.start]);
    expect(await stream.handshake(cloudonix.dialect)).toMatchObject({ streamId: 'ST-3f0c', sessionId: '9c1e5ab2d0' });
  });

  it.each([
    ['start first', [wire.start], 4400, 'Expected connected event'],
    ['media first', [wire.media.wire], 4400, 'Expected connected event'],
    ['stop first', ['{"event":"stop"}'], 4400, 'Expected connected event'],
    ['dtmf first', ['{"event":"dtmf","dtmf":{"digit":"1"}}'], 4400, 'Expected connected event'],
    ['media instead of start', [connected, wire.media.wire], 4400, 'Expected start event'],
    ['no JSON', ['hello'], 4400, 'Malformed handshake message'],
    ['JSON that is cut off', [connected, '{"event":"start"'], 4400, 'Malformed handshake message'],
    ['no start object', [connected, '{"event":"start"}'], 4400, 'Missing start metadata'],
    ['no identifiers', [connected, '{"event":"start","start":{"streamSid":"s"}}'], 4400, 'Missing stream identifiers'],
    ['another codec', [connected, wire.start.replace('audio/x-mulaw', 'audio/opus')], 4400, 'Unsupported media format'],
    ['a binary frame', [Buffer.from(connected)], 1003, 'Binary frame on a text protocol'],
    ['a binary start', [connected, Buffer.from(wire.start)], 1003, 'Binary frame on a text protocol'],
  ])('refuses %s', async (_name, messages, code, reason) => {
    const { peer, stream, peerClosed } = await openLine();
    for (const message of messages) peer.send(message, { binary: Buffer.isBuffer(message) });
    const error = await stream.handshake(cloudonix.dialect).catch(toAgentStreamError);
    if (!(error instanceof Error)) throw new Error('The handshake was accepted');
    stream.close(error.close.code, error.close.reason);
    expect(await peerClosed).toEqual({ code, reason });
    await settled(() => expect(stream.ending).toEqual({ code, reason, byPeer: false }));
  });

  it.each([
    ['nothing', () => undefined],
    ['pings alone', (peer: WebSocket) => void setInterval(() => peer.readyState === WebSocket.OPEN && peer.ping(), 20).unref()],
    ['connected alone', (peer: WebSocket) => peer.send(connected)],
  ])('gives up after the handshake’s time: %s', async (_name, act) => {
    const { peer, stream, peerClosed } = await openLine({ limits: { handshakeMs: 150 } });
    act(peer);
    const error = toAgentStreamError(await stream.handshake(cloudonix.dialect).catch((reason: unknown) => reason));
    expect(error.code).toBe('handshake-timeout');
    stream.close(error.close.code, error.close.reason);
    expect(await peerClosed).toEqual({ code: 4408, reason: 'Handshake timeout' });
  });

  it('gives up on a start that drips in byte by byte', async () => {
    const { stream, peer } = await openLine({ limits: { handshakeMs: 200 } });
    peer.send(connected);
    peer.send('{"event":"st', { fin: false });
    await expect(stream.handshake(cloudonix.dialect)).rejects.toMatchObject({ code: 'handshake-timeout' });
  });

  it('counts the time from the opening, over recognition and handshake together', async () => {
    const clock = createVirtualClock();
    const { stream } = await openLine({ clock });
    const recognising = stream.firstMessages(2);
    recognising.catch(() => undefined);
    await clock.advance(9_999);
    const handshake = stream.handshake(cloudonix.dialect);
    handshake.catch(() => undefined);
    await clock.advance(1);
    await expect(recognising).rejects.toMatchObject({ code: 'handshake-timeout' });
    await expect(handshake).rejects.toMatchObject({ code: 'handshake-timeout' });
  });

  it('ends with the caller’s signal, and when the peer leaves', async () => {
    const aborted = await openLine();
    const controller = new AbortController();
    const handshake = aborted.stream.handshake(cloudonix.dialect, controller.signal);
    controller.abort(new Error('no longer wanted'));
    await expect(handshake).rejects.toThrow('no longer wanted');
    const left = await openLine();
    left.peer.send(connected);
    setTimeout(() => left.peer.close(1000, 'bye'), 30);
    await expect(left.stream.handshake(cloudonix.dialect)).rejects.toMatchObject({ code: 'expected-connected' });
    expect(left.stream.ending).toEqual({ code: 1000, reason: 'bye', byPeer: true });
    await expect(left.stream.handshake(cloudonix.dialect)).rejects.toThrow();
  });

  it('hands over what was received before a binary message when recognising', async () => {
    const { peer, stream } = await openLine();
    peer.send(connected);
    peer.send(Buffer.from([1, 2, 3]));
    expect(await stream.firstMessages(2)).toEqual([connected]);
  });
});

/** In portions: `ws` itself cuts a connection whose pings it cannot answer as fast as they come. */
async function floodPings(peer: WebSocket): Promise<void> {
  for (let n = 0; n < 1000 && peer.readyState === WebSocket.OPEN; n += 1) {
    peer.ping();
    if (n % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('media stream: after the handshake', () => {
  it('delivers audio in order, key presses, marks and stop, and the close', async () => {
    const { peer, frames, events, endings, stream, peerClosed } = await openCall();
    for (const n of [1, 3, 2, 4]) peer.send(media(n));
    peer.send('{"event":"dtmf","dtmf":{"digit":"#"}}');
    peer.send('{"event":"mark","mark":{"name":"m1"}}');
    peer.send('{"event":"stop"}');
    peer.close(1000, 'done');
    await peerClosed;
    await settled(() => expect(endings).toEqual([{ code: 1000, reason: 'done', byPeer: true }]));
    expect(frames.map((frame) => frame[0])).toEqual([1, 2, 3, 4]);
    expect(events).toEqual(['dtmf #', 'mark m1', 'stop']);
    expect(stream.closed.aborted).toBe(true);
  });

  it('drops media that came before the start, keeps key presses and stop', async () => {
    const { peer, stream } = await openLine();
    peer.send(connected);
    peer.send(wire.start);
    peer.send(media(1));
    peer.send('{"event":"dtmf","dtmf":{"digit":"1"}}');
    peer.send('{"event":"stop"}');
    await stream.handshake(cloudonix.dialect);
    await processed(peer);
    const { frames, events } = attach(stream);
    expect(frames).toEqual([]);
    expect(events).toEqual(['media-early {"messages":1}', 'dtmf 1', 'stop']);
    expect(() => attach(stream)).toThrow('starts once');
  });

  it('tells the ending where the peer closed before the start', async () => {
    const { peer, stream, peerClosed } = await openLine();
    peer.send(connected);
    peer.send(wire.start);
    await stream.handshake(cloudonix.dialect);
    peer.close(1001);
    await peerClosed;
    await settled(() => expect(stream.closed.aborted).toBe(true));
    expect(attach(stream).endings).toEqual([{ code: 1001, reason: '', byPeer: true }]);
  });

  it('converts A-law both ways', async () => {
    const { peer, stream, frames, received } = await openCall({}, wire.start.replace('audio/x-mulaw', 'audio/x-alaw'));
    const mulaw = Buffer.alloc(160, 0x23);
    peer.send(JSON.stringify({ event: 'media', media: { payload: Buffer.from(mulawToAlaw(mulaw)).toString('base64') } }));
    stream.sendMedia(mulaw);
    await settled(() => expect(frames).toHaveLength(1));
    expect(frames[0]).toEqual(mulaw);
    await settled(() => expect(received).toHaveLength(1));
    expect(received[0]).toContain(Buffer.from(mulawToAlaw(mulaw)).toString('base64'));
  });

  it('sends media, marks and clear in order', async () => {
    const { stream, received } = await openCall();
    stream.sendMedia(Buffer.alloc(160, 7));
    stream.sendMark('m1');
    stream.sendClear();
    await settled(() => expect(received).toHaveLength(3));
    expect(received.map((text) => (JSON.parse(text) as { event: string }).event)).toEqual(['media', 'mark', 'clear']);
  });

  it('ignores bad media and unknown messages, with events, and closes at the 101st in a minute', async () => {
    const { peer, events, endings, peerClosed } = await openCall();
    peer.send('{"event":"weird"}');
    peer.send('{"event":"weird"}');
    for (let n = 0; n < 100; n += 1) peer.send(n % 2 === 0 ? '{"event":"media","media":{"payload":"!"}}' : 'not json');
    peer.send(media(1));
    await settled(() => expect(events).toContain('message-unknown {"name":"weird"}'));
    expect(events.filter((event) => event.startsWith('message-unknown'))).toHaveLength(1);
    expect(events.some((event) => event.startsWith('message-malformed'))).toBe(true);
    await processed(peer);
    expect(endings).toEqual([]);
    peer.send('still not json');
    expect(await peerClosed).toEqual({ code: 4400, reason: 'Too many malformed messages' });
  });

  it('ignores the same start again, refuses another', async () => {
    const { peer, events, peerClosed } = await openCall();
    peer.send(wire.start);
    await settled(() => expect(events).toEqual(['start-duplicated {}']));
    peer.send(wire.start.replace('audio/x-mulaw', 'audio/x-alaw'));
    await settled(() => expect(events.at(-1)).toBe('media-format-changed {"from":"mulaw","to":"alaw"}'));
    peer.send(wire.start.replace('9c1e5ab2d0', 'another'));
    expect(await peerClosed).toEqual({ code: 4400, reason: 'Second start with other identifiers' });
  });

  it.each([
    ['a binary frame', (peer: WebSocket) => peer.send(Buffer.alloc(160)), 1003],
    ['a frame above 64 KiB', (peer: WebSocket) => peer.send('x'.repeat(65_537)), 1009],
    ['a flood of messages', (peer: WebSocket) => Array.from({ length: 1000 }, () => peer.send('{"event":"mark","mark":{"name":"x"}}')), 4429],
    ['a flood of pings', floodPings, 4429],
    ['a flood of pongs', (peer: WebSocket) => Array.from({ length: 1000 }, () => peer.pong()), 4429],
    ['a flood of bytes', (peer: WebSocket) => Array.from({ length: 30 }, () => peer.send(`{"event":"x","y":"${'z'.repeat(60_000)}"}`)), 4429],
  ])('closes on %s', async (_name, act, code) => {
    const { peer, endings, peerClosed } = await openCall();
    await Promise.resolve(act(peer));
    expect((await peerClosed).code).toBe(code);
    await settled(() => expect(endings).toHaveLength(1));
    expect(endings[0]).toMatchObject({ code, byPeer: false });
  });

  it('lets a burst after a network stall of 2 s through', async () => {
    const { peer, frames, endings } = await openCall();
    for (let n = 1; n <= 100; n += 1) peer.send(media(n, 1));
    await settled(() => expect(frames).toHaveLength(100));
    expect(endings).toEqual([]);
  });

  it('limits key presses', async () => {
    const { peer, events } = await openCall();
    for (let n = 0; n < 50; n += 1) peer.send('{"event":"dtmf","dtmf":{"digit":"5"}}');
    await settled(() => expect(events).toContain('dtmf-limited {}'));
    expect(events.filter((event) => event === 'dtmf 5').length).toBeLessThan(30);
  });

  it.each([
    ['invalid UTF-8', Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28]), 1007],
    ['an unmasked frame', Buffer.from([0x81, 0x02, 0x7b, 0x7d]), 1002],
    ['reserved bits', Buffer.from([0xf1, 0x82, 0, 0, 0, 0, 0x7b, 0x7d]), 1002],
    ['a reserved opcode', Buffer.from([0x83, 0x80, 0, 0, 0, 0]), 1002],
    ['a fragmented ping', Buffer.from([0x09, 0x80, 0, 0, 0, 0]), 1002],
    ['a close code that is none', Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xed]), 1002],
  ])('ends on %s', async (_name, bytes, code) => {
    const { peer, endings } = await openCall();
    const socket: unknown = Reflect.get(peer, '_socket');
    if (!(socket instanceof Socket)) throw new Error('The peer has no socket');
    socket.write(bytes);
    await settled(() => expect(endings).toHaveLength(1));
    expect(endings[0]).toMatchObject({ code, byPeer: false });
  });

  it('reports a connection that breaks as 1006', async () => {
    const { peer, endings } = await openCall();
    peer.terminate();
    await settled(() => expect(endings).toEqual([{ code: 1006, reason: '', byPeer: true }]));
  });

  it('keeps a fault of its owner to the one stream', async () => {
    const { peer, stream, peerClosed } = await openLine();
    peer.send(connected);
    peer.send(wire.start);
    await stream.handshake(cloudonix.dialect);
    const endings: StreamEnding[] = [];
    stream.start({
      onAudio() {
        throw new Error('boom');
      },
      onDtmf: () => undefined,
      onMark: () => undefined,
      onStop: () => undefined,
      onClose: (ending) => void endings.push(ending),
      onProtocolEvent: () => undefined,
    });
    peer.send(media(1));
    expect(await peerClosed).toEqual({ code: 1011, reason: 'Internal server error' });
    await settled(() => expect(endings).toHaveLength(1));
  });

  it('hears nothing after it closed, and closes once', async () => {
    const { peer, stream, frames, endings, peerClosed } = await openCall();
    stream.close(1000, 'x'.repeat(200));
    stream.close(1011, 'again');
    peer.send(media(1));
    expect(await peerClosed).toEqual({ code: 1000, reason: 'x'.repeat(123) });
    await settled(() => expect(endings).toEqual([{ code: 1000, reason: 'x'.repeat(123), byPeer: false }]));
    expect(frames).toEqual([]);
    stream.sendMedia(Buffer.alloc(160));
    stream.sendClear();
  });
});

describe('media stream: life signs', () => {
  it('pings, reports stalled and resumed media, and cuts a peer that stopped answering', async () => {
    const clock = createVirtualClock();
    const { peer, events, endings } = await openCall({ clock });
    let pings = 0;
    peer.on('ping', () => void (pings += 1));
    await clock.advance(15_000);
    expect(events).toEqual(['media-stalled {}']);
    peer.send(media(1));
    await settled(() => expect(events.at(-1)).toBe('media-resumed {}'));
    await clock.advance(5_000);
    await settled(() => expect(pings).toBe(1));
    await processed(peer);
    await clock.advance(20_000);
    await settled(() => expect(pings).toBe(2));
    expect(endings).toEqual([]);
    peer.pause();
    await clock.advance(30_000);
    await settled(() => expect(endings).toEqual([{ code: 1006, reason: 'The peer stopped answering', byPeer: false }]));
    expect(clock.pendingTimers()).toBe(0);
  });

  it('drops media for a peer that does not read, then cuts it off', async () => {
    const clock = createVirtualClock();
    const { peer, stream, events, endings } = await openCall({ clock });
    peer.pause();
    for (let n = 0; n < 60_000 && !events.some((event) => event.startsWith('media-unsent')); n += 1) {
      stream.sendMedia(Buffer.alloc(160));
      if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(events.some((event) => event.startsWith('media-unsent'))).toBe(true);
    for (let second = 0; second < 12; second += 1) await clock.advance(1000);
    await settled(() => expect(endings).toEqual([{ code: 1006, reason: 'The peer stopped reading', byPeer: false }]));
  });

  it('cuts a peer that does not answer the close within 2 s', async () => {
    const clock = createVirtualClock();
    const { peer, stream, endings } = await openCall({ clock });
    peer.pause();
    stream.close(1000, 'bye');
    await clock.advance(1999);
    expect(endings).toEqual([]);
    await clock.advance(1);
    await settled(() => expect(endings).toEqual([{ code: 1000, reason: 'bye', byPeer: false }]));
    expect(clock.pendingTimers()).toBe(0);
  });
});
