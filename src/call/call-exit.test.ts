import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { sleep } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { createCallExit } from './call-exit.js';
import type { CallEnding } from './call-options.js';

const ending = (endReason: CallEnding['endReason'], code = 1000): CallEnding => ({ endReason, close: { code, reason: 'test' } });
const byAgent = ending('agent_hangup');
const byCaller = ending('caller_hangup', 1005);

/** An exit whose provider takes `answerMs` to hang up. */
function setUp(options: { answerMs?: number; refuses?: boolean } = {}) {
  const clock = createVirtualClock();
  const log: string[] = [];
  let settled = 0;
  const exit = createCallExit<CallEnding>({
    clock,
    record: (type) => log.push(type),
    async hangUpAtProvider(signal) {
      log.push('hang-up');
      await sleep(clock, options.answerMs ?? 50, signal);
      if (options.refuses === true) throw new AgentStreamError('provider-rejected');
    },
    onHangingUp: () => log.push('fall-silent'),
    release(given) {
      log.push(`release ${given.endReason} ${given.close.code}`);
      return Promise.resolve(given);
    },
  });
  void exit.outcome.then(() => (settled += 1));
  return { clock, log, exit, settled: () => settled };
}

describe('a hang-up', () => {
  it('falls silent, asks the provider, waits for the stream and releases once', async () => {
    const { clock, log, exit, settled } = setUp();
    expect(exit.isLive).toBe(true);
    exit.hangUp(byAgent);
    expect(exit.isLive).toBe(false);
    exit.hangUp(ending('internal_error'));
    await clock.advance(2049);
    expect(log).toEqual(['fall-silent', 'hang-up', 'hangup-confirmed']);
    await clock.advance(1);
    expect(log.at(-1)).toBe('release agent_hangup 1000');
    expect(exit.signal.aborted).toBe(true);
    expect(await exit.outcome).toBe(byAgent);
    exit.onPeerEnded(byCaller);
    exit.hangUp(byAgent);
    await clock.advance(5000);
    expect(settled()).toBe(1);
    expect(log).toHaveLength(4);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('is over as soon as the stream ends, and keeps its own reason', async () => {
    const { clock, log, exit } = setUp();
    exit.hangUp(byAgent);
    await clock.advance(70);
    exit.onPeerEnded(byCaller);
    await clock.advance(0);
    expect(log).toEqual(['fall-silent', 'hang-up', 'hangup-confirmed', 'release agent_hangup 1000']);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('is over where the stream ends before the provider answers: the request is given up', async () => {
    const { clock, log, exit } = setUp({ answerMs: 5000 });
    exit.hangUp(byAgent);
    await clock.advance(70);
    exit.onPeerEnded(byCaller);
    await clock.advance(0);
    expect(log).toEqual(['fall-silent', 'hang-up', 'release agent_hangup 1000']);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('that the provider refuses ends the call at once', async () => {
    const { clock, log, exit } = setUp({ refuses: true });
    exit.hangUp(byAgent);
    await clock.advance(50);
    expect(log).toEqual(['fall-silent', 'hang-up', 'hangup-failed', 'release agent_hangup 1000']);
  });
});

describe('a peer that ends the stream', () => {
  it('ends the call with its own close', async () => {
    const { clock, log, exit, settled } = setUp();
    exit.onPeerEnded(byCaller);
    exit.onPeerEnded(ending('provider_error'));
    await clock.advance(0);
    expect(log).toEqual(['release caller_hangup 1005']);
    expect(settled()).toBe(1);
  });
});

describe('a move', () => {
  it('that is confirmed waits for the stream and ends as transferred', async () => {
    const { clock, log, exit } = setUp();
    exit.beginMove();
    expect(exit.isLive).toBe(false);
    exit.completeMove();
    await clock.advance(2000);
    expect(log).toEqual(['transfer-completed', 'release transferred 1000']);
  });

  it('ends with the stream once it is confirmed', async () => {
    const { clock, log, exit } = setUp();
    exit.beginMove();
    exit.completeMove();
    await clock.advance(100);
    exit.onPeerEnded(byCaller);
    await clock.advance(0);
    expect(log).toEqual(['transfer-completed', 'release transferred 1005']);
  });

  it('waits for the provider’s answer where the stream ends first', async () => {
    const { clock, log, exit } = setUp();
    exit.beginMove();
    exit.onPeerEnded(byCaller);
    exit.onPeerEnded(ending('provider_error'));
    await clock.advance(1000);
    expect(log).toEqual(['fall-silent']);
    expect(exit.signal.aborted).toBe(false);
    exit.completeMove();
    await clock.advance(0);
    expect(log).toEqual(['fall-silent', 'transfer-completed', 'release transferred 1005']);
  });

  it('that fails gives the call back', () => {
    const { log, exit } = setUp();
    exit.beginMove();
    exit.cancelMove();
    expect(exit.isLive).toBe(true);
    expect(log).toEqual([]);
  });

  it('that fails after the stream ended is the caller’s hang-up', async () => {
    const { clock, log, exit } = setUp();
    exit.beginMove();
    exit.onPeerEnded(byCaller);
    exit.cancelMove();
    await clock.advance(0);
    expect(log).toEqual(['fall-silent', 'release caller_hangup 1005']);
  });

  it('is not hung up; where it fails, it is then', async () => {
    const { clock, log, exit } = setUp();
    exit.beginMove();
    exit.hangUp(ending('drained', 1001));
    exit.hangUp(byAgent);
    await clock.advance(1000);
    expect(log).toEqual([]);
    exit.cancelMove();
    await clock.advance(2050);
    expect(log).toEqual(['fall-silent', 'hang-up', 'hangup-confirmed', 'release drained 1001']);
  });

  it('forgets what waited for it once it is confirmed', async () => {
    const { clock, log, exit } = setUp();
    exit.beginMove();
    exit.hangUp(byAgent);
    exit.completeMove();
    await clock.advance(2000);
    expect(log).toEqual(['transfer-completed', 'release transferred 1000']);
  });

  it('cannot begin once the call is ending', () => {
    const { exit } = setUp();
    exit.hangUp(byAgent);
    expect(() => exit.beginMove()).toThrow(expect.objectContaining({ code: 'run-not-live' }));
    exit.completeMove();
    exit.cancelMove();
    expect(exit.isLive).toBe(false);
  });
});
