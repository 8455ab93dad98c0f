import { and, asc, eq } from 'drizzle-orm';
import { isUuid, uuidv7 } from '../base/ids.js';
import type { Database } from './database.js';
import { storableText } from './encode-json.js';
import { vendorCredentials } from './schema.js';
import type { SecretPlace, Secrets } from './secrets.js';
import type { VendorCredential, VendorCredentialStore } from './store.js';

type Row = typeof vendorCredentials.$inferSelect;

const placeOf = (row: { id: string; organizationId: string }): SecretPlace => ({
  table: 'vendor_credentials',
  rowId: row.id,
  organizationId: row.organizationId,
});

/** Keys for vendors in PostgreSQL, sealed. */
export function createVendorCredentialStore({ orm, callerOrm, clock }: Database, secrets: Secrets): VendorCredentialStore {
  const within = (organizationId: string, id: string) => and(eq(vendorCredentials.organizationId, organizationId), eq(vendorCredentials.id, id));
  const open = ({ apiKeySealed, ...row }: Row): VendorCredential => ({ ...row, apiKey: secrets.open(placeOf(row), apiKeySealed) });

  return {
    async create(input) {
      const id = uuidv7(clock.wallMs());
      const { organizationId, vendor, baseUrl } = input;
      const [row] = await orm
        .insert(vendorCredentials)
        .values({
          id,
          organizationId,
          vendor,
          name: storableText(input.name),
          apiKeySealed: secrets.seal(placeOf({ id, organizationId }), input.apiKey),
          baseUrl,
        })
        .returning();
      if (row === undefined) throw new Error('INSERT returned no row');
      return open(row);
    },

    async list(organizationId) {
      if (!isUuid(organizationId)) return [];
      const rows = await callerOrm
        .select()
        .from(vendorCredentials)
        .where(eq(vendorCredentials.organizationId, organizationId))
        .orderBy(asc(vendorCredentials.id));
      return rows.map(open);
    },

    async get(organizationId, id) {
      if (!isUuid(organizationId) || !isUuid(id)) return null;
      const [row] = await callerOrm.select().from(vendorCredentials).where(within(organizationId, id));
      return row === undefined ? null : open(row);
    },

    async update(organizationId, id, { name, apiKey, baseUrl }) {
      if (!isUuid(organizationId) || !isUuid(id)) return null;
      const change = {
        ...(name === undefined ? {} : { name: storableText(name) }),
        ...(apiKey === undefined ? {} : { apiKeySealed: secrets.seal(placeOf({ id, organizationId }), apiKey) }),
        ...(baseUrl === undefined ? {} : { baseUrl }),
      };
      if (Object.keys(change).length === 0) return this.get(organizationId, id);
      const [row] = await orm.update(vendorCredentials).set(change).where(within(organizationId, id)).returning();
      return row === undefined ? null : open(row);
    },

    async delete(organizationId, id) {
      if (!isUuid(organizationId) || !isUuid(id)) return false;
      const deleted = await orm
        .delete(vendorCredentials)
        .where(within(organizationId, id))
        .returning({ id: vendorCredentials.id });
      return deleted.length > 0;
    },
  };
}
