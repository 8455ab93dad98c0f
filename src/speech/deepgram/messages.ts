import type { Recognition } from '../recogniser-wire.js';

/** Ends a stream of either endpoint in order. Control messages are text frames; audio is binary frames. */
export const closeStreamMessage = '{"type":"CloseStream"}';

/** What metadata, errors and messages to come ask for. */
export const NOTHING_TO_DO: readonly Recognition[] = [{ type: 'unknown' }];

/** Deepgram's seconds in ms; 0 for what is none. */
export function toMs(seconds: unknown): number {
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
}
