import { createHmac, randomBytes } from 'node:crypto';
import { pino as createPino, type DestinationStream, type Level, type Logger } from 'pino';
import { PinoPretty as pretty } from 'pino-pretty';

/** Fields of a log line. Only scalars, so that no message, transcript or credential object slips in whole. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * Structured log. Messages are constant sentences; everything variable goes into fields.
 * Secrets, tokens, agent UUIDs, phone numbers and transcripts never go in: use {@link fingerprint} to correlate an identifier.
 */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  child(fields: LogFields): Log;
}

/** What must not be logged even if it slips into a field: agent UUIDs, bearer tokens and long digit runs that may be phone numbers. */
const forbiddenPatterns: readonly [RegExp, string][] = [
  [/Bearer\s+\S+/gi, 'Bearer [redacted]'],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[1-6][0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b/gi, '[uuid]'],
  [/\+?\d[\d\s().-]{6,}\d/g, '[number]'],
];

/** UUIDs of version 7 are run ids: public within the organization, and what a reader searches a log for. */
function redact(value: string): string {
  return forbiddenPatterns.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), value);
}

function redactFields(fields: LogFields | undefined): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields ?? {})) safe[key] = typeof value === 'string' && key !== 'runId' ? redact(value) : value;
  return safe;
}

const fingerprintKey = randomBytes(32);

/** A keyed hash of an identifier, stable within this process: correlates log lines without revealing it. */
export function fingerprint(value: string): string {
  return createHmac('sha256', fingerprintKey).update(value).digest('base64url').slice(0, 10);
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
