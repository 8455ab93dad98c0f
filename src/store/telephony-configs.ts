import { and, asc, eq, sql } from 'drizzle-orm';
import { isUuid, uuidv7 } from '../base/ids.js';
import { notifyWithin, type Database } from './database.js';
import { encodeJson, storableText } from './encode-json.js';
import { telephonyConfigs } from './schema.js';
import type { SecretPlace, Secrets } from './secrets.js';
import type { TelephonyConfig, TelephonyConfigStore } from './store.js';

type Row = typeof telephonyConfigs.$inferSelect;

const placeOf = (row: { id: string; organizationId: string }): SecretPlace => ({
  table: 'telephony_configs',
  rowId: row.id,
  organizationId: row.organizationId,
});

/** Telephony configurations in PostgreSQL; their credentials are sealed as a whole. */
export function createTelephonyConfigStore({ orm, callerOrm, clock }: Database, secrets: Secrets): TelephonyConfigStore {
  function open({ credentialsSealed, ...row }: Row): TelephonyConfig {
    return { ...row, credentials: JSON.parse(secrets.open(placeOf(row), credentialsSealed)) as Record<string, unknown> };
  }
  const openFirst = ([row]: Row[]): TelephonyConfig | null => (row === undefined ? null : open(row));
  const within = (organizationId: string, id: string) => and(eq(telephonyConfigs.organizationId, organizationId), eq(telephonyConfigs.id, id));

  return {
    create: (input) =>
      orm.transaction(async (transaction) => {
        const id = uuidv7(clock.wallMs());
        const { organizationId } = input;
        const rows = await transaction
          .insert(telephonyConfigs)
          .values({
            id,
            organizationId,
            name: storableText(input.name),
            provider: input.provider,
            account: storableText(input.account),
            credentialsSealed: secrets.seal(placeOf({ id, organizationId }), encodeJson(input.credentials)),
          })
          .returning();
        await notifyWithin(transaction, 'telephony_config_changed', { organizationId });
        const created = openFirst(rows);
        if (created === null) throw new Error('INSERT returned no row');
        return created;
      }),

    async list(organizationId) {
      if (!isUuid(organizationId)) return [];
      const rows = await orm
        .select()
        .from(telephonyConfigs)
        .where(eq(telephonyConfigs.organizationId, organizationId))
        .orderBy(asc(telephonyConfigs.id));
      return rows.map(open);
    },

    async get(organizationId, id) {
      if (!isUuid(organizationId) || !isUuid(id)) return null;
      return openFirst(await orm.select().from(telephonyConfigs).where(within(organizationId, id)));
    },

    async getById(id) {
      return isUuid(id) ? openFirst(await orm.select().from(telephonyConfigs).where(eq(telephonyConfigs.id, id))) : null;
    },

    async find(organizationId, provider, account) {
      if (!isUuid(organizationId)) return null;
      const { organizationId: organization, provider: ofProvider, account: ofAccount } = telephonyConfigs;
      return openFirst(
        await callerOrm
          .select()
          .from(telephonyConfigs)
          .where(and(eq(organization, organizationId), eq(ofProvider, provider), eq(ofAccount, storableText(account)))),
      );
    },

    async update(organizationId, id, change) {
      if (!isUuid(organizationId) || !isUuid(id)) return null;
      return orm.transaction(async (transaction) => {
        const rows = await transaction
          .update(telephonyConfigs)
          .set({
            updatedAt: sql`now()`,
            ...(change.name === undefined ? {} : { name: storableText(change.name) }),
            ...(change.account === undefined ? {} : { account: storableText(change.account) }),
            ...(change.credentials === undefined
              ? {}
              : { credentialsSealed: secrets.seal(placeOf({ id, organizationId }), encodeJson(change.credentials)) }),
          })
          .where(within(organizationId, id))
          .returning();
        if (rows.length > 0) await notifyWithin(transaction, 'telephony_config_changed', { organizationId });
        return openFirst(rows);
      });
    },

    async delete(organizationId, id) {
      if (!isUuid(organizationId) || !isUuid(id)) return false;
      return orm.transaction(async (transaction) => {
        const deleted = await transaction.delete(telephonyConfigs).where(within(organizationId, id)).returning({ id: telephonyConfigs.id });
        if (deleted.length > 0) await notifyWithin(transaction, 'telephony_config_changed', { organizationId });
        return deleted.length > 0;
      });
    },
  };
}
