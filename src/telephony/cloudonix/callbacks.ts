import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { isRecord, type JsonRecord } from '../../base/json.js';
import type { ProviderCallback, TransferProgress } from '../provider.js';
import { readIdentifier, readText } from '../wire-text.js';
import { normaliseDomain, type CloudonixCredentials } from './config.js';
import { isFinalStatus } from './session-status.js';

/** Session statuses that mean the destination of a transfer was not reached. */
const FAILED_DIALS: ReadonlySet<string> = new Set(['busy', 'noanswer', 'cancel', 'nocredit', 'external', 'error', 'congestion', 'failed']);

/** How far the time of a signed post may lie from now, in ms: its age, and the skew of clocks. */
const MAX_SIGNATURE_AGE_MS = 300_000;

/** From here on a number is taken for milliseconds: as seconds it would be the year 5138. */
const FIRST_MS_TIMESTAMP = 100_000_000_000;

type CallbackHeaders = Readonly<Record<string, string | undefined>>;

/** Equality in a time that does not depend on where the texts differ, nor on their lengths. */
function isSame(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}

function isSignatureOf(signed: Buffer, signature: string, key: string): boolean {
  const given = signature.trim().replace(/^sha256=/i, '');
  const digest = createHmac('sha256', key).update(signed).digest();
  return isSame(given.toLowerCase(), digest.toString('hex')) || isSame(given, digest.toString('base64'));
}

/** Epoch seconds, or milliseconds as Cloudonix writes times elsewhere, in ms. NaN for anything else. */
function parseTimestamp(text: string): number {
  if (!/^\d{1,15}$/.test(text.trim())) return NaN;
  const value = Number(text);
  return value < FIRST_MS_TIMESTAMP ? value * 1000 : value;
}

function isSignatureValid(headers: CallbackHeaders, signature: string, post: { rawBody: Buffer; key: string; nowMs: number }): boolean {
  const { rawBody, key, nowMs } = post;
  const timestamp = headers['x-cloudonix-timestamp'];
  if (timestamp === undefined) return isSignatureOf(rawBody, signature, key);
  const isRecent = Math.abs(nowMs - parseTimestamp(timestamp)) <= MAX_SIGNATURE_AGE_MS;
  const signed = Buffer.concat([Buffer.from(`${timestamp.trim()}.`), rawBody]);
  return isRecent && (isSignatureOf(signed, signature, key) || isSignatureOf(rawBody, signature, key));
}

/**
 * True where a post proves knowledge of the requests key (of the API key where none is stored): by an HMAC-SHA256 in
 * `X-Cloudonix-Signature`, which must be right where it is present, else by the key itself in `X-CX-APIKey` or `Authorization`.
 *
 * With `X-Cloudonix-Timestamp` the HMAC is over `{timestamp}.{body}`, and no older than {@link MAX_SIGNATURE_AGE_MS} (Cloudonix' OPBX, its
 * specification of session updates and its own check of them: greenfieldtech-nirs/opbx). Without one, which Cloudonix leaves optional, or where
 * only the body is signed, a post says nothing of its age that could be trusted: a recorded one stays valid for as long as the key.
 * What it could change is little: a run keeps the first post of each status, and a final status ends a call that is live.
 * @param nowMs epoch ms
 */
export function verifyCallback(headers: CallbackHeaders, rawBody: Buffer, credentials: CloudonixCredentials, nowMs: number): boolean {
  const key = credentials.requests_key ?? credentials.bearer_token;
  if (key === undefined) return false;
  const signature = headers['x-cloudonix-signature'];
  if (signature !== undefined) return isSignatureValid(headers, signature, { rawBody, key, nowMs });
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
