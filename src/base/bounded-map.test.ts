import { expect, it } from 'vitest';
import { setBounded } from './bounded-map.js';

it('setBounded keeps the newest entries, an entry set again being the newest', () => {
  const map = new Map<string, number>();
  for (const [index, key] of ['a', 'b', 'c', 'a', 'd', 'e'].entries()) setBounded(map, key, index, 3);
  expect([...map]).toEqual([
    ['a', 3],
    ['d', 4],
    ['e', 5],
  ]);
});
