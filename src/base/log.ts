import { pino as createPino, type DestinationStream, type Level, type Logger } from 'pino';
import { PinoPretty as pretty } from 'pino-pretty';

/** Fields of a log line. Only scalars, so that no message, transcript or credential object slips in whole. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * Structured log. Messages are constant sentences; everything variable goes into fields.
 * Secrets, tokens, agent UUIDs, phone numbers and transcripts never go in; run ids do, and lead to the rest.
 */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Log;
}

const bearerToken = /Bearer\s+\S+/gi;

/** UUIDs but those of version 7, which are run ids: public within the organization, and what a reader searches a log for. */
const agentUuid = /\b[0-9a-f]{8}-[0-9a-f]{4}-[1-689a-f][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi;

/** What looks like a phone number and is none: run ids and names, RFC 3339 times and dates, IPv4 addresses, amounts with their unit. */
const harmlessDigits = [
  String.raw`\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b`,
  String.raw`\bWR-AGS-\d{8}\b`,
  String.raw`\b(?:19|20)\d\d-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?\b`,
  String.raw`(?<![\d+.])(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!\d{4})|(?![\d.-]))){4}`,
  String.raw`(?<![\d+.-])\d{1,15}(?:\.\d{1,15})? ?(?:ms|s|bytes|kB|MB|KiB|MiB)\b`,
].join('|');

/** Seven digits or more with the punctuation that people put between them, as in `+1 (555) 123-4567`. */
const phoneNumber = String.raw`\+?\(?\d(?:[\s().-]{0,3}\d){6,}`;

const digits = new RegExp(`(${harmlessDigits})|${phoneNumber}`, 'gi');

/** Takes out what must not be logged even if it slips into a text: bearer tokens, agent UUIDs, and digits that may be a phone number. */
function redact(text: string): string {
  return text
    .replace(bearerToken, 'Bearer [redacted]')
    .replace(agentUuid, '[uuid]')
    .replace(digits, (_number, harmless: string | undefined) => harmless ?? '[number]');
}

function redactFields(fields: LogFields | undefined): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields ?? {})) safe[key] = typeof value === 'string' && key !== 'runId' ? redact(value) : value;
  return safe;
}

function wrap(logger: Logger): Log {
  const at = (level: Level) => (message: string, fields?: LogFields) => logger[level](redactFields(fields), redact(message));
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(logger.child(redactFields(fields))),
  };
}

/** JSON lines on `destination` (default stdout), readable where stdout is a terminal. */
export function createLog(level: Level | 'silent', destination?: DestinationStream): Log {
  const readable = destination === undefined && process.stdout.isTTY;
  const stream = readable ? pretty({ colorize: true, ignore: 'pid,hostname' }) : destination;
  const options = { level, base: null, timestamp: createPino.stdTimeFunctions.isoTime };
  return wrap(stream === undefined ? createPino(options) : createPino(options, stream));
}

/** Discards everything: for tests. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silentLog };
