import { sleep } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import { parseTemplate, renderTemplate } from '../../workflow/template.js';
import { credentialHeaders } from '../../workflow/request-credential.js';
import type { Variables } from '../../workflow/engine.js';
import type { ToolContext } from './tool-kind.js';

/** Longest answer that is read, bytes. */
const MAX_RESPONSE_BYTES = 64 * 1024;
/** Redirects that are followed; each target is checked like the first. */
const MAX_REDIRECTS = 3;
/** Tries in all of a request that may be repeated. */
const MAX_ATTEMPTS = 3;
const RETRY_DELAY_MS = 200;

/** Methods that may be sent twice (RFC 9110 §9.2.2). */
const idempotentMethods: ReadonlySet<string> = new Set(['GET', 'PUT', 'DELETE']);

/** A request, complete but for the credential. */
export interface OutgoingRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** The answer of the server. */
export interface ReceivedAnswer {
  readonly status: number;
  readonly text: string;
  readonly isCut: boolean;
  /** Values of the credential that was sent: nothing that is shown may hold them. */
  readonly secrets: readonly string[];
}

/** Headers by their names in lower case, so that each is there once. */
export const lowerCaseNames = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

const unreachable = (cause: unknown): AgentStreamError => {
  if (cause instanceof AgentStreamError) return cause;
  const inner = cause instanceof Error ? cause.cause : undefined;
  return inner instanceof AgentStreamError ? inner : new AgentStreamError('tool-unreachable', { message: 'The server could not be reached.', cause });
};

async function readText(response: Response): Promise<{ text: string; isCut: boolean }> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  if (response.body === null) return { text: '', isCut: false };
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const chunk = part.value as Uint8Array;
    chunks.push(chunk.subarray(0, MAX_RESPONSE_BYTES - size));
    size += chunk.length;
    if (size > MAX_RESPONSE_BYTES) break;
  }
  const isCut = size > MAX_RESPONSE_BYTES;
  // What is left of a long answer is not waited for.
  if (isCut) await reader.cancel().catch(() => undefined);
  return { text: new TextDecoder().decode(Buffer.concat(chunks)), isCut };
}

const isRedirect = (status: number): boolean => [301, 302, 303, 307, 308].includes(status);

/** The next request of a redirect. Another origin gets no credential, and a method other than GET is not repeated on a 301, 302 or 303. */
function redirected(request: OutgoingRequest, status: number, location: string, secretHeaders: readonly string[]): OutgoingRequest {
  const target = URL.canParse(location, request.url) ? new URL(location, request.url) : null;
  if (target === null || !/^https?:$/.test(target.protocol) || target.username !== '' || target.password !== '')
    throw new AgentStreamError('tool-failed', { message: 'The server redirects to an address that cannot be used.' });
  const isKept = status === 307 || status === 308;
  const isSameOrigin = target.origin === new URL(request.url).origin;
  const headers = Object.fromEntries(
    Object.entries(request.headers).filter(([name]) => (isSameOrigin || !secretHeaders.includes(name)) && (isKept || name !== 'content-type')),
  );
  return isKept ? { ...request, url: target.href, headers } : { method: 'GET', url: target.href, headers, body: null };
}

async function sendOnce(first: OutgoingRequest, secretHeaders: readonly string[], { fetch, signal }: Pick<ToolContext, 'fetch' | 'signal'>) {
  let request = first;
  for (let count = 0; ; count += 1) {
    const { method, url, headers, body } = request;
    const response = await fetch(url, { method, headers, body, signal, redirect: 'manual' });
    const location = response.headers.get('location');
    if (!isRedirect(response.status) || location === null) return { status: response.status, ...(await readText(response)) };
    await response.body?.cancel();
    if (count >= MAX_REDIRECTS) throw new AgentStreamError('tool-failed', { message: 'The server redirects too often.' });
    request = redirected(request, response.status, location, secretHeaders);
  }
}

/**
 * Sends a request with the tool's credential and reads the answer, whatever its status. What may be sent twice is tried again where the
 * connection broke or the answer was 502 or 503.
 * @throws AgentStreamError `egress-refused`, `tool-unreachable`, `tool-failed`; the signal's reason
 */
export async function sendRequest(request: OutgoingRequest, context: ToolContext): Promise<ReceivedAnswer> {
  const { headers, secrets } = credentialHeaders(await context.credential());
  const full: OutgoingRequest = { ...request, headers: { ...request.headers, ...headers } };
  const attempts = idempotentMethods.has(request.method) ? MAX_ATTEMPTS : 1;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await sendOnce(full, Object.keys(headers), context);
      if (attempt >= attempts || (answer.status !== 502 && answer.status !== 503)) return { ...answer, secrets };
    } catch (error) {
      context.signal.throwIfAborted();
      const failure = unreachable(error);
      if (attempt >= attempts || failure.code !== 'tool-unreachable') throw failure;
    }
    await sleep(context.clock, RETRY_DELAY_MS * attempt, context.signal);
  }
}

/** Presets filled in from the call's variables. @throws AgentStreamError `tool-failed` where a required one comes out empty */
export function presetsOf(
  presets: readonly { readonly name: string; readonly value: string; readonly required: boolean }[],
  variables: Variables,
  wallMs: number,
): Readonly<Record<string, string>> {
  const values = presets.map(({ name, value, required }) => {
    const text = renderTemplate(parseTemplate(value), variables, wallMs);
    if (required && text.trim() === '') throw new AgentStreamError('tool-failed', { message: `The call does not know "${name}", which this tool needs.` });
    return [name, text] as const;
  });
  return Object.fromEntries(values);
}

const asText = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** Dots alone would be a step up the path (RFC 3986 §5.2.4), also percent-encoded. */
const pathSafe = (text: string): string => (/^\.{1,2}$/.test(text) ? text.replaceAll('.', '%252E') : encodeURIComponent(text));

/** The URL with its placeholders filled in, percent-encoded; `used` names the values that went into it. @throws AgentStreamError `tool-failed` */
export function fillUrl(url: string, values: Readonly<Record<string, unknown>>): { readonly url: URL; readonly used: ReadonlySet<string> } {
  const used = new Set<string>();
  const filled = url.replaceAll(/\{(\w[\w-]*)\}/g, (_, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined || value === '') throw new AgentStreamError('tool-failed', { message: `"${name}" is missing.` });
    used.add(name);
    return pathSafe(asText(value));
  });
  return { url: new URL(filled), used };
}

/** Adds values to a URL's query. */
export function addQuery(url: URL, values: Readonly<Record<string, unknown>>): URL {
  for (const [name, value] of Object.entries(values)) url.searchParams.set(name, asText(value));
  return url;
}
