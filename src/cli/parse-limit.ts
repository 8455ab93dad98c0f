import { InvalidArgumentError } from 'commander';

/** Reads `--limit`: the sizes of a page that the API takes. */
export function parseLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > 200) throw new InvalidArgumentError('It must be a whole number from 1 to 200.');
  return limit;
}
