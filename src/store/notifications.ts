import type pg from 'pg';
import type { Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Database } from './database.js';
import { keepListening } from './notification-connection.js';
import type { NotificationPayloads, Notifications } from './store.js';

type Channel = keyof NotificationPayloads;

const channels: readonly Channel[] = [
  ...(['agent_changed', 'telephony_config_changed', 'tools_changed'] as const),
  ...(['run_events', 'run_ended', 'run_control', 'run_control_result', 'transfer_progress'] as const),
];

/** PostgreSQL refuses payloads of 8,000 bytes and more. */
const MAX_PAYLOAD_BYTES = 7_999;

interface Subscription {
  readonly onPayload: (payload: never) => void;
  readonly onLost: (() => void) | undefined;
}

/** Notifications and the end of the connection that hears them. */
export interface NotificationListener extends Notifications {
  /** Tells the subscribers of this node at once what was committed; they hear it again through the database. */
  deliverHere<K extends Channel>(channel: K, payload: NotificationPayloads[K]): void;
  close(): Promise<void>;
}

/**
 * LISTEN/NOTIFY over one dedicated connection, open when this resolves. `onLost` is called when it is lost and again once it hears: what was
 * read in between may be stale. The database must be reached directly, or through a pooler in session mode.
 */
export async function openNotifications(options: {
  database: Database;
  poolConfig: pg.PoolConfig;
  clock: Clock;
  log: Log;
}): Promise<NotificationListener> {
  const { database, poolConfig, clock, log } = options;
  const subscriptions = new Map<string, Set<Subscription>>(channels.map((channel) => [channel, new Set()]));

  function tell(channel: string, payload: unknown): void {
    for (const { onPayload } of [...(subscriptions.get(channel) ?? [])]) callSafely(() => onPayload(payload as never), log);
  }

  function deliver(channel: string, text: string): void {
    if ((subscriptions.get(channel)?.size ?? 0) === 0) return;
    let payload: unknown;
    try {
      payload = JSON.parse(text);
    } catch (error) {
      log.warn('A notification is not JSON', { channel, reason: (error as Error).name });
      return;
    }
    tell(channel, payload);
  }

  function announceLoss(): void {
    for (const audience of subscriptions.values()) {
      for (const { onLost } of [...audience]) if (onLost !== undefined) callSafely(onLost, log);
    }
  }

  const connection = await keepListening({ poolConfig, channels, clock, log, onNotification: deliver, onLost: announceLoss });

  return {
    async notify(channel, payload) {
      const text = JSON.stringify(payload);
      if (Buffer.byteLength(text) > MAX_PAYLOAD_BYTES) {
        throw new AgentStreamError('invalid-request', { message: `A ${channel} notification may hold ${MAX_PAYLOAD_BYTES} bytes.` });
      }
      await database.pool.query('SELECT pg_notify($1, $2)', [channel, text]);
    },

    subscribe(channel, onPayload, onLost) {
      const subscription: Subscription = { onPayload, onLost };
      subscriptions.get(channel)?.add(subscription);
      return () => void subscriptions.get(channel)?.delete(subscription);
    },

    deliverHere: tell,
    close: () => connection.close(),
  };
}

/** One subscriber's fault is not the others'. */
function callSafely(callback: () => void, log: Log): void {
  try {
    callback();
  } catch (error) {
    log.error('A subscriber failed', { reason: String(error) });
  }
}
