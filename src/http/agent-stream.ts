import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { toAgentStreamError } from '../base/errors.js';
import type { CallDirectory } from '../call/call-directory.js';
import type { StreamRequest } from '../call/call-request.js';
import { receiveCall, type ReceiverOptions } from '../call/receive-call.js';
import type { Config } from '../config.js';
import { openMediaStream } from '../telephony/media-stream.js';
import { createStreamGate } from './agent-stream-gate.js';
import { parseStreamUrl } from './agent-stream-url.js';
import { clientAddress } from './client-address.js';
import { refuseUpgrade } from './server.js';

/** Largest frame of a peer (close code 1009). A second of 20 ms frames would be 20 kB. */
const MAX_FRAME_BYTES = 64 * 1024;

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
  const { agents, clock, log, directory } = options;
  const gate = createStreamGate(clock);
  const calls = new Set<Promise<void>>();
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MAX_FRAME_BYTES, clientTracking: false });
  // A request that is no proper WebSocket handshake (RFC 6455 §4.2.1).
  server.on('wsClientError', (_error, socket) => refuseUpgrade(socket, 'invalid-request', 400));

  const receive = (webSocket: WebSocket, request: StreamRequest, headers: IncomingMessage['headers'], place: { leave(): void }) => {
    const stream = openMediaStream({ socket: webSocket, clock, log });
    stream.closed.addEventListener('abort', () => place.leave(), { once: true });
    try {
      const reservation = directory.reserve();
      const call = receiveCall({ stream, request, headers, place: reservation, onAnswered: () => place.leave() }, options);
      calls.add(call);
      void call.finally(() => calls.delete(call));
    } catch (error) {
      const { close } = toAgentStreamError(error);
      stream.close(close.code, close.reason);
    }
  };

  return {
    handleUpgrade(httpRequest, socket, head) {
      const request = parseStreamUrl(httpRequest.url ?? '');
      if (request === null) return refuseUpgrade(socket, 'not-found');
      // Carriers send no Origin; a browser must not be tricked into placing calls.
      if (httpRequest.headers.origin !== undefined) return refuseUpgrade(socket, 'not-allowed', 403);
      const isKnownAgent = request.agentUuid !== null && agents.isKnown(request.agentUuid);
      const place = gate.enter(clientAddress(httpRequest, options.config), isKnownAgent);
      if (place === null) return refuseUpgrade(socket, 'rate-limited', 429);
      socket.once('close', () => place.leave());
      server.handleUpgrade(httpRequest, socket, head, (webSocket) => receive(webSocket, request, httpRequest.headers, place));
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
