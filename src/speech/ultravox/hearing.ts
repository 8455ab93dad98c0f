import { createEncoder } from '../../audio/convert.js';
import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import type { Clock } from '../../base/clock.js';
import { createAudioFeed, type AudioFeed } from '../audio-feed.js';
import { createAudioRing } from '../audio-ring.js';
import { createFinalizeRequests } from '../finalize-requests.js';
import type { SpeechToTextEvent } from '../speech-to-text.js';

const BYTES_PER_MS = SAMPLE_RATE_HZ / 1000;
/** Audio kept for sending and for sending again: 5 s. */
const RING_BYTES = 5000 * BYTES_PER_MS;
/** Audio per message, as the vendor advises: 20 ms. */
const BATCH_BYTES = 20 * BYTES_PER_MS;

/** The ears of a session: what it was sent of the caller, and what it makes of that. */
export interface Hearing {
  push(audio: Uint8Array): void;
  finalize(): void;
  /** The vendor takes audio: what no words cover yet is sent, from now on all that comes. `send` false: it was not taken. */
  connect(send: (pcm: Buffer) => boolean): void;
  disconnect(): void;
  /** The caller's turn is over, and these were its words. */
  takeTurn(text: string): void;
  close(): void;
}

/** Creates the ears of one session. */
export function createHearing(clock: Clock, onEvent: (event: SpeechToTextEvent) => void): Hearing {
  const ring = createAudioRing(RING_BYTES);
  const finalizes = createFinalizeRequests(clock, () => onEvent({ type: 'finalized' }));
  const toPcm = createEncoder({ encoding: 'l16-le', sampleRateHz: SAMPLE_RATE_HZ });
  /** Position up to which the caller's words are known: the vendor does not say where in the audio a turn ends. */
  let covered = 0;
  let link: { readonly feed: AudioFeed; readonly send: (pcm: Buffer) => boolean } | null = null;

  function pump(): void {
    if (link === null) return;
    const { feed, send } = link;
    feed.drain(BATCH_BYTES, (audio) => send(Buffer.from(toPcm(audio))));
  }

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
    },
    takeTurn(text) {
      if (text.trim() !== '') onEvent({ type: 'transcript-final', text: text.trim() });
      covered = ring.end;
      finalizes.settleCovered(covered);
      onEvent({ type: 'turn-end' });
    },
    close: () => finalizes.close(),
  };
}
