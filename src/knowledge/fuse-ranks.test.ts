import { describe, expect, it } from 'vitest';
import { fuseRanks } from './fuse-ranks.js';

const list = (...ids: number[]) => ids.map((id, at) => ({ id, score: 100 - at }));

describe('one list from several', () => {
  it('puts first what several lists hold, then what stands high in one', () => {
    expect(fuseRanks([list(1, 2, 3), list(4, 3)]).map(({ id }) => id)).toEqual([3, 1, 4, 2]);
  });

  it('looks at places alone, and adds up their reciprocals', () => {
    const [first] = fuseRanks([[{ id: 7, score: 1e9 }], [{ id: 8, score: 0 }, { id: 7, score: 0 }]]);
    expect(first).toEqual({ id: 7, score: 1 / 61 + 1 / 62 });
  });

  it('is the list itself where there is one, and empty where there is none', () => {
    expect(fuseRanks([list(5, 4), []]).map(({ id }) => id)).toEqual([5, 4]);
    expect(fuseRanks([[], []])).toEqual([]);
  });
});
