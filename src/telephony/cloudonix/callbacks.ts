import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { isRecord, type JsonRecord } from '../../base/json.js';
import type { ProviderCallback, TransferProgress } from '../provider.js';
import { readIdentifier, readText } from '../wire-text.js';
import { normaliseDomain, type CloudonixCredentials } from './config.js';
import { isFinalStatus } from './session-status.js';

/** Session statuses that mean the destination of a transfer was not reached. */
const FAILED_DIALS: ReadonlySet<string> = new Set(['busy', 'noanswer', 'cancel', 'nocredit', 'external', 'error', 'congestion', 'failed']);

/** Equality in a time that does not depend on where the texts differ, nor on their lengths. */
function isSame(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

function isSignatureValid(signature: string, rawBody: Buffer, key: string): boolean {
  const given = signature.trim().replace(/^sha256=/i, '');
  const digest = createHmac('sha256', key).update(rawBody).digest();
  return isSame(given.toLowerCase(), digest.toString('hex')) || isSame(given, digest.toString('base64'));
}

/**
 * True where a post proves knowledge of the requests key (of the API key where none is stored): by an HMAC-SHA256 of the body in
 * `X-Cloudonix-Signature`, which must be right where it is present, else by the key itself in `X-CX-APIKey` or `Authorization`.
 */
export function verifyCallback(
  headers: Readonly<Record<string, string | undefined>>,
  rawBody: Buffer,
  credentials: CloudonixCredentials,
): boolean {
  const key = credentials.requests_key ?? credentials.bearer_token;
  if (key === undefined) return false;
  const signature = headers['x-cloudonix-signature'];
  if (signature !== undefined) return isSignatureValid(signature, rawBody, key);
  const bearer = /^Bearer\s+(\S+)\s*$/i.exec(headers['authorization'] ?? '')?.[1];
  const given = [headers['x-cx-apikey'], bearer].filter((value) => value !== undefined);
  return given.length > 0 && given.every((value) => isSame(value, key));
}

/** Cloudonix posts an object, or an array that holds one. */
function unwrap(body: unknown): JsonRecord | undefined {
  const value: unknown = Array.isArray(body) && body.length === 1 ? body[0] : body;
  return isRecord(value) ? value : undefined;
}

function readDomain(post: JsonRecord): string | undefined {
  const owner = isRecord(post['owner']) ? post['owner'] : undefined;
  const ownerDomain = isRecord(owner?.['domain']) ? owner['domain']['name'] : owner?.['domain'];
  const domain = readText(post['domain']) ?? readText(ownerDomain);
  return domain === undefined ? undefined : (normaliseDomain(domain) ?? undefined);
}

/** Cloudonix writes times as epoch milliseconds in strings, durations in seconds. */
const DETAIL_FIELDS = [
  'call_id',
  'direction',
  'disposition',
  'duration',
  'billsec',
  'createdAt',
  'callStartTime',
  'callAnswerTime',
  'callEndTime',
  'answerTime',
  'endTime',
] as const;

function readDetails(post: JsonRecord): Record<string, string> {
  const details: Record<string, string> = {};
  for (const field of DETAIL_FIELDS) {
    const value = readText(post[field]);
    if (value !== undefined) details[field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = value;
  }
  return details;
}

/** Understands a session update (`status`) or a CDR (`disposition`); null where it is neither. */
export function parseCallback(body: unknown): ProviderCallback | null {
  const post = unwrap(body);
  if (post === undefined) return null;
  const session = isRecord(post['session']) ? post['session'] : post;
  const sessionId = readIdentifier(session['token']) ?? readIdentifier(post['session']) ?? readIdentifier(post['Session']);
  const disposition = readText(post['disposition'], 64)?.toLowerCase();
  const status = readText(post['status'] ?? session['status'], 64)?.toLowerCase();
  const common = { sessionId, account: readDomain(post), details: readDetails(post) };
  if (disposition !== undefined) return { kind: 'cdr', status: disposition, isFinal: true, ...common };
  if (status === undefined || sessionId === undefined) return null;
  return { kind: 'session-status', status, isFinal: isFinalStatus(session, status), ...common };
}

/** Understands a post to a warm transfer's callback: the destination joined the conference, or could not be reached. */
export function parseTransferCallback(body: unknown): TransferProgress | null {
  const post = unwrap(body);
  if (post === undefined) return null;
  const conferenceEvent = readText(post['StatusCallbackEvent'], 64)?.toLowerCase();
  if (conferenceEvent === 'participant-join' || conferenceEvent === 'join') return { type: 'answered' };
  const status = readText(post['status'], 64)?.toLowerCase();
  return status !== undefined && FAILED_DIALS.has(status) ? { type: 'failed', reason: status } : null;
}
