import { eq } from 'drizzle-orm';
import { AgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Database } from './database.js';
import { storeMetadata } from './schema.js';
import type { SecretPlace, Secrets } from './secrets.js';

const METADATA_KEY = 'secret-key-check';
const place: SecretPlace = { table: 'store_metadata', rowId: METADATA_KEY, organizationId: '' };

/**
 * Tells at the start, not in the first call, that this node's secret key is not the one the database was filled with (each node generates
 * its own unless AGENT_STREAM_SECRET_KEY is set). The first node to open a database leaves the sealed value to check against.
 */
export async function checkSecretKey({ orm }: Database, secrets: Secrets, log: Log): Promise<void> {
  await orm
    .insert(storeMetadata)
    .values({ key: METADATA_KEY, value: secrets.seal(place, METADATA_KEY) })
    .onConflictDoNothing();
  const [row] = await orm.select({ value: storeMetadata.value }).from(storeMetadata).where(eq(storeMetadata.key, METADATA_KEY));
  if (row === undefined) return;
  try {
    secrets.open(place, row.value);
  } catch (error) {
    if (!(error instanceof AgentStreamError)) throw error;
    log.error('The secret key is not the one that sealed the stored credentials: set AGENT_STREAM_SECRET_KEY to the same value on every node', {
      code: error.code,
    });
  }
}
