import { and, desc, eq, lt, sql } from 'drizzle-orm';
import { isUuid, uuidv7 } from '../base/ids.js';
import type { Database } from './database.js';
import { storableText } from './encode-json.js';
import { decodeIdCursor, pageLimit, toPage } from './page.js';
import { refusals } from './schema.js';
import type { Refusal, RefusalStore } from './store.js';

/** Refusals kept per organization. */
export const MAX_REFUSALS = 1_000;
/** Older ones are deleted once in so many additions of this process. */
const TRIM_INTERVAL = 64;

/** Refused streams in PostgreSQL. */
export function createRefusalStore({ orm, clock }: Database): RefusalStore {
  let additions = 0;

  /** Deletes what lies beyond the newest {@link MAX_REFUSALS}. */
  const trim = (organizationId: string) =>
    orm.delete(refusals).where(
      and(
        eq(refusals.organizationId, organizationId),
        lt(
          refusals.id,
          sql`(SELECT id FROM refusals WHERE organization_id = ${organizationId} ORDER BY id DESC OFFSET ${MAX_REFUSALS - 1} LIMIT 1)`,
        ),
      ),
    );

  return {
    async add(input) {
      await orm.insert(refusals).values({ id: uuidv7(clock.wallMs()), ...input, reason: storableText(input.reason) });
      additions += 1;
      if (additions % TRIM_INTERVAL === 0) await trim(input.organizationId);
    },

    async list(organizationId, request) {
      if (!isUuid(organizationId)) return { items: [], nextCursor: null };
      const limit = pageLimit(request);
      const before = decodeIdCursor(request);
      const rows: Refusal[] = await orm
        .select()
        .from(refusals)
        .where(and(eq(refusals.organizationId, organizationId), before === null ? undefined : lt(refusals.id, before)))
        .orderBy(desc(refusals.id))
        .limit(limit + 1);
      return toPage(rows, limit, (refusal) => [refusal.id]);
    },
  };
}
