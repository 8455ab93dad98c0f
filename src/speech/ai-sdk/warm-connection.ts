import { deadlineSignal, type Clock } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';

/** How long opening a connection ahead of time may take. */
const OPEN_LIMIT_MS = 3000;
/** The process's connections are closed after about 4 s without a request (undici's default): used later than this, one is opened anew. */
const WARM_FOR_MS = 3000;

/** Where a connection leads and what opens it. */
export interface WarmEndpoint {
  /** The base of the API's paths. */
  readonly baseUrl: string;
  /** Authorization, as for any request. */
  readonly headers: Readonly<Record<string, string>>;
}

/** When each endpoint was last asked, on the monotonic clock: its connections are shared by all calls, so one of them keeps it warm. */
const lastAskedAtMs = new Map<string, number>();

/** Notes that a request goes to the endpoint, which leaves its connection open. */
export function noteRequest(endpoint: WarmEndpoint, clock: Clock): void {
  lastAskedAtMs.set(endpoint.baseUrl, clock.nowMs());
}

/** Any answer leaves an open connection behind. What fails here is reported by the request that needs the connection. */
async function openConnection(endpoint: WarmEndpoint, context: { readonly clock: Clock; readonly fetch: typeof fetch }): Promise<void> {
  const deadline = deadlineSignal(context.clock, OPEN_LIMIT_MS, undefined, () => new AgentStreamError('vendor-unreachable'));
  const { headers } = endpoint;
  // Not HEAD: undici closes the connection after it.
  const answer = context.fetch(`${endpoint.baseUrl}/models`, { headers, signal: deadline.signal }).then((response) => response.arrayBuffer());
  await Promise.allSettled([answer]);
  deadline.dispose();
}

/** Opens a connection in the background unless a request has just used one. Asks for the list of models, which every API has. Never throws. */
export function warmConnection(endpoint: WarmEndpoint, context: { readonly clock: Clock; readonly fetch: typeof fetch }): void {
  if (context.clock.nowMs() - (lastAskedAtMs.get(endpoint.baseUrl) ?? -Infinity) < WARM_FOR_MS) return;
  noteRequest(endpoint, context.clock);
  void openConnection(endpoint, context);
}
