import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';
import { FRAME_BYTES, FRAME_MS, MULAW_SILENCE } from '../../src/audio/frame.js';
import { repeat, systemClock } from '../../src/base/clock.js';
import type { CallServer, CallTenant } from './call-server.js';
import { waitUntil } from './wait-for.js';

/** 20 ms of mu-law silence, as media messages carry it. */
export const SILENCE = Buffer.alloc(FRAME_BYTES, MULAW_SILENCE).toString('base64');

/** How a socket ended, as the carrier sees it. */
export interface Closing {
  readonly code: number;
  readonly reason: string;
}

/** A message of the server. */
export type ServerMessage = Readonly<Record<string, unknown>> & { readonly event: string };

/** A carrier that does only what a test tells it to. */
export interface StreamCarrier {
  readonly socket: WebSocket;
  /** The id the fake Cloudonix may know the call by. */
  readonly session: string;
  readonly closed: Promise<Closing>;
  readonly received: readonly ServerMessage[];
  /** Strings and buffers go out as they are, in text frames; anything else as JSON. */
  send(...messages: readonly unknown[]): void;
  /** Sends media in real time until the socket closes: mu-law given to {@link say}, else silence. */
  talk(): void;
  /** What the caller says next; takes {@link talk}. */
  say(audio: Uint8Array): void;
  /** Resolves when the agent has been heard. */
  heard(): Promise<void>;
}

/** The first message of a stream. */
export const connected = { event: 'connected', protocol: 'Call', version: '1.0.0' };

/** A start message; `change` overrides fields of its `start` object, and undefined removes one. */
export function startMessage(session: string, domain: string | undefined, change: Readonly<Record<string, unknown>> = {}) {
  const streamSid = `ST-${session}`;
  return {
    event: 'start',
    sequenceNumber: '1',
    streamSid,
    start: {
      streamSid,
      session,
      callSid: `${session}@192.0.2.7`,
      accountSid: domain,
      from: '+12025550143',
      to: '+12025550199',
      context: 'inbound',
      tracks: ['inbound'],
      customParameters: {},
      mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
      ...change,
    },
  };
}

/** A media message of the caller. */
export const media = (payload: unknown = SILENCE, change: Readonly<Record<string, unknown>> = {}) => ({
  event: 'media',
  media: { track: 'inbound', payload, ...change },
});

/** The last message of a stream. */
export const stop = { event: 'stop', stop: {} };

/** An upgrade that was answered with an HTTP status instead. */
export class UpgradeRefused extends Error {
  constructor(
    readonly status: number,
    readonly headers: Readonly<Record<string, unknown>>,
    readonly body: string,
  ) {
    super(`HTTP ${status}`);
  }
}

/** Opens a socket. @throws UpgradeRefused where the server answers with an HTTP status */
export async function openCarrier(url: string, options: { headers?: Readonly<Record<string, string>>; session?: string } = {}): Promise<StreamCarrier> {
  const socket = new WebSocket(url, { headers: { ...options.headers }, perMessageDeflate: false });
  const received: ServerMessage[] = [];
  socket.on('message', (data: Buffer) => void received.push(JSON.parse(data.toString('utf8')) as ServerMessage));
  const closed = new Promise<Closing>((resolve) => {
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString('utf8') }));
  });
  await new Promise<void>((resolve, reject) => {
    socket.on('open', resolve);
    socket.on('error', reject);
    socket.on('unexpected-response', (_request, response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => reject(new UpgradeRefused(response.statusCode ?? 0, response.headers, body)));
    });
  });
  let index = 0;
  let speech = Buffer.alloc(0);
  const nextFrame = () => {
    const frame = Buffer.alloc(FRAME_BYTES, MULAW_SILENCE);
    speech.copy(frame, 0, 0, FRAME_BYTES);
    speech = speech.subarray(FRAME_BYTES);
    return frame.toString('base64');
  };
  const carrier: StreamCarrier = {
    socket,
    session: options.session ?? randomUUID(),
    closed,
    received,
    send(...messages) {
      for (const message of messages) {
        const isRaw = typeof message === 'string' || Buffer.isBuffer(message);
        socket.send(isRaw ? message : JSON.stringify(message), { binary: false });
      }
    },
    talk() {
      const talking = repeat(systemClock, FRAME_MS, () => {
        index += 1;
        if (socket.readyState === WebSocket.OPEN) carrier.send(media(nextFrame(), { chunk: index, timestamp: String((index - 1) * FRAME_MS) }));
        else talking.cancel();
      });
    },
    say: (audio) => void (speech = Buffer.concat([speech, audio])),
    async heard() {
      const isOver = closed.then((closing) => {
        throw new Error(`The stream was closed before the agent spoke: ${closing.code} ${closing.reason}`);
      });
      await Promise.race([isOver, waitUntil('the agent’s voice', () => received.some(({ event }) => event === 'media'))]);
    },
  };
  return carrier;
}

/** Opens a socket to the URL and shakes hands with a session that the fake Cloudonix knows. */
export async function placeStream(
  server: CallServer,
  url: string,
  options: { tenant?: CallTenant; start?: Readonly<Record<string, unknown>> } = {},
): Promise<StreamCarrier> {
  const { domain } = options.tenant ?? server.tenant;
  const carrier = await openCarrier(url);
  server.cloudonix.addSession(domain, carrier.session);
  carrier.send(connected, startMessage(carrier.session, domain, options.start));
  return carrier;
}
