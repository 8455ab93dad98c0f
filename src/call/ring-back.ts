import type { Metronome } from '../audio/pacer.js';
import { ringBack } from '../audio/ring-back.js';
import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import type { DialectCapabilities } from '../telephony/dialect.js';
import type { MediaStream } from '../telephony/media-stream.js';
import { createPlayout, type Playout } from '../telephony/playout.js';
import { PRE_CALL_FETCH_LIMIT_MS } from './pre-call-fetch.js';

/** A wait shorter than this stays silent: a ring that breaks off at once sounds like a fault. */
export const RING_AFTER_MS = 500;
/** The tone and its pause: enough for the longest wait there is. */
const RINGS = Math.ceil(PRE_CALL_FETCH_LIMIT_MS / 6000);

const ITEM_ID = 'ring-back';
const nothing = () => undefined;
const deafListener = { onItemStarted: nothing, onItemHeard: nothing, onUnderrun: nothing, onFrameSent: nothing, onCleared: nothing, onQueueOverflow: nothing };

/** What a stream is rung on with. */
export interface RingBackPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly metronome: Metronome;
  /** Past its handshake, not started. */
  readonly stream: Pick<MediaStream, 'sendMedia' | 'sendClear'>;
  readonly capabilities: DialectCapabilities;
}

/** Lets a caller who waits hear that it rings, from half a second on; once the wait is over nothing of it is left at the carrier. */
export async function whileRinging<T>(wait: Promise<T>, { clock, log, metronome, stream, capabilities }: RingBackPorts): Promise<T> {
  let playout: Playout | null = null;
  const timer = clock.setTimer(RING_AFTER_MS, () => {
    playout = createPlayout({
      clock,
      metronome,
      // Echoes of marks would reach the call's own playout.
      capabilities: { ...capabilities, marks: 'none' },
      send: (frame) => stream.sendMedia(frame),
      sendMark: nothing,
      sendClear: () => stream.sendClear(),
      listener: deafListener,
      onFault: (error) => log.error('The ring-back tone broke', { error: error instanceof Error ? error.message : String(error) }),
    });
    playout.begin(ITEM_ID);
    for (let ring = 0; ring < RINGS; ring += 1) playout.append(ITEM_ID, ringBack);
  });
  const stop = () => {
    timer.cancel();
    playout?.discard();
    playout?.close();
  };
  return wait.finally(stop);
}
