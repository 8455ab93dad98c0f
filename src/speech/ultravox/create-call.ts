import { isIP } from 'node:net';
import { AgentStreamError } from '../../base/errors.js';
import { vendorStatusError } from '../../base/http-status.js';
import { parseJsonRecord, type JsonRecord } from '../../base/json.js';
import type { VendorContext } from '../vendor.js';

/** Longest answer to the request for a call: what was asked for comes back with it. */
const MAX_ANSWER_BYTES = 1024 * 1024;

/**
 * The address to join a call at, as the vendor gave it: another host than that of its API, by name. A bare address is taken only where the
 * API has it too, since nobody looks at where it leads.
 */
function checkJoinUrl(joinUrl: unknown, baseUrl: string): string {
  if (typeof joinUrl === 'string' && URL.canParse(joinUrl)) {
    const { protocol, hostname } = new URL(joinUrl);
    const base = new URL(baseUrl);
    const isSecure = protocol === 'wss:' || (protocol === 'ws:' && /^(http|ws):$/.test(base.protocol));
    const isName = isIP(hostname.replace(/^\[|\]$/g, '')) === 0;
    if (isSecure && (isName || hostname === base.hostname)) return joinUrl;
  }
  throw new AgentStreamError('vendor-protocol', { message: 'The vendor gave no address to join the call at.' });
}

/**
 * Creates a call (docs.ultravox.ai/api-reference/calls/calls-post); returns the address of its WebSocket.
 * @throws AgentStreamError `vendor-*`; the signal's reason where it aborts
 */
export async function createUltravoxCall({ apiKey, baseUrl, fetch }: VendorContext, body: JsonRecord, signal: AbortSignal): Promise<string> {
  const url = new URL(baseUrl.replace(/^ws/, 'http'));
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/api/calls`;
  const headers: Record<string, string> = { 'Content-Type': 'application/json', ...(apiKey === undefined ? {} : { 'X-API-Key': apiKey }) };
  try {
    const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body), signal, redirect: 'error' });
    if (!response.ok) {
      await response.body?.cancel();
      throw vendorStatusError(response.status, response.headers.get('retry-after'));
    }
    const text = await response.text();
    if (text.length > MAX_ANSWER_BYTES) throw new AgentStreamError('vendor-protocol');
    return checkJoinUrl(parseJsonRecord(text)?.['joinUrl'], baseUrl);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof AgentStreamError) throw error;
    if (error instanceof Error && error.cause instanceof AgentStreamError) throw error.cause;
    throw new AgentStreamError('vendor-unreachable', { message: 'The vendor created no call.', cause: error });
  }
}
