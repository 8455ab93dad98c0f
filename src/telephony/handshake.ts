import { AgentStreamError, type ErrorCode } from '../base/errors.js';
import type { Dialect, StreamMessage, StreamStart } from './dialect.js';

/** How far a stream's handshake is. */
export type Handshake =
  | { readonly type: 'awaiting'; readonly step: number; readonly start: StreamStart | null }
  | { readonly type: 'complete'; readonly start: StreamStart }
  | { readonly type: 'failed'; readonly error: AgentStreamError };

/** Before the first message. */
export const initialHandshake: Handshake = { type: 'awaiting', step: 0, start: null };

/** The error for a message that is not the one expected at this step. */
export function missingStepCode(dialect: Dialect, handshake: Handshake): ErrorCode {
  return handshake.type === 'awaiting' && dialect.handshake[handshake.step] === 'connected' ? 'expected-connected' : 'expected-start';
}

function fail(code: ErrorCode): Handshake {
  return { type: 'failed', error: new AgentStreamError(code) };
}

/** The next state after a message; `media` stands for any media message. Anything but the expected message fails. */
export function advanceHandshake(dialect: Dialect, handshake: Handshake, message: StreamMessage | { readonly type: 'media' }): Handshake {
  if (handshake.type !== 'awaiting') return handshake;
  const expected = dialect.handshake[handshake.step];
  if (message.type === 'malformed') {
    const isStart = message.code !== 'wrong-frame-type' && message.code !== 'malformed-handshake';
    return fail(isStart && expected !== 'start' ? missingStepCode(dialect, handshake) : message.code);
  }
  if (message.type !== expected) return fail(missingStepCode(dialect, handshake));
  const start = message.type === 'start' ? message.start : handshake.start;
  const step = handshake.step + 1;
  if (step < dialect.handshake.length) return { type: 'awaiting', step, start };
  return start === null ? fail('missing-start-metadata') : { type: 'complete', start };
}
