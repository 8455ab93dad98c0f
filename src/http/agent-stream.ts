import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { AgentStreamError, type ErrorCode } from '../base/errors.js';
import type { CallDirectory } from '../call/call-directory.js';
import type { StreamRequest } from '../call/call-request.js';
import { receiveCall, refuseStream, type ReceiverOptions } from '../call/receive-call.js';
import type { Config } from '../config.js';
import { ServerWebSocket } from '../telephony/close-frame.js';
import { openMediaStream } from '../telephony/media-stream.js';
import { createStreamGate, type PendingPlace } from './agent-stream-gate.js';
import { parseStreamUrl } from './agent-stream-url.js';
import { clientAddress } from './client-address.js';
import { refuseUpgrade } from './server.js';

/** Largest frame of a peer (close code 1009). A second of 20 ms frames would be 20 kB. */
const MAX_FRAME_BYTES = 64 * 1024;

/** Most fragments of a message: carriers send whole ones, and each fragment costs more than its bytes. */
const MAX_FRAGMENTS = 1024;

const goingAway = new AgentStreamError('server-going-away').close;

/** The stream endpoint. */
export interface AgentStreamEndpoint {
  /** Takes over an upgrade below `/api/v1/agent-stream/`. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Resolves when every call it took has left its run finalised. */
  settled(): Promise<void>;
  close(): void;
}

/** Creates the endpoint: limits first, then the socket, then the call. */
export function createAgentStreamEndpoint(
  options: ReceiverOptions & { readonly directory: CallDirectory; readonly config: Pick<Config, 'trustProxy'> },
): AgentStreamEndpoint {
  const { agents, clock, log, directory, onRefused } = options;
  const gate = createStreamGate(clock);
  const calls = new Set<Promise<void>>();
  // Pings count against the stream's own limit, which ends a flood with its close code; that of `ws` would cut it without a word.
  const limits = { maxPayload: MAX_FRAME_BYTES, maxFragments: MAX_FRAGMENTS, maxPendingAutoPongs: 0 };
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, clientTracking: false, WebSocket: ServerWebSocket, ...limits });
  // A request that is no proper WebSocket handshake (RFC 6455 §4.2.1).
  server.on('wsClientError', (_error, socket) => refuse(socket, 'invalid-request', 400));

  function refuse(socket: Duplex, code: ErrorCode, status?: number): void {
    onRefused(code);
    refuseUpgrade(socket, code, status);
  }

  function receive(webSocket: ServerWebSocket, request: StreamRequest, headers: IncomingMessage['headers'], pending: PendingPlace): Promise<void> {
    const stream = openMediaStream({ socket: webSocket, clock, log });
    stream.closed.addEventListener('abort', () => pending.gone(), { once: true });
    try {
      const place = directory.reserve(() => stream.close(goingAway.code, goingAway.reason));
      return receiveCall({ stream, request, headers, place, onAnswered: () => pending.answered() }, options);
    } catch (error) {
      return refuseStream({ stream, request }, error, options);
    }
  }

  return {
    handleUpgrade(httpRequest, socket, head) {
      const request = parseStreamUrl(httpRequest.url ?? '');
      if (request === null) return refuse(socket, 'not-found');
      // RFC 6455 §4.2.1: HTTP/1.1 or higher.
      if (httpRequest.httpVersion === '1.0') return refuse(socket, 'upgrade-required');
      // Carriers send no Origin; a browser must not be tricked into placing calls.
      if (httpRequest.headers.origin !== undefined) return refuse(socket, 'not-allowed', 403);
      const knownUuid = request.agentUuid !== null && agents.isKnown(request.agentUuid) ? request.agentUuid : null;
      const pending = gate.enter(clientAddress(httpRequest, options.config), knownUuid);
      if (pending === null) return refuse(socket, 'rate-limited', 429);
      socket.once('close', () => pending.gone());
      server.handleUpgrade(httpRequest, socket, head, (webSocket) => {
        const call = receive(webSocket, request, httpRequest.headers, pending);
        calls.add(call);
        void call.finally(() => calls.delete(call));
      });
    },
    async settled() {
      await Promise.allSettled(calls);
    },
    close() {
      gate.close();
      server.close();
    },
  };
}
