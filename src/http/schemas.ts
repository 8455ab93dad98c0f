import { z } from 'zod';
import { AgentStreamError } from '../base/errors.js';
import type { Page } from '../store/store.js';

/** A point in time as the API shows it. */
export const timeSchema = z.iso.datetime().describe('RFC 3339, UTC');

/** A JSON object whose fields are not ours to fix. */
export const objectSchema = z.record(z.string(), z.unknown());

/** A name people choose. */
export const nameSchema = z.string().trim().min(1).max(200);

/** Path of one thing by its id. What is no UUID cannot exist: 404. */
export const idParams = z.strictObject({ id: z.guid() });

/** Path of one agent. */
export const agentParams = z.strictObject({ uuid: z.guid() });

/** Query of every list. */
export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(200).default(50).describe('Items per page'),
  cursor: z
    .string()
    .regex(/^[\w.~:+/=-]{1,500}$/)
    .optional()
    .describe('`next_cursor` of the page before'),
});

/** The JSON of a list. */
export function pageSchema<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), next_cursor: z.string().nullable() });
}

/** A page of records as JSON. */
export function pageJson<Record, Json>(page: Page<Record>, toJson: (record: Record) => Json): { items: Json[]; next_cursor: string | null } {
  return { items: page.items.map(toJson), next_cursor: page.nextCursor };
}

/** A complete list as JSON, in the shape of a page. */
export function listJson<Record, Json>(records: readonly Record[], toJson: (record: Record) => Json): { items: Json[]; next_cursor: null } {
  return { items: records.map(toJson), next_cursor: null };
}

/** The record, or `not-found`: what does not exist and what belongs to others look alike. */
export function found<Record>(record: Record | null): Record {
  if (record === null) throw new AgentStreamError('not-found');
  return record;
}

/** RFC 3339, or null. */
export function timeOrNull(time: Date | null): string | null {
  return time?.toISOString() ?? null;
}

/** An answer without content. */
export const noContent = z.undefined().describe('Done');

/** The body of an action that takes no arguments: nothing, or `{}`. */
export const noArguments = z.strictObject({}).nullish();
