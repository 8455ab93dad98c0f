import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { systemClock, type Clock } from '../base/clock.js';
import { asRecord, parseJson } from '../base/json.js';

/** Requests remembered; older ones are forgotten. */
const MAX_RECORDED = 10_000;

/** Largest body read. */
const MAX_BODY_BYTES = 256 * 1024;

/** Operations of the API that are played. */
export type FakeOperation = 'get-session' | 'hang-up' | 'switch-application' | 'dial' | 'list-conferences';

/** How the next requests of an operation go wrong. */
export type FakeBehaviour =
  | { readonly type: 'status'; readonly status: number; readonly retryAfterSeconds?: number; readonly body?: string }
  /** Never answers. */
  | { readonly type: 'hang' }
  /** Answers properly, this late. */
  | { readonly type: 'slow'; readonly delayMs: number }
  /** 200 with a body that is not JSON. */
  | { readonly type: 'garbage' }
  /** Cuts the connection. */
  | { readonly type: 'reset' };

/** Statuses that a dial fails with. */
export const dialFailures = ['busy', 'noanswer', 'cancel', 'congestion', 'failed'] as const;

/** What a warm transfer's destination does: it joins the conference, stays silent, or the dial fails with a status. */
export type FakeDialOutcome = 'join' | 'silent' | (typeof dialFailures)[number];

/** A session as the fake keeps it. */
export interface FakeSession {
  readonly domain: string;
  readonly token: string;
  /** Cloudonix' word, or undefined for an answer without a status. */
  status: string | undefined;
  /** Epoch ms; set when the session is over. */
  endTimeMs: number | undefined;
}

/** A request as it came in. */
export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly operation: FakeOperation | 'unknown';
  readonly isAuthorized: boolean;
  readonly body: unknown;
}

/** What happened to a call, for the simulated carrier: after `hangup` and `application` Cloudonix closes the call's stream. */
export interface FakeCloudonixEvents {
  readonly hangup: { readonly domain: string; readonly token: string };
  readonly application: { readonly domain: string; readonly token: string; readonly cxml: string };
  readonly dial: { readonly domain: string; readonly token: string; readonly destination: string; readonly cxml: string };
}

/** Cloudonix' REST API, as far as it is used here, on loopback. */
export interface FakeCloudonix {
  readonly baseUrl: string;
  /** By token. */
  readonly sessions: ReadonlyMap<string, FakeSession>;
  readonly requests: readonly FakeRequest[];
  addSession(domain: string, token: string, session?: { readonly status?: string | undefined }): void;
  /** Makes the operation's next requests go wrong, one after the other (`forever`: all of them); an empty list heals it. */
  setBehaviour(operation: FakeOperation, behaviours: readonly FakeBehaviour[], options?: { readonly forever?: boolean }): void;
  setDialOutcome(outcome: FakeDialOutcome): void;
  /** What the next transfers of a domain's calls come to, cold ones too, one after the other; after the last one {@link setDialOutcome} counts again. */
  planTransfers(domain: string, outcomes: readonly FakeDialOutcome[]): void;
  /** Returns how to stop listening. */
  on<Name extends keyof FakeCloudonixEvents>(name: Name, listener: (event: FakeCloudonixEvents[Name]) => void): () => void;
  close(): Promise<void>;
}

/** What a fake plays. */
export interface FakeCloudonixOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  readonly clock?: Clock;
  readonly domains: Readonly<Record<string, { readonly bearerToken: string }>>;
  /** Delay of every answer. Default 0. */
  readonly delayMs?: number;
}

interface Route {
  readonly operation: FakeOperation;
  readonly domain: string;
  readonly token: string;
}

interface Answer {
  readonly status: number;
  readonly body?: unknown;
}

const ROUTES: readonly (readonly [string, RegExp, FakeOperation])[] = [
  ['GET', /^\/customers\/self\/domains\/([^/]+)\/sessions\/([^/]+)$/, 'get-session'],
  ['DELETE', /^\/customers\/self\/domains\/([^/]+)\/sessions\/([^/]+)$/, 'hang-up'],
  ['POST', /^\/calls\/([^/]+)\/sessions\/([^/]+)\/application$/, 'switch-application'],
  ['POST', /^\/calls\/([^/]+)\/application$/, 'dial'],
  ['GET', /^\/calls\/([^/]+)\/conferences$/, 'list-conferences'],
];

function findRoute(method: string, path: string): Route | undefined {
  for (const [routeMethod, pattern, operation] of ROUTES) {
    const match = routeMethod === method ? pattern.exec(path) : null;
    if (match !== null) return { operation, domain: decodeSegment(match[1]), token: decodeSegment(match[2]) };
  }
  return undefined;
}

function decodeSegment(segment: string | undefined): string {
  try {
    return decodeURIComponent(segment ?? '');
  } catch (error) {
    if (error instanceof URIError) return '';
    throw error;
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
  }
  return parseJson(Buffer.concat(chunks));
}

function textField(body: unknown, name: string): string {
  const value = asRecord(body)[name];
  return typeof value === 'string' ? value : '';
}

type Listeners = { [Name in keyof FakeCloudonixEvents]: Set<(event: FakeCloudonixEvents[Name]) => void> };

/** The API's state and answers, without a socket. */
function createAccount(options: FakeCloudonixOptions, clock: Clock) {
  const sessions = new Map<string, FakeSession>();
  const listeners: Listeners = { hangup: new Set(), application: new Set(), dial: new Set() };
  const transferPlans = new Map<string, FakeDialOutcome[]>();
  let dialOutcome: FakeDialOutcome = 'join';
  const nextOutcome = (domain: string) => transferPlans.get(domain)?.shift() ?? dialOutcome;

  function emit<Name extends keyof FakeCloudonixEvents>(name: Name, event: FakeCloudonixEvents[Name]): void {
    for (const listener of [...listeners[name]]) listener(event);
  }

  function findLive({ domain, token }: Route): FakeSession | undefined {
    const session = sessions.get(token);
    return session?.domain === domain && session.endTimeMs === undefined ? session : undefined;
  }

  function describe(session: FakeSession): Record<string, unknown> {
    const { domain, token, status, endTimeMs } = session;
    return {
      ...{ id: 1, domain, token, direction: 'Inbound', callStartTime: String(clock.wallMs()), profile: {} },
      ...(status === undefined ? {} : { status }),
      ...(endTimeMs === undefined ? {} : { callEndTime: String(endTimeMs) }),
    };
  }

  function dial(route: Route, body: unknown): Answer {
    const destination = textField(body, 'destination');
    const cxml = textField(body, 'cxml');
    if (destination === '' || cxml === '') return { status: 400, body: { status: false, message: 'destination and cxml are required' } };
    const token = randomUUID();
    sessions.set(token, { domain: route.domain, token, status: 'ringing', endTimeMs: undefined });
    emit('dial', { domain: route.domain, token, destination, cxml });
    void postProgress(textField(body, 'callback'), token, nextOutcome(route.domain));
    return { status: 200, body: { domainId: 1, destination, direction: 'outbound-api', token } };
  }

  /** Posts what Cloudonix would: the session's status, then the conference's join or the dial's failure. */
  async function postProgress(callbackUrl: string, token: string, outcome: FakeDialOutcome): Promise<void> {
    if (callbackUrl === '') return;
    const posts: unknown[] = [[{ token, status: 'ringing' }]];
    if (outcome === 'join') posts.push({ StatusCallbackEvent: 'participant-join', Session: token });
    else if (outcome !== 'silent') posts.push({ token, status: outcome });
    for (const post of posts) {
      const request = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(post) };
      // Cloudonix does not mind whether anybody listens.
      await fetch(callbackUrl, request).then((response) => response.body?.cancel(), () => undefined);
    }
  }

  function answer(route: Route, body: unknown): Answer {
    if (route.operation === 'list-conferences') return { status: 200, body: [] };
    if (route.operation === 'dial') return dial(route, body);
    const known = sessions.get(route.token);
    if (known === undefined || known.domain !== route.domain) return { status: 404, body: { status: false, message: 'Session not found' } };
    if (route.operation === 'get-session') return { status: 200, body: describe(known) };
    const live = findLive(route);
    if (live === undefined) return { status: 404, body: { status: false, message: 'Session has ended' } };
    if (route.operation === 'hang-up') {
      live.endTimeMs = clock.wallMs();
      emit('hangup', { domain: route.domain, token: route.token });
      return { status: 204 };
    }
    const cxml = textField(body, 'cxml');
    // A caller who is moved into a conference is at the end of a warm transfer, whose outcome was told when its destination was dialled.
    const isCold = transferPlans.has(route.domain) && !cxml.includes('<Conference');
    if (isCold && nextOutcome(route.domain) !== 'join') return { status: 409, body: { status: false, message: 'The call cannot be transferred' } };
    emit('application', { domain: route.domain, token: route.token, cxml });
    return { status: 200, body: { domainId: 1, token: route.token } };
  }

  return {
    sessions,
    listeners,
    answer,
    isAuthorized: (domain: string, header: string | undefined) =>
      Object.hasOwn(options.domains, domain) && header === `Bearer ${options.domains[domain]?.bearerToken}`,
    setDialOutcome: (outcome: FakeDialOutcome) => void (dialOutcome = outcome),
    planTransfers: (domain: string, outcomes: readonly FakeDialOutcome[]) => void transferPlans.set(domain, [...outcomes]),
  };
}

function send(response: ServerResponse, { status, body }: Answer, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body));
}

/** What goes wrong with the next requests of each operation. */
function createFaults() {
  const plans = new Map<FakeOperation, { readonly queue: FakeBehaviour[]; readonly isForever: boolean }>();
  return {
    set(operation: FakeOperation, behaviours: readonly FakeBehaviour[], isForever: boolean): void {
      plans.set(operation, { queue: [...behaviours], isForever });
    },
    next(operation: FakeOperation): FakeBehaviour | undefined {
      const plan = plans.get(operation);
      const behaviour = plan?.queue.shift();
      if (behaviour !== undefined && plan?.isForever === true) plan.queue.push(behaviour);
      return behaviour;
    },
  };
}

/** Starts the fake. Rejects where the port is taken. */
export async function startFakeCloudonix(options: FakeCloudonixOptions): Promise<FakeCloudonix> {
  const clock = options.clock ?? systemClock;
  const account = createAccount(options, clock);
  const faults = createFaults();
  const requests: FakeRequest[] = [];

  function reply(route: Route, body: unknown, response: ServerResponse, behaviour: FakeBehaviour | undefined): void {
    const answerNow = () => send(response, account.answer(route, body));
    const delayMs = (options.delayMs ?? 0) + (behaviour?.type === 'slow' ? behaviour.delayMs : 0);
    if (behaviour?.type === 'hang') return;
    if (behaviour?.type === 'reset') response.socket?.resetAndDestroy();
    else if (behaviour?.type === 'garbage') send(response, { status: 200, body: '<html>not json' });
    else if (behaviour?.type === 'status') {
      const retryAfter = behaviour.retryAfterSeconds;
      send(response, { status: behaviour.status, body: behaviour.body }, retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) });
    } else if (delayMs > 0) clock.setTimer(delayMs, answerNow);
    else answerNow();
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? 'GET';
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const body = method === 'POST' ? await readJson(request) : undefined;
    const route = findRoute(method, path);
    const isAuthorized = route !== undefined && account.isAuthorized(route.domain, request.headers.authorization);
    if (requests.length >= MAX_RECORDED) requests.shift();
    requests.push({ method, path, operation: route?.operation ?? 'unknown', isAuthorized, body });
    if (route === undefined) return send(response, { status: 404, body: { status: false, message: 'No such operation' } });
    const behaviour = faults.next(route.operation);
    if (!isAuthorized && behaviour === undefined) return send(response, { status: 401, body: { status: false, message: 'Not authorised' } });
    reply(route, body, response, behaviour);
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;

  return {
    baseUrl: `http://127.0.0.1:${port}`,
    sessions: account.sessions,
    requests,
    addSession(domain, token, session = { status: 'answer' }) {
      account.sessions.set(token, { domain, token, status: session.status, endTimeMs: undefined });
    },
    setBehaviour: (operation, behaviours, { forever = false } = {}) => faults.set(operation, behaviours, forever),
    setDialOutcome: account.setDialOutcome,
    planTransfers: account.planTransfers,
    on(name, listener) {
      account.listeners[name].add(listener);
      return () => void account.listeners[name].delete(listener);
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}
