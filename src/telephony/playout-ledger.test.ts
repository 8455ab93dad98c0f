import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAME_BYTES } from '../audio/frame.js';
import { PlayoutLedger } from './playout-ledger.js';

function sending(frames: number, nowMs = 0): PlayoutLedger {
  const ledger = new PlayoutLedger();
  ledger.begin('a');
  ledger.append('a', frames * FRAME_BYTES);
  for (let n = 0; n < frames; n += 1) ledger.send('a', FRAME_BYTES, nowMs);
  return ledger;
}

describe('PlayoutLedger', () => {
  it('tells sent from heard by the play-out clock', () => {
    const ledger = sending(5, 1000);
    expect(ledger.position('a', 1000)).toEqual({ sentMs: 100, heardMs: 0, totalMs: 100, isEnded: false });
    expect(ledger.position('a', 1039).heardMs).toBe(20);
    expect(ledger.position('a', 1040).heardMs).toBe(40);
    expect(ledger.position('a', 5000).heardMs).toBe(100);
    expect(ledger.playEndMs).toBe(1100);
  });

  it('starts a new stretch after a gap, and plays one item after the other', () => {
    const ledger = sending(1);
    expect(ledger.send('a', FRAME_BYTES, 500)).toBe(500);
    expect(ledger.position('a', 400).heardMs).toBe(20);
    ledger.begin('b');
    ledger.append('b', 10);
    ledger.end('b');
    expect(ledger.send('b', 10, 500)).toBe(520);
    expect(ledger.isHeard('b', 539)).toBe(false);
    expect(ledger.isHeard('b', 540)).toBe(true);
  });

  it('goes back to the last frame heard when the carrier is cleared', () => {
    const ledger = sending(5);
    ledger.clear(50);
    expect(ledger.position('a', 50)).toMatchObject({ sentMs: 40, heardMs: 40 });
    expect(ledger.sentBytes('a')).toBe(2 * FRAME_BYTES);
    expect(ledger.position('a', 9999).heardMs).toBe(40);
    expect(ledger.send('a', FRAME_BYTES, 300)).toBe(300);
    expect(ledger.position('a', 320).heardMs).toBe(60);
  });

  it('learns the carrier’s lag from echoes that are late, within reason', () => {
    const ledger = sending(5);
    ledger.addMark('m1');
    expect(ledger.echo('m1', 160)).toBe(true);
    expect(ledger.position('a', 100).heardMs).toBeLessThan(100);
    expect(ledger.position('a', 160).heardMs).toBe(100);
    const stray = sending(5);
    stray.addMark('m1');
    stray.echo('m1', 100_000);
    expect(stray.position('a', 100).heardMs).toBe(100);
  });

  it('does not believe an echo ahead of the audio', () => {
    const ledger = sending(5);
    ledger.end('a');
    ledger.addMark('m1');
    expect(ledger.echo('m1', 5)).toBe(true);
    expect(ledger.position('a', 5).heardMs).toBe(0);
    expect(ledger.isHeard('a', 99)).toBe(false);
    expect(ledger.isHeard('a', 100)).toBe(true);
  });

  it('knows no unknown, repeated, passed or cleared mark, and forgets marks that never return', () => {
    const ledger = sending(5);
    ledger.addMark('m1');
    ledger.addMark('m2');
    ledger.addMark('m3');
    expect(ledger.echo('other', 120)).toBe(false);
    expect(ledger.echo('m2', 120)).toBe(true);
    expect(ledger.echo('m2', 120)).toBe(false);
    expect(ledger.echo('m1', 120)).toBe(false);
    ledger.clear(120);
    expect(ledger.echo('m3', 120)).toBe(false);
    for (let n = 0; n < 1000; n += 1) ledger.addMark(`x${n}`);
    expect(ledger.echo('x0', 120)).toBe(false);
    expect(ledger.echo('x999', 120)).toBe(true);
  });

  it('remembers where a settled item was', () => {
    const ledger = sending(5);
    ledger.settle('a', 60);
    expect(ledger.position('a', 9999)).toMatchObject({ heardMs: 60, sentMs: 100 });
    expect(ledger.position('never', 0)).toEqual({ sentMs: 0, heardMs: 0, totalMs: 0, isEnded: true });
  });

  it('keeps heard ≤ sent ≤ queued, and heard never goes back, through any history', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('append'), amount: fc.integer({ min: 1, max: 1000 }) }),
      fc.record({ do: fc.constant('send'), amount: fc.integer({ min: 1, max: 8 }) }),
      fc.record({ do: fc.constant('wait'), amount: fc.integer({ min: 0, max: 300 }) }),
      fc.record({ do: fc.constantFrom('clear', 'mark', 'echo', 'end'), amount: fc.integer({ min: 0, max: 5 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const ledger = new PlayoutLedger();
        ledger.begin('a');
        let [nowMs, queued, heard, marks] = [0, 0, 0, 0];
        for (const { do: action, amount } of steps) {
          if (action === 'append') ledger.append('a', ((queued += amount), amount));
          if (action === 'wait') nowMs += amount;
          if (action === 'clear') ledger.clear(nowMs);
          if (action === 'end') ledger.end('a');
          if (action === 'mark') ledger.addMark(`m${(marks += 1)}`);
          if (action === 'echo') ledger.echo(`m${marks - amount}`, nowMs);
          for (let n = 0; action === 'send' && n < amount; n += 1) {
            const bytes = Math.min(FRAME_BYTES, queued - ledger.sentBytes('a'));
            if (bytes > 0) expect(ledger.send('a', bytes, nowMs)).toBeGreaterThanOrEqual(nowMs);
          }
          const position = ledger.position('a', nowMs);
          expect(position.heardMs).toBeGreaterThanOrEqual(heard);
          expect(position.sentMs).toBeGreaterThanOrEqual(position.heardMs);
          expect(position.totalMs).toBeGreaterThanOrEqual(position.sentMs);
          heard = position.heardMs;
        }
      }),
      { numRuns: 2000 },
    );
  });
});
