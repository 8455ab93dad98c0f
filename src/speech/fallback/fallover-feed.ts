import type { Fallover } from './lineup.js';

/** Fall-overs kept until somebody listens: vendors connect before the call is answered. */
const MAX_EARLY_FALLOVERS = 16;

/** The fall-overs of one call. */
export interface FalloverFeed {
  /** Takes over what is told, what came already first. */
  listen(onFallover: (fallover: Fallover) => void): void;
}

/** Creates the feed and the end that tells it. */
export function createFalloverFeed(): FalloverFeed & { tell(fallover: Fallover): void } {
  const early: Fallover[] = [];
  let deliver = (fallover: Fallover) => {
    if (early.length < MAX_EARLY_FALLOVERS) early.push(fallover);
  };
  return {
    tell: (fallover) => deliver(fallover),
    listen(onFallover) {
      deliver = onFallover;
      for (const fallover of early.splice(0)) onFallover(fallover);
    },
  };
}
