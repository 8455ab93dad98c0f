import { isPrototypeKey, isRecord, parseJsonRecord, type JsonRecord } from '../base/json.js';

/** Terminal escape sequences (ECMA-48 §5.4), control characters, bidirectional overrides and lone surrogates. */
const UNSAFE_TEXT = /\u{1b}\[[0-?]*[ -/]*[@-~]|\p{Cc}|[\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2060}-\u{2069}\u{feff}]|\p{Cs}/gu;

/** An identifier that may be echoed and put into a path after encoding: printable ASCII without spaces. */
const IDENTIFIER = /^[\x21-\x7e]{1,256}$/;

/** Longest text taken over from a peer. */
const MAX_TEXT = 256;

/** Call variables that the server sets itself; a peer's values never overwrite them. */
export const builtInVariables: readonly string[] = [
  'provider',
  'direction',
  'caller_number',
  'called_number',
  'agent_uuid',
  'agent_version',
  'run_id',
  'organization_id',
  'call_id',
  'call_sid',
  'call_type',
  'session',
  'stream_sid',
  'domain',
  'context',
  'runtime_configuration',
];

/** Bounds of a stream's custom parameters. */
const MAX_PARAMETERS = 64;
const MAX_PARAMETER_BYTES = 8192;

/** A printable identifier of at most 256 characters, else undefined. */
export function readIdentifier(value: unknown): string | undefined {
  return typeof value === 'string' && IDENTIFIER.test(value) ? value : undefined;
}

/** Text of a peer without control characters, escape sequences and lone surrogates, trimmed and cut to 256 characters. */
export function readText(value: unknown, maxLength: number = MAX_TEXT): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const text = String(value).replace(UNSAFE_TEXT, '').trim().slice(0, maxLength).replace(UNSAFE_TEXT, '');
  return text === '' ? undefined : text;
}

/**
 * Custom parameters as flat strings: at most 64 of them and 8 kB in all; objects become JSON; null, built-in and prototype names are
 * dropped. `dropped` counts what did not fit or was not allowed.
 */
export function readCustomParameters(value: unknown): { readonly parameters: Record<string, string>; readonly dropped: number } {
  const parameters: Record<string, string> = {};
  if (!isRecord(value)) return { parameters, dropped: 0 };
  let dropped = 0;
  let count = 0;
  let bytes = 0;
  for (const [rawName, rawValue] of Object.entries(value)) {
    const name = readText(rawName, 128);
    const text = readParameter(rawValue);
    const size = Buffer.byteLength(`${name}${text}`);
    const isAllowed = name !== undefined && text !== undefined && !isReservedVariable(name);
    if (!isAllowed || count >= MAX_PARAMETERS || bytes + size > MAX_PARAMETER_BYTES) {
      dropped += 1;
      continue;
    }
    parameters[name] = text;
    count += 1;
    bytes += size;
  }
  return { parameters, dropped };
}

/** True for names that a peer must not set: built-in call variables and prototype keys. */
export function isReservedVariable(name: string): boolean {
  return builtInVariables.includes(name.toLowerCase()) || isPrototypeKey(name);
}

function readParameter(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value === 'string') return readText(value, MAX_PARAMETER_BYTES) ?? '';
  return readText(JSON.stringify(value), MAX_PARAMETER_BYTES);
}

/** Deepest nesting of a control message. */
const MAX_JSON_DEPTH = 32;

/** Parses a peer's JSON object; null where it is not JSON, not an object, or nested deeper than 32 levels. Never throws. */
export function parseJsonObject(text: string): JsonRecord | null {
  return exceedsDepth(text) ? null : parseJsonRecord(text);
}

function exceedsDepth(text: string): boolean {
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (isInString) {
      if (code === 0x5c) i += 1;
      else if (code === 0x22) isInString = false;
    } else if (code === 0x22) isInString = true;
    else if (code === 0x7b || code === 0x5b) {
      depth += 1;
      if (depth > MAX_JSON_DEPTH) return true;
    } else if (code === 0x7d || code === 0x5d) depth -= 1;
  }
  return false;
}
