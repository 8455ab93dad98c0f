import { isRecord } from '../base/json.js';
import { parseJsonObject } from './wire-text.js';

/** Headers that only other providers send on the upgrade (each vendor's media-stream documentation). */
const FOREIGN_HEADERS: readonly string[] = [
  'x-twilio-signature',
  'x-plivo-signature-v3',
  'x-vobiz-signature-v2',
  'x-vobiz-signature-v3',
  'x-telnyx-streaming-auth-token',
  'audiohook-organization-id',
  'x-ms-call-connection-id',
];

/** Twilio's form of an account id; Cloudonix sends a domain in its place. */
const TWILIO_ACCOUNT = /^AC[0-9a-f]{32}$/;

/** First frames that {@link recogniseProvider} looks at. */
export const RECOGNISING_FRAMES = 2;

/**
 * Which provider a stream is from, by its upgrade headers (names in lower case) and its first two text frames; null where that cannot be told.
 * Cloudonix speaks Twilio's protocol: its `start` has a `session`, or an account that is a domain.
 */
export function recogniseProvider(headers: Readonly<Record<string, string | string[] | undefined>>, frames: readonly string[]): 'cloudonix' | null {
  if (FOREIGN_HEADERS.some((name) => headers[name] !== undefined)) return null;
  const [connected, startMessage] = frames.map(parseJsonObject);
  if (connected?.['event'] !== 'connected' || connected['protocol'] !== 'Call') return null;
  const start = startMessage?.['event'] === 'start' ? startMessage['start'] : undefined;
  if (!isRecord(start)) return null;
  const account = start['accountSid'];
  const hasOtherAccount = typeof account === 'string' && account !== '' && !TWILIO_ACCOUNT.test(account);
  return typeof start['session'] === 'string' || hasOtherAccount ? 'cloudonix' : null;
}
