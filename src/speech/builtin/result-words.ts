/** Sentences of a result that are said. */
const MAX_SENTENCES = 2;
/** Characters of a result that are said at the most. */
const MAX_LENGTH = 300;

/**
 * What the rules say of a function's result: the first sentences of its first passage, without headings and sources in brackets. Null
 * where it failed or found nothing.
 */
export function sayResult(result: string): string | null {
  if (/^(Error:|Nothing\b)/.test(result)) return null;
  const [passage = ''] = result
    .split('\n\n')
    .map((part) => part.split('\n').filter((line) => !/^\s*(\[.*\]|#.*)?\s*$/.test(line)).join(' ').trim())
    .filter((part) => part !== '');
  const words = passage.split(/(?<=[.!?])\s+/).slice(0, MAX_SENTENCES).join(' ').slice(0, MAX_LENGTH);
  return words === '' ? null : words;
}
