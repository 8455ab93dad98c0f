import { MAX_HEADING_LENGTH } from '../limits.js';

/** The headings above the current place of a document, as they come by. */
export interface HeadingPath {
  /** Goes below a heading of this level, 1 the highest. */
  enter(level: number, title: string): void;
  readonly titles: readonly string[];
}

/** Starts above the first heading. */
export function createHeadingPath(): HeadingPath {
  let path: readonly { readonly level: number; readonly title: string }[] = [];
  return {
    enter(level, title) {
      const text = title.replace(/\s+/g, ' ').trim().slice(0, MAX_HEADING_LENGTH);
      path = [...path.filter((above) => above.level < level), { level, title: text }];
    },
    get titles() {
      return path.map(({ title }) => title).filter((title) => title !== '');
    },
  };
}
