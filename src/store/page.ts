import { AgentStreamError } from '../base/errors.js';
import { isUuid } from '../base/ids.js';
import type { Page, PageRequest } from './store.js';

const DEFAULT_PAGE_LIMIT = 50;
const MAX_PAGE_LIMIT = 200;

/** Items of a page: 1–200, 50 where the request names none. */
export function pageLimit(request: PageRequest): number {
  return Math.min(MAX_PAGE_LIMIT, Math.max(1, Math.trunc(request.limit ?? DEFAULT_PAGE_LIMIT)));
}

/** The sort key of the last item seen, opaque to clients. */
function encodeCursor(parts: readonly string[]): string {
  return Buffer.from(parts.join(' ')).toString('base64url');
}

/** Reads a cursor back. Null where the request has none. Throws `invalid-request` where `isValid` refuses its parts. */
export function decodeCursor(request: PageRequest, isValid: (parts: readonly string[]) => boolean): readonly string[] | null {
  if (request.cursor === undefined) return null;
  const parts = Buffer.from(request.cursor, 'base64url').toString('latin1').split(' ');
  if (isValid(parts)) return parts;
  throw new AgentStreamError('invalid-request', { message: 'cursor is not one that a list returned.' });
}

/** Reads the cursor of a list that is ordered by id. */
export function decodeIdCursor(request: PageRequest): string | null {
  return decodeCursor(request, ([id, ...rest]) => rest.length === 0 && id !== undefined && isUuid(id))?.[0] ?? null;
}

/** Makes a page of rows fetched with one more than the limit. */
export function toPage<T>(rows: readonly T[], limit: number, keyOf: (item: T) => readonly string[]): Page<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(keyOf(last)) : null };
}
