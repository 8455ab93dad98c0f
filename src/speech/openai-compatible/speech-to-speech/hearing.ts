import { SAMPLE_RATE_HZ } from '../../../audio/frame.js';
import type { Clock } from '../../../base/clock.js';
import { createAudioFeed, type AudioFeed } from '../../audio-feed.js';
import { createAudioRing } from '../../audio-ring.js';
import { createFinalizeRequests } from '../../finalize-requests.js';
import type { SpeechToTextEvent } from '../../speech-to-text.js';
import type { ServerEvent } from './messages.js';

const BYTES_PER_MS = SAMPLE_RATE_HZ / 1000;
/** Audio kept for sending and for sending again: 5 s. */
const RING_BYTES = 5000 * BYTES_PER_MS;
/** Audio per message: 40 ms. */
const BATCH_BYTES = 40 * BYTES_PER_MS;
/** Turns that may wait for their words; the oldest goes first. */
const MAX_ITEMS = 32;

/** Sends one batch of audio; false: it was not taken. */
type SendAudio = (audio: Buffer) => boolean;

/** The ears of a session: what it was sent of the caller, and what it makes of that. */
export interface Hearing {
  push(audio: Uint8Array): void;
  finalize(): void;
  /** The vendor takes audio: what no transcript covers yet is sent, from now on all that comes. */
  connect(send: SendAudio): void;
  /** The connection is lost: turns that wait for their words are heard again. */
  disconnect(): void;
  /** Takes an event about the caller. Others are ignored. */
  take(event: ServerEvent): void;
  close(): void;
}

/** One turn of the caller as the vendor tells them apart. */
interface HeardItem {
  /** End of its audio, a position in the ring; null while the caller speaks. */
  endPosition: number | null;
  text: string;
}

/** Creates the ears of one session. */
export function createHearing(clock: Clock, onEvent: (event: SpeechToTextEvent) => void): Hearing {
  const ring = createAudioRing(RING_BYTES);
  const items = new Map<string, HeardItem>();
  const finalizes = createFinalizeRequests(clock, () => onEvent({ type: 'finalized' }));
  /** Position up to which the caller's words are known. */
  let covered = 0;
  let link: { readonly feed: AudioFeed; readonly send: SendAudio } | null = null;

  const pump = () => void link?.feed.drain(BATCH_BYTES, link.send);

  const itemOf = (id: string): HeardItem => {
    const known = items.get(id);
    if (known !== undefined) return known;
    const item = { endPosition: null, text: '' };
    items.set(id, item);
    for (const oldest of items.keys()) {
      if (items.size <= MAX_ITEMS) break;
      items.delete(oldest);
    }
    return item;
  };

  const settle = (id: string, text: string) => {
    const { endPosition } = itemOf(id);
    items.delete(id);
    const endMs = endPosition === null ? {} : { endMs: endPosition / BYTES_PER_MS };
    if (text.trim() !== '') onEvent({ type: 'transcript-final', text: text.trim(), ...endMs });
    if (endPosition !== null) covered = Math.max(covered, endPosition);
    finalizes.settleCovered(covered);
    // Where the caller went on meanwhile, the turn ends with what follows.
    if (items.size === 0) onEvent({ type: 'turn-end' });
  };

  return {
    push(audio) {
      ring.push(audio);
      pump();
    },
    finalize: () => finalizes.add(ring.end, false),
    connect(send) {
      const feed = createAudioFeed(ring, BATCH_BYTES, Math.max(covered, ring.start));
      feed.begin();
      link = { feed, send };
      onEvent({ type: 'stt-ready' });
      pump();
    },
    disconnect() {
      link = null;
      items.clear();
    },
    take(event) {
      switch (event.type) {
        case 'speech-started':
          itemOf(event.itemId);
          return onEvent({ type: 'speech-start' });
        case 'speech-stopped':
          itemOf(event.itemId).endPosition = (link?.feed.origin ?? 0) + Math.round(event.endMs * BYTES_PER_MS);
          return;
        case 'transcript-delta': {
          const item = itemOf(event.itemId);
          item.text += event.text;
          if (item.text.trim() !== '') onEvent({ type: 'transcript-interim', text: item.text.trim() });
          return;
        }
        case 'transcript-done':
          return settle(event.itemId, event.text ?? itemOf(event.itemId).text);
        default:
      }
    },
    close: () => finalizes.close(),
  };
}
