import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { Readable } from 'node:stream';
import { createEgressGuard, type EgressGuard, type ResolveAll } from './egress.js';

/** The guard, and a `fetch` that keeps to it. */
export interface GuardedEgress extends EgressGuard {
  readonly fetch: typeof fetch;
}

/** Answers without a body (RFC 9110 §15): a `Response` refuses one for them. */
const bodilessStatuses: readonly number[] = [204, 205, 304];

function toResponse(incoming: IncomingMessage): Response {
  const status = incoming.statusCode ?? 502;
  const headers = new Headers();
  for (const [name, value] of Object.entries(incoming.headers)) if (value !== undefined) headers.set(name, String(value));
  if (!bodilessStatuses.includes(status)) return new Response(Readable.toWeb(incoming) as ReadableStream, { status, headers });
  incoming.resume();
  return new Response(null, { status, headers });
}

/**
 * A `fetch` that connects where the guard allows and nowhere else. The platform's own takes no lookup, so a name could be checked and
 * then lead elsewhere. Keeps connections; follows no redirect, since its target would be the answering server's choice; asks for no
 * compression.
 */
export function createGuardedFetch(guard: EgressGuard): typeof fetch {
  const options = { keepAlive: true, lookup: guard.lookup };
  const plain = new HttpAgent(options);
  const secure = new HttpsAgent(options);
  return async (input, init) => {
    const { url, method, headers, signal, body } = new Request(input, init);
    guard.check(url);
    const content = body === null ? undefined : Buffer.from(await new Response(body).arrayBuffer());
    const isSecure = new URL(url).protocol === 'https:';
    return new Promise<Response>((resolve, reject) => {
      const requestOptions = { method, headers: Object.fromEntries(headers), agent: isSecure ? secure : plain, signal };
      const outgoing = isSecure ? requestHttps(url, requestOptions) : requestHttp(url, requestOptions);
      outgoing.once('response', (incoming) => resolve(toResponse(incoming)));
      // Stays attached: a connection may also break after its answer began, which the answer's body tells.
      outgoing.on('error', (error) => reject(signal.aborted ? signal.reason : error));
      outgoing.end(content);
    });
  };
}

/** Creates what connections asked for by stored settings are made with. */
export function createGuardedEgress(resolve?: ResolveAll): GuardedEgress {
  const guard = createEgressGuard(resolve);
  return { ...guard, fetch: createGuardedFetch(guard) };
}
