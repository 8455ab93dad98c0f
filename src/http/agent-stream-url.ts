import { isUuid } from '../base/ids.js';
import type { StreamRequest } from '../call/call-request.js';
import { isReservedVariable, readText } from '../telephony/wire-text.js';

/** Longest accepted stream URL, path and query together. */
const MAX_URL_LENGTH = 8192;

/** Longest name and value of one query parameter. */
const MAX_NAME_LENGTH = 128;
const MAX_VALUE_LENGTH = 2000;

const PREFIX = '/api/v1/agent-stream/';
const PROVIDER_NAME = /^[a-z][a-z0-9-]{0,31}$/i;
/** A stream token is base64url of at least 128 bits. */
const STREAM_TOKEN = /^[A-Za-z0-9_-]{22,128}$/;

/** Query parameters that have a meaning of their own; every other one is a call variable. */
const KNOWN_PARAMETERS = new Set(['provider', 'domain', 'callid', 'callsid', 'from', 'to']);

/**
 * Reads both forms of the stream URL (contract §1): `/{agent_uuid}[/{stream_token}]?provider=…` and
 * `/{provider}/{agent_uuid}[/{stream_token}]`. Null where the path is neither: answered 404. Never throws.
 */
export function parseStreamUrl(url: string): StreamRequest | null {
  if (url.length > MAX_URL_LENGTH || !url.startsWith(PREFIX)) return null;
  const [path = '', queryText = ''] = splitOnce(url.slice(PREFIX.length), '?');
  const segments = path.split('/');
  if (segments.at(-1) === '') segments.pop();
  if (segments.length === 0 || segments.length > 3 || segments.includes('')) return null;

  const query = parseQuery(queryText);
  const [first = '', second, third] = segments;
  if (isUuid(first)) {
    if (third !== undefined) return null;
    return { ...readQuery(query), agentUuid: first.toLowerCase(), streamToken: tokenOf(second), provider: query['provider'] ?? null };
  }
  // A path that starts with neither a UUID nor a provider's name is an unknown agent, not an unknown path.
  if (!PROVIDER_NAME.test(first) || second === undefined)
    return { ...readQuery(query), agentUuid: null, streamToken: null, provider: query['provider'] ?? null };
  const agentUuid = isUuid(second) ? second.toLowerCase() : null;
  return { ...readQuery(query), agentUuid, streamToken: tokenOf(third), provider: first };
}

/** A token that cannot be one is kept as an impossible one: it must fail like a wrong token. */
function tokenOf(segment: string | undefined): string | null {
  if (segment === undefined) return null;
  return STREAM_TOKEN.test(segment) ? segment : '';
}

function readQuery(query: Readonly<Record<string, string>>) {
  return {
    callId: readText(query['callId']) ?? readText(query['CallSid']),
    from: readText(repairPlus(query['from'])),
    to: readText(repairPlus(query['to'])),
    query,
    callVariables: readCallVariables(query),
  };
}

/** Every other parameter, made safe like a stream's custom parameters: a URL may be put together from what a caller sent. */
function readCallVariables(query: Readonly<Record<string, string>>): Record<string, string> {
  const variables: Record<string, string> = {};
  for (const [rawName, value] of Object.entries(query)) {
    const name = readText(rawName, MAX_NAME_LENGTH);
    if (name === undefined || KNOWN_PARAMETERS.has(name.toLowerCase()) || isReservedVariable(name)) continue;
    variables[name] = readText(value, MAX_VALUE_LENGTH) ?? '';
  }
  return variables;
}

/** A raw `+` in a query decodes to a space (WHATWG URL, urlencoded parsing): ` 1555…` was `+1555…`. */
export function repairPlus(value: string | undefined): string | undefined {
  if (value === undefined || value.trim() === '') return undefined;
  return /^ \d/.test(value) ? `+${value.trim()}` : value.trim();
}

/** The first value of each name. Prototype keys are inert: the record has no prototype. */
function parseQuery(text: string): Record<string, string> {
  const query = Object.create(null) as Record<string, string>;
  for (const [name, value] of new URLSearchParams(text)) {
    if (name === '__proto__' || name in query || value.length > MAX_VALUE_LENGTH) continue;
    query[name] = value;
  }
  return query;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
