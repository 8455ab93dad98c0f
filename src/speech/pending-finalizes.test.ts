import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPendingFinalizes } from './pending-finalizes.js';

describe('createPendingFinalizes', () => {
  it('answers each request exactly once, whatever the vendor does', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), by: fc.integer({ min: 0, max: 4000 }) }),
      fc.record({ do: fc.constantFrom('answered' as const, 'covered' as const, 'due' as const), by: fc.integer({ min: 0, max: 20_000 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const list = createPendingFinalizes();
        let asked = 0;
        let answered = 0;
        let position = 0;
        for (const { do: action, by } of steps) {
          if (action === 'add') {
            position += by;
            asked += 1;
            answered += list.add(position, asked);
          } else if (action === 'answered') answered += list.settleAnswered(by);
          else if (action === 'covered') answered += list.settleCovered(by);
          else answered += list.settleDue(by % 30);
          expect(list.count).toBe(asked - answered);
          expect(list.count).toBeLessThanOrEqual(8);
        }
      }),
    );
  });

  it('does not take the late answer to one request for the answer to the next', () => {
    const list = createPendingFinalizes();
    list.add(8000, 1);
    expect(list.settleCovered(8000)).toBe(1);
    list.add(16_000, 2);
    expect(list.settleAnswered(8000)).toBe(0);
    expect(list.settleAnswered(15_000)).toBe(1);
  });
});
