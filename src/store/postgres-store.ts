import type pg from 'pg';
import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import { createAccountStore } from './accounts.js';
import { createAgentStore } from './agents.js';
import { createAnalysisStore } from './analyses.js';
import { createChatStore } from './chats.js';
import { createCredentialStore } from './credentials.js';
import { openDatabase, translateDatabaseError, translatingErrors } from './database.js';
import { migrate } from './migrate.js';
import { openNotifications } from './notifications.js';
import { createAudioClipStore } from './audio-clips.js';
import { createDocumentStore } from './documents.js';
import { createEmbeddingStore } from './embeddings.js';
import { createQuotaStore } from './quotas.js';
import { createRefusalStore } from './refusals.js';
import { createRunStore } from './runs.js';
import { checkSecretKey } from './secret-key-check.js';
import { createSecrets } from './secrets.js';
import type { Store } from './store.js';
import { createTelephonyConfigStore } from './telephony-configs.js';
import { createToolStore } from './tools.js';
import { createVendorCredentialStore } from './vendor-credentials.js';
import { createWebhookDeliveryStore } from './webhook-deliveries.js';
import { createWebhookEndpointStore } from './webhook-endpoints.js';

/**
 * Opens the store on a PostgreSQL (14 or newer): migrates, listens for notifications, and checks that `secretKey` (32 bytes) is the one that
 * sealed what is stored. Throws `database-unavailable`. Every method of the store rejects with an `AgentStreamError` and nothing else.
 */
export async function openStore(options: {
  poolConfig: pg.PoolConfig;
  secretKey: Buffer;
  clock: Clock;
  log: Log;
  /** Connections of this node, besides the one that listens. Default 10. */
  maxConnections?: number;
}): Promise<Store> {
  const { poolConfig, clock, log } = options;
  const secrets = createSecrets(options.secretKey);
  await migrate(poolConfig, log);
  const database = openDatabase({ poolConfig, clock, log, maxConnections: options.maxConnections });
  try {
    await checkSecretKey(database, secrets, log);
    const listener = await openNotifications({ database, poolConfig, clock, log });
    return {
      accounts: translatingErrors(createAccountStore(database)),
      agents: translatingErrors(createAgentStore({ ...database, onAgentChanged: (change) => listener.deliverHere('agent_changed', change) })),
      telephonyConfigs: translatingErrors(createTelephonyConfigStore(database, secrets)),
      vendorCredentials: translatingErrors(createVendorCredentialStore(database, secrets)),
      credentials: translatingErrors(createCredentialStore(database, secrets)),
      tools: translatingErrors(createToolStore({ ...database, onToolsChanged: (change) => listener.deliverHere('tools_changed', change) }, secrets)),
      quotas: translatingErrors(createQuotaStore(database)),
      runs: translatingErrors(createRunStore(database)),
      analyses: translatingErrors(createAnalysisStore(database)),
      chats: translatingErrors(createChatStore(database)),
      refusals: translatingErrors(createRefusalStore(database)),
      webhookEndpoints: translatingErrors(createWebhookEndpointStore(database, secrets)),
      webhookDeliveries: translatingErrors(createWebhookDeliveryStore(database, secrets)),
      documents: translatingErrors(createDocumentStore(database)),
      audioClips: translatingErrors(createAudioClipStore(database)),
      embeddings: translatingErrors(createEmbeddingStore(database)),
      notifications: {
        notify: (channel, payload) =>
          listener.notify(channel, payload).catch((error: unknown) => {
            throw translateDatabaseError(error);
          }),
        subscribe: listener.subscribe.bind(listener),
      },
      queryCount: database.queryCount,
      async ping() {
        await database.pool.query('SELECT 1').catch((error: unknown) => {
          throw translateDatabaseError(error);
        });
      },
      async close() {
        await listener.close();
        await database.close();
      },
    };
  } catch (error) {
    await database.close();
    throw translateDatabaseError(error);
  }
}
