import { createTokenBucket } from './token-bucket.js';

/** Bounds of one media stream. Each is generous to a carrier that works and stops one that does not. */
export interface StreamLimits {
  /** From the opening of the socket to a complete handshake. */
  readonly handshakeMs: number;
  readonly messagesPerSecond: number;
  /** Messages at once: 50 a second through a network stall of several seconds arrive together. */
  readonly messageBurst: number;
  readonly bytesPerSecond: number;
  readonly byteBurst: number;
  readonly malformedPerMinute: number;
  readonly dtmfPerSecond: number;
  readonly pingEveryMs: number;
  /** Without a sign of life for this long the peer is gone. */
  readonly silentPeerMs: number;
  /** Without media for this long the stream counts as stalled. */
  readonly mediaStallMs: number;
  /** Above this, our media is dropped instead of queued. */
  readonly maxBufferedBytes: number;
  /** A peer that does not read for this long is cut off. */
  readonly congestedMs: number;
  /** Wait for the peer's close frame. */
  readonly closeMs: number;
}

/** The limits of the contract and of docs/errors.md. */
export const defaultStreamLimits: StreamLimits = {
  handshakeMs: 10_000,
  messagesPerSecond: 200,
  messageBurst: 400,
  bytesPerSecond: 1_000_000,
  byteBurst: 1_000_000,
  malformedPerMinute: 100,
  dtmfPerSecond: 10,
  pingEveryMs: 20_000,
  silentPeerMs: 29_000,
  mediaStallMs: 15_000,
  maxBufferedBytes: 256_000,
  congestedMs: 10_000,
  closeMs: 2000,
};

/** Decides how much one socket may send. Pure: time is an argument. */
export interface FloodLimiter {
  /** False: the socket floods. */
  admit(bytes: number, nowMs: number): boolean;
}

/** Creates the limiter of one socket. */
export function createFloodLimiter(limits: StreamLimits): FloodLimiter {
  const messages = createTokenBucket({ capacity: limits.messageBurst, perSecond: limits.messagesPerSecond });
  const bytes = createTokenBucket({ capacity: limits.byteBurst, perSecond: limits.bytesPerSecond });
  return { admit: (size, nowMs) => messages.take(nowMs, 1) && bytes.take(nowMs, size) };
}

/** Decides how much nonsense one socket may send. Pure: time is an argument. */
export interface MessageLimiter {
  /** False: more malformed messages than a minute may have. */
  admitMalformed(nowMs: number): boolean;
  /** False: key presses come faster than anybody presses keys. */
  admitDtmf(nowMs: number): boolean;
}

const MINUTE_MS = 60_000;

/** Creates the limiter of one stream's messages. */
export function createMessageLimiter(limits: StreamLimits): MessageLimiter {
  const dtmf = createTokenBucket({ capacity: 2 * limits.dtmfPerSecond, perSecond: limits.dtmfPerSecond });
  let malformedSinceMs = -Infinity;
  let malformedCount = 0;
  return {
    admitMalformed(nowMs) {
      if (nowMs - malformedSinceMs >= MINUTE_MS) {
        malformedSinceMs = nowMs;
        malformedCount = 0;
      }
      malformedCount += 1;
      return malformedCount <= limits.malformedPerMinute;
    },
    admitDtmf: (nowMs) => dtmf.take(nowMs, 1),
  };
}

/** What the passing of time asks for. */
export type VitalSign = 'ping-due' | 'peer-silent' | 'media-stalled' | 'peer-congested';

/** Watches over one socket's life signs. Pure: time is an argument. */
export interface StreamVitals {
  /** Anything at all came from the peer. */
  onSign(nowMs: number): void;
  /** Media came. Returns true where it had stalled. */
  onMedia(nowMs: number): boolean;
  /** Media is expected from now on. */
  expectMedia(nowMs: number): void;
  /** To be asked about once a second. */
  check(nowMs: number, bufferedBytes: number): readonly VitalSign[];
}

/** Creates the watch of one socket, opened now. */
export function createStreamVitals(limits: StreamLimits, openedMs: number): StreamVitals {
  let lastSignMs = openedMs;
  let lastPingMs = openedMs;
  let lastMediaMs = NaN;
  let congestedSinceMs = NaN;
  let media: 'not-expected' | 'flowing' | 'stalled' = 'not-expected';
  return {
    onSign: (nowMs) => void (lastSignMs = nowMs),
    onMedia(nowMs) {
      lastMediaMs = nowMs;
      if (media !== 'stalled') return false;
      media = 'flowing';
      return true;
    },
    expectMedia(nowMs) {
      media = 'flowing';
      lastMediaMs = nowMs;
    },
    check(nowMs, bufferedBytes) {
      const signs: VitalSign[] = [];
      if (bufferedBytes <= limits.maxBufferedBytes) congestedSinceMs = NaN;
      else if (Number.isNaN(congestedSinceMs)) congestedSinceMs = nowMs;
      if (nowMs - congestedSinceMs >= limits.congestedMs) signs.push('peer-congested');
      if (nowMs - lastSignMs >= limits.silentPeerMs) signs.push('peer-silent');
      if (nowMs - lastPingMs >= limits.pingEveryMs) {
        lastPingMs = nowMs;
        signs.push('ping-due');
      }
      if (media === 'flowing' && nowMs - lastMediaMs >= limits.mediaStallMs) {
        media = 'stalled';
        signs.push('media-stalled');
      }
      return signs;
    },
  };
}
