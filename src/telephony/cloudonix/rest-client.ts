import { setBounded } from '../../base/bounded-map.js';
import { deadlineSignal, sleep, type Clock } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import { parseRetryAfterMs } from '../../base/http-status.js';
import { parseJson } from '../../base/json.js';
import { createRateLimiter, type RateLimit, type RateLimiter, type RatePolicy, type RequestPriority } from '../rate-limiter.js';

/** After a 429 the lower of the two documented limits per domain holds, 10 requests in 10 s; before, a burst of calls may be answered. */
const DEFAULT_POLICY: RatePolicy = { limit: { requests: 10, windowMs: 10_000 }, unlessLimited: { requests: 100, windowMs: 1000 } };

/** Domains whose bucket is remembered; the one least recently added goes first. */
const MAX_LIMITERS = 1000;

/** An answer's body is read to this size; sessions carry SIP headers, so some kilobytes are usual. */
const MAX_BODY_BYTES = 65_536;

/** Wait after a 429 that names no time. */
const DEFAULT_RETRY_AFTER_MS = 1000;

/** Longest pause after a 429, whatever it asks for: hang-ups wait too, and one more request tells whether the limit still holds. */
const MAX_PAUSE_MS = 60_000;

/** First wait before a retry; it doubles with each one. */
const BACKOFF_MS = 250;

/** An answer of the API. `body` is undefined where it is empty, null where it is not JSON. */
export interface RestAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** One call of the API. */
export interface RestRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Path segments, each encoded on its own. */
  readonly path: readonly string[];
  readonly body?: unknown;
  readonly priority: RequestPriority;
  /** Waiting for the rate limit, attempts and retries take no longer than this in all. */
  readonly limitMs: number;
  readonly retries: number;
  /** `rate-limit-only`: for requests that must not be repeated once the provider may have acted on them. */
  readonly retryOn: 'any-failure' | 'rate-limit-only';
}

/** Sends requests with one credential. */
export interface RestClient {
  /**
   * Resolves to any answer below 500 but 429.
   * @throws AgentStreamError `provider-unreachable`, `provider-rate-limited`; the signal's reason where it aborts.
   */
  send(request: RestRequest, signal: AbortSignal | undefined): Promise<RestAnswer>;
}

/** What a client needs. */
export interface RestClientOptions {
  readonly baseUrl: string;
  readonly domain: string;
  readonly bearerToken: string;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  readonly rateLimit: RateLimit | undefined;
}

type Attempt =
  | { readonly type: 'answered'; readonly answer: RestAnswer }
  | { readonly type: 'limited'; readonly retryAfterMs: number }
  | { readonly type: 'failed'; readonly error: AgentStreamError };

const limitersByClock = new WeakMap<Clock, Map<string, RateLimiter>>();

/** The bucket of a domain, shared by every control of the process. */
function findLimiter({ clock, baseUrl, domain, rateLimit }: RestClientOptions): RateLimiter {
  const limiters = limitersByClock.get(clock) ?? new Map<string, RateLimiter>();
  limitersByClock.set(clock, limiters);
  const key = `${baseUrl} ${domain}`;
  const known = limiters.get(key);
  if (known !== undefined) return known;
  const limiter = createRateLimiter(clock, rateLimit === undefined ? DEFAULT_POLICY : { limit: rateLimit });
  setBounded(limiters, key, limiter, MAX_LIMITERS);
  return limiter;
}

/** Creates a client for one domain. Redirects are not followed, so that the credential goes nowhere else. */
export function createRestClient(options: RestClientOptions): RestClient {
  const limiter = findLimiter(options);
  const origin = options.baseUrl.replace(/\/+$/, '');

  async function admit(request: RestRequest, signal: AbortSignal): Promise<void> {
    try {
      await limiter.acquire(request.priority, signal);
    } catch (error) {
      // The time ran out in our own queue, not at the provider.
      throw error instanceof AgentStreamError && error.code === 'provider-unreachable' ? new AgentStreamError('provider-rate-limited') : error;
    }
  }

  function fetchAnswer(request: RestRequest, signal: AbortSignal): Promise<Response> {
    return options.fetch(`${origin}/${request.path.map(encodeURIComponent).join('/')}`, {
      method: request.method,
      redirect: 'manual',
      signal,
      headers: {
        authorization: `Bearer ${options.bearerToken}`,
        accept: 'application/json',
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(request.body === undefined ? {} : { body: JSON.stringify(request.body) }),
    });
  }

  async function attempt(request: RestRequest, signal: AbortSignal): Promise<Attempt> {
    await admit(request, signal);
    try {
      const response = await fetchAnswer(request, signal);
      const text = await readBody(response);
      if (response.status === 429) return { type: 'limited', retryAfterMs: readRetryAfter(response, options.clock) };
      if (response.status >= 500) return { type: 'failed', error: unreachable(`HTTP ${response.status}`) };
      return { type: 'answered', answer: { status: response.status, body: parseBody(text) } };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      return { type: 'failed', error: unreachable('connection failed', error) };
    }
  }

  async function sendWithin(request: RestRequest, deadlineMs: number, signal: AbortSignal): Promise<RestAnswer> {
    for (let retry = 0; ; retry += 1) {
      const result = await attempt(request, signal);
      if (result.type === 'answered') return result.answer;
      if (result.type === 'limited') {
        limiter.pause(result.retryAfterMs);
        if (retry >= request.retries || options.clock.nowMs() + result.retryAfterMs >= deadlineMs) throw new AgentStreamError('provider-rate-limited');
      } else {
        if (retry >= request.retries || request.retryOn !== 'any-failure') throw result.error;
        await sleep(options.clock, BACKOFF_MS * 2 ** retry, signal);
      }
    }
  }

  return {
    async send(request, signal) {
      const deadline = deadlineSignal(options.clock, request.limitMs, signal, () => unreachable(`no answer within ${request.limitMs} ms`));
      try {
        return await sendWithin(request, options.clock.nowMs() + request.limitMs, deadline.signal);
      } finally {
        deadline.dispose();
      }
    },
  };
}

function unreachable(what: string, cause?: unknown): AgentStreamError {
  return new AgentStreamError('provider-unreachable', { cause, details: { status: what } });
}

function readRetryAfter(response: Response, clock: Clock): number {
  const askedMs = parseRetryAfterMs(response.headers.get('retry-after'), clock.wallMs()) ?? DEFAULT_RETRY_AFTER_MS;
  return Math.min(askedMs, MAX_PAUSE_MS);
}

async function readBody(response: Response): Promise<string> {
  if (response.body === null) return '';
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks).toString('utf8');
    chunks.push(value);
    size += value.length;
    if (size <= MAX_BODY_BYTES) continue;
    await reader.cancel();
    return Buffer.concat(chunks).toString('utf8', 0, MAX_BODY_BYTES);
  }
}

function parseBody(text: string): unknown {
  return text.trim() === '' ? undefined : (parseJson(text) ?? null);
}
