import pg from 'pg';
import { sleep, type Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import type { Database } from './database.js';
import type { NotificationPayloads, Notifications } from './store.js';

type Channel = keyof NotificationPayloads;

const channels: readonly Channel[] = [
  'agent_changed',
  'telephony_config_changed',
  'run_events',
  'run_ended',
  'run_control',
  'run_control_result',
];

/** PostgreSQL refuses payloads of 8,000 bytes and more. */
const MAX_PAYLOAD_BYTES = 7_999;
const FIRST_RETRY_DELAY_MS = 100;
const MAX_RETRY_DELAY_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** A connection that a network forgot says nothing: it is asked now and then. */
const PROBE_INTERVAL_MS = 15_000;
const PROBE_TIMEOUT_MS = 5_000;

interface Subscription {
  readonly onPayload: (payload: never) => void;
  readonly onLost: (() => void) | undefined;
}

/** Notifications and the end of the connection that hears them. */
export interface NotificationListener extends Notifications {
  close(): Promise<void>;
}

/**
 * LISTEN/NOTIFY over one dedicated connection, opened before this resolves. When it is lost it is opened again with growing delays;
 * `onLost` is called at the loss and again once it hears: what was read in between may be stale. The database must be reached directly,
 * or through a pooler in session mode.
 */
export async function openNotifications(options: {
  database: Database;
  poolConfig: pg.PoolConfig;
  clock: Clock;
  log: Log;
}): Promise<NotificationListener> {
  const { database, poolConfig, clock, log } = options;
  const ending = new AbortController();
  const subscriptions = new Map<Channel, Set<Subscription>>(channels.map((channel) => [channel, new Set()]));

  function deliver(channel: string, text: string): void {
    const audience = subscriptions.get(channel as Channel);
    if (audience === undefined || audience.size === 0) return;
    let payload: unknown;
    try {
      payload = JSON.parse(text);
    } catch (error) {
      log.warn('A notification is not JSON', { channel, reason: (error as Error).name });
      return;
    }
    for (const { onPayload } of [...audience]) guarded(() => onPayload(payload as never));
  }

  function announceLoss(): void {
    for (const audience of subscriptions.values()) for (const { onLost } of [...audience]) if (onLost !== undefined) guarded(onLost);
  }

  function guarded(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      log.error('A subscriber failed', { reason: String(error) });
    }
  }

  /** Opens the connection; `lost` resolves when it is gone. */
  async function listen(): Promise<{ client: pg.Client; lost: Promise<void> }> {
    const client = new pg.Client({
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: PROBE_TIMEOUT_MS,
      keepAlive: true,
      ...poolConfig,
      application_name: 'agent-stream notifications',
    });
    const lost = new Promise<void>((resolve) => client.once('end', resolve));
    client.on('error', (error) => log.debug('The notification connection failed', { reason: error.message }));
    client.on('notification', ({ channel, payload }) => deliver(channel, payload ?? ''));
    await client.connect();
    await client.query(channels.map((channel) => `LISTEN ${channel}`).join(';'));
    return { client, lost };
  }

  /** Asks the connection until it is lost; one that does not answer is given up. */
  async function probe(client: pg.Client, gone: AbortSignal): Promise<void> {
    while (!gone.aborted) {
      await sleep(clock, PROBE_INTERVAL_MS, gone).catch(() => undefined);
      if (gone.aborted) return;
      await client.query('SELECT 1').catch(() => drop(client));
    }
  }

  async function stayConnected(first: Awaited<ReturnType<typeof listen>>): Promise<void> {
    let delayMs = FIRST_RETRY_DELAY_MS;
    let current: typeof first | null = first;
    while (!ending.signal.aborted) {
      if (current !== null) {
        delayMs = FIRST_RETRY_DELAY_MS;
        await untilLost(current);
        current = null;
        if (ending.signal.aborted) return;
        log.warn('Notifications are interrupted; connecting again');
        announceLoss();
      }
      await sleep(clock, delayMs, ending.signal).catch(() => undefined);
      delayMs = Math.min(delayMs * 2, MAX_RETRY_DELAY_MS);
      if (!isEnding()) current = await listen().catch(reportFailure);
      if (current === null) continue;
      log.info('Notifications are back');
      announceLoss();
    }
    await current?.client.end();
  }

  const isEnding = () => ending.signal.aborted;

  function reportFailure(error: unknown): null {
    log.debug('The notification connection cannot be opened', { reason: (error as Error).message });
    return null;
  }

  async function untilLost(current: { client: pg.Client; lost: Promise<void> }): Promise<void> {
    const gone = new AbortController();
    const onEnding = () => void current.client.end().catch(() => drop(current.client));
    ending.signal.addEventListener('abort', onEnding, { once: true });
    const probing = probe(current.client, gone.signal);
    await current.lost;
    gone.abort();
    ending.signal.removeEventListener('abort', onEnding);
    await probing;
  }

  const connected = stayConnected(await listen());

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

    async close() {
      ending.abort(new AgentStreamError('database-unavailable', { message: 'The store is closed.' }));
      await connected;
    },
  };
}

/** Cuts a connection that does not answer; its `end` event follows. */
function drop(client: pg.Client): void {
  client.connection.stream.destroy();
}
