/** Opening of a media message as Cloudonix writes it: compact, with the event first. */
const MEDIA_OPENING = '{"event":"media",';
const MEDIA_KEY = '"media":{';
const PAYLOAD_KEY = '"payload":"';

/** A key as it is written compactly, and as much of it as shows that it is there in some other way. */
interface Key {
  readonly compact: string;
  readonly bare: string;
}

const chunkKey: Key = { compact: '"chunk":', bare: '"chunk"' };
const timestampKey: Key = { compact: '"timestamp":', bare: '"timestamp"' };
const sequenceKey: Key = { compact: '"sequenceNumber":', bare: '"sequenceNumber"' };

/** Digits of a sequence number or timestamp at most: stays exact in a double. */
const MAX_DIGITS = 15;

/** Where the parts of one media message are. Filled in place, so that reading a message allocates nothing but its text. */
export interface MediaParts {
  payloadStart: number;
  payloadEnd: number;
  isCallerTrack: boolean;
  /** NaN where absent. */
  chunk: number;
  sequenceNumber: number;
  timestampMs: number;
}

/** Holds the result of {@link locateMedia}. */
export function createMediaParts(): MediaParts {
  return { payloadStart: 0, payloadEnd: 0, isCallerTrack: true, chunk: NaN, sequenceNumber: NaN, timestampMs: NaN };
}

/** Tracks that carry the caller. */
export function isCallerTrackName(track: unknown): boolean {
  return track === undefined || track === null || track === 'inbound' || track === 'inbound_track';
}

/**
 * Finds payload, track and numbers of a media message by offset. False for every message that is not exactly of the known shape: two
 * objects, one inside the other, without escapes; the caller then parses it as JSON. So a `"payload"` elsewhere cannot mislead it.
 */
export function locateMedia(text: string, parts: MediaParts): boolean {
  if (!text.startsWith(MEDIA_OPENING) || text.indexOf('\\') !== -1) return false;
  const bodyStart = text.indexOf('{', 1);
  if (bodyStart === -1 || !text.startsWith(MEDIA_KEY, bodyStart + 1 - MEDIA_KEY.length)) return false;
  if (text.indexOf('{', bodyStart + 1) !== -1) return false;
  const bodyEnd = text.indexOf('}', bodyStart);
  if (bodyEnd === -1 || text.charCodeAt(text.length - 1) !== 0x7d || bodyEnd === text.length - 1) return false;
  return locateBody(text, bodyStart, bodyEnd, parts) && locateSequence(text, bodyStart, bodyEnd, parts);
}

function locateBody(text: string, bodyStart: number, bodyEnd: number, parts: MediaParts): boolean {
  const payloadKey = text.indexOf(PAYLOAD_KEY, bodyStart);
  if (payloadKey === -1 || payloadKey > bodyEnd) return false;
  parts.payloadStart = payloadKey + PAYLOAD_KEY.length;
  parts.payloadEnd = text.indexOf('"', parts.payloadStart);
  if (parts.payloadEnd === -1 || parts.payloadEnd > bodyEnd) return false;
  parts.isCallerTrack = true;
  const track = findKey(text, '"track":', bodyStart, bodyEnd);
  if (track !== -1) {
    if (text.charCodeAt(track) !== 0x22) return false;
    parts.isCallerTrack = text.startsWith('"inbound"', track) || text.startsWith('"inbound_track"', track);
  } else if (hasLooseKey(text, '"track"', bodyStart, bodyEnd)) return false;
  parts.chunk = readNumberAt(text, chunkKey, bodyStart, bodyEnd);
  parts.timestampMs = readNumberAt(text, timestampKey, bodyStart, bodyEnd);
  return parts.chunk !== Infinity && parts.timestampMs !== Infinity;
}

function locateSequence(text: string, bodyStart: number, bodyEnd: number, parts: MediaParts): boolean {
  parts.sequenceNumber = readNumberAt(text, sequenceKey, 0, bodyStart);
  if (Number.isNaN(parts.sequenceNumber)) {
    parts.sequenceNumber = readNumberAt(text, sequenceKey, bodyEnd, text.length);
  }
  return parts.sequenceNumber !== Infinity;
}

function findKey(text: string, key: string, from: number, to: number): number {
  const at = text.indexOf(key, from);
  return at === -1 || at >= to ? -1 : at + key.length;
}

function hasLooseKey(text: string, key: string, from: number, to: number): boolean {
  const at = text.indexOf(key, from);
  return at !== -1 && at < to;
}

/** The number after a key, quoted or not; NaN where the key is absent; Infinity where the value is not a plain integer. */
function readNumberAt(text: string, key: Key, from: number, to: number): number {
  const at = findKey(text, key.compact, from, to);
  if (at === -1) return hasLooseKey(text, key.bare, from, to) ? Infinity : NaN;
  const isQuoted = text.charCodeAt(at) === 0x22;
  const start = isQuoted ? at + 1 : at;
  let value = 0;
  let end = start;
  for (; end - start <= MAX_DIGITS; end += 1) {
    const digit = text.charCodeAt(end) - 0x30;
    if (!(digit >= 0 && digit <= 9)) break;
    value = value * 10 + digit;
  }
  const next = text.charCodeAt(end);
  const isComplete = isQuoted ? next === 0x22 : next === 0x2c || next === 0x7d;
  return end > start && end - start <= MAX_DIGITS && isComplete ? value : Infinity;
}
