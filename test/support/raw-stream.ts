import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { Closing } from './stream-carrier.js';

/** Opcodes of RFC 6455 §5.2. */
export const opcodes = { continuation: 0, text: 1, binary: 2, reserved: 3, close: 8, ping: 9, pong: 10 } as const;

/** How a frame departs from a proper one. */
export interface FrameOptions {
  /** Default true: the message ends with it. */
  readonly isFinal?: boolean;
  /** Reserved bits, 0 to 7. */
  readonly reservedBits?: number;
  /** Default true: a client must. */
  readonly isMasked?: boolean;
}

/** One WebSocket frame of a client, proper or not. */
export function clientFrame(opcode: number, payload: Buffer | string, options: FrameOptions = {}): Buffer {
  const { isFinal = true, reservedBits = 0, isMasked = true } = options;
  const body = Buffer.from(payload);
  const head = [(isFinal ? 0x80 : 0) | (reservedBits << 4) | opcode];
  const mask = isMasked ? 0x80 : 0;
  if (body.length < 126) head.push(mask | body.length);
  else if (body.length < 65_536) head.push(mask | 126, body.length >> 8, body.length & 0xff);
  else head.push(mask | 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (body.length >> shift) & 0xff));
  if (!isMasked) return Buffer.concat([Buffer.from(head), body]);
  const key = randomBytes(4);
  return Buffer.concat([Buffer.from(head), key, body.map((byte, index) => byte ^ (key[index % 4] ?? 0))]);
}

/** A WebSocket whose bytes the test writes itself. */
export interface RawStream {
  readonly socket: Socket;
  /** What the server's close frame said; 1006 where the connection ended without one. */
  readonly closed: Promise<Closing>;
  write(...frames: readonly Buffer[]): void;
}

/** The close frame among the frames that a server sent. */
function findClosing(bytes: Buffer): Closing | null {
  for (let at = 0; at + 2 <= bytes.length; ) {
    const shortLength = bytes.readUInt8(at + 1);
    const headBytes = shortLength === 127 ? 10 : shortLength === 126 ? 4 : 2;
    if (at + headBytes > bytes.length) return null;
    const length = headBytes === 10 ? Number(bytes.readBigUInt64BE(at + 2)) : headBytes === 4 ? bytes.readUInt16BE(at + 2) : shortLength;
    const payload = bytes.subarray(at + headBytes, at + headBytes + length);
    if ((bytes.readUInt8(at) & 0x0f) === opcodes.close && payload.length === length) {
      return length < 2 ? { code: 1005, reason: '' } : { code: payload.readUInt16BE(0), reason: payload.toString('utf8', 2) };
    }
    at += headBytes + length;
  }
  return null;
}

/** The head of an upgrade request. */
export function upgradeRequest(url: string, headers: readonly string[] = [], version = '1.1'): string {
  const { pathname, search, host } = new URL(url);
  const standard = [`Host: ${host}`, 'Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
  return [`GET ${pathname}${search} HTTP/${version}`, ...standard, ...headers, '', ''].join('\r\n');
}

/** Sends bytes and collects what comes back until the server closes. */
export function exchangeRaw(url: string, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    let received = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (received += chunk));
    socket.once('close', () => resolve(received)).once('error', reject);
  });
}

/** Opens a WebSocket by hand. @throws where the server does not answer 101 */
export async function openRawStream(url: string): Promise<RawStream> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let received = Buffer.alloc(0);
  const opened = new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.includes('\r\n\r\n')) resolve();
    });
  });
  const closed = new Promise<Closing>((resolve) => {
    socket.once('close', () => resolve(findClosing(received.subarray(received.indexOf('\r\n\r\n') + 4)) ?? { code: 1006, reason: '' }));
  });
  socket.write(upgradeRequest(url));
  await opened;
  if (!received.toString('latin1').startsWith('HTTP/1.1 101')) throw new Error(received.toString('latin1').split('\r\n', 1)[0]);
  // The server may cut a connection that it is still being written to.
  socket.on('error', () => socket.destroy());
  return { socket, closed, write: (...frames) => void socket.write(Buffer.concat(frames)) };
}
