import type { Passage } from './passage-index.js';

/** Characters of passages the model is given for one query. */
const MAX_LENGTH = 5000;

/** Where a passage stands, for people: name, headings, page. */
function placeOf({ documentName, heading, page }: Pick<Passage, 'documentName' | 'heading' | 'page'>): string {
  return [[documentName, ...heading].join(' › '), ...(page === null ? [] : [`page ${page}`])].join(', ');
}

/** Passages as the model reads them: each with its source, the best first, as many as fit. */
export function passagesText(passages: readonly Passage[]): string {
  const [first, ...rest] = passages.map((passage) => `[${placeOf(passage)}]\n${passage.text}`);
  if (first === undefined) return 'Nothing in the documents fits. Ask in other words, or say that you do not know.';
  let text = first;
  for (const passage of rest) {
    if (text.length + passage.length > MAX_LENGTH) break;
    text += `\n\n${passage}`;
  }
  return text;
}
