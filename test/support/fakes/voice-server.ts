import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import type { VoiceFault, VoicePace } from './speech-queue.js';
import { breakSocket, createFaultPlan, startVendorServer, type VendorServer } from './vendor-server.js';

const BYTES_PER_MS = 8;

/** How a fake voice behaves. */
export interface FakeVoiceOptions extends VoicePace {
  readonly port?: number;
  /** Answers 401 to any other key. */
  readonly apiKey?: string;
  /** By connection, 0 is the first. */
  readonly fault?: (connection: number) => VoiceFault | undefined;
}

/** A connection that was opened. */
export interface VoiceSession<Connection> {
  readonly socket: WebSocket;
  readonly entry: Connection;
  readonly fault: VoiceFault | undefined;
  send(message: Record<string, unknown>): void;
  /** So much audio was sent: breaks the socket where the fault wants that, after `stop`. */
  noteSent(audio: Buffer, stop: () => void): void;
}

/** What a vendor's voice is over its WebSocket. */
export interface VoiceProtocol<Connection> {
  /** The status that an upgrade is refused with; null: it is taken. */
  refuse(url: URL, headers: IncomingMessage['headers']): number | null;
  /** The record of a new connection. */
  begin(url: URL, headers: IncomingMessage['headers']): Connection;
  serve(session: VoiceSession<Connection>): void;
}

/** A server that speaks a voice's protocol, and what its clients did. */
export interface FakeVoiceServer<Connection> extends VendorServer {
  readonly connections: readonly Connection[];
}

const urlOf = ({ url }: IncomingMessage) => new URL(url ?? '/', 'http://fake');

/** Starts the fake of a voice. */
export async function startFakeVoice<Connection extends { closeCode: number | null }>(
  protocol: VoiceProtocol<Connection>,
  options: Pick<FakeVoiceOptions, 'port' | 'fault'>,
): Promise<FakeVoiceServer<Connection>> {
  const connections: Connection[] = [];
  const faults = createFaultPlan(options.fault);
  const server = await startVendorServer({
    port: options.port,
    onUpgrade(request) {
      const fault = faults.deal(request);
      if (fault !== null) return fault;
      const status = protocol.refuse(urlOf(request), request.headers);
      return status === null ? null : { kind: 'http', status };
    },
    onSocket(socket, request) {
      const entry = protocol.begin(urlOf(request), request.headers);
      const fault = faults.of(request);
      let sentMs = 0;
      connections.push(entry);
      socket.on('close', (code) => {
        entry.closeCode = code;
      });
      protocol.serve({
        socket,
        entry,
        fault,
        send: (message) => socket.send(JSON.stringify(message)),
        noteSent(audio, stop) {
          sentMs += audio.length / BYTES_PER_MS;
          if (fault === undefined || !('socket' in fault) || sentMs < fault.afterAudioMs) return;
          stop();
          breakSocket(socket, request, fault.socket);
        },
      });
    },
  });
  return { ...server, connections };
}
