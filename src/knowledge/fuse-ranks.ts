import type { RankedPart } from './search-index.js';

/** How much the first places of a list count above the later ones (Cormack, Clarke and Büttcher, SIGIR 2009: 60 is what they found best). */
const RANK_CONSTANT = 60;

/**
 * One list from several, by reciprocal rank fusion: scores of different kinds cannot be added, places in a list can. A part's score is the sum
 * of 1 / (60 + place) over the lists that hold it. Equal scores keep the order of the first list.
 */
export function fuseRanks(lists: readonly (readonly RankedPart[])[]): readonly RankedPart[] {
  const scores = new Map<number, number>();
  for (const list of lists) {
    for (const [at, { id }] of list.entries()) scores.set(id, (scores.get(id) ?? 0) + 1 / (RANK_CONSTANT + at + 1));
  }
  return [...scores].map(([id, score]) => ({ id, score })).sort((left, right) => right.score - left.score);
}
