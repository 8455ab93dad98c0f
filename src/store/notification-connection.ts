import pg from 'pg';
import { sleep, type Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { Log } from '../base/log.js';
import { cut, endClient } from './end-client.js';

const FIRST_RETRY_DELAY_MS = 100;
const MAX_RETRY_DELAY_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;
/** A connection that a network forgot says nothing: it is asked now and then. */
const PROBE_INTERVAL_MS = 15_000;
const PROBE_TIMEOUT_MS = 5_000;

interface Options {
  readonly poolConfig: pg.PoolConfig;
  readonly channels: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
  readonly onNotification: (channel: string, payload: string) => void;
  /** Called at the loss of the connection and again once there is a new one. */
  readonly onLost: () => void;
}

interface Connection {
  readonly client: pg.Client;
  /** Resolves when the connection is gone. */
  readonly lost: Promise<void>;
}

/**
 * One connection that LISTENs for as long as the process lives: the first one is open when this resolves, a lost one is opened again with
 * growing delays.
 */
export async function keepListening(options: Options): Promise<{ close(): Promise<void> }> {
  const ending = new AbortController();
  const finished = stayConnected(await listen(options), options, ending.signal);
  return {
    async close() {
      ending.abort(new AgentStreamError('database-unavailable', { message: 'The store is closed.' }));
      await finished;
    },
  };
}

async function listen({ poolConfig, channels, log, onNotification }: Options): Promise<Connection> {
  const client = new pg.Client({
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: PROBE_TIMEOUT_MS,
    keepAlive: true,
    ...poolConfig,
    application_name: 'agent-stream notifications',
  });
  const lost = new Promise<void>((resolve) => client.once('end', resolve));
  client.on('error', (error) => log.debug('The notification connection failed', { reason: error.message }));
  client.on('notification', ({ channel, payload }) => onNotification(channel, payload ?? ''));
  try {
    await client.connect();
    await client.query(channels.map((channel) => `LISTEN ${channel}`).join(';'));
    return { client, lost };
  } catch (error) {
    cut(client);
    throw error;
  }
}

async function stayConnected(first: Connection, options: Options, ending: AbortSignal): Promise<void> {
  for (let current: Connection | null = first; current !== null; current = await reconnect(options, ending)) {
    if (current !== first) {
      options.log.info('Notifications are back');
      options.onLost();
    }
    await untilLost(current, options.clock, ending);
    if (ending.aborted) return;
    options.log.warn('Notifications are interrupted; connecting again');
    options.onLost();
  }
}

/** Null where `ending` comes first. */
async function reconnect(options: Options, ending: AbortSignal): Promise<Connection | null> {
  for (let delayMs = FIRST_RETRY_DELAY_MS; ; delayMs = Math.min(delayMs * 2, MAX_RETRY_DELAY_MS)) {
    if (!(await pause(options.clock, delayMs, ending))) return null;
    try {
      return await listen(options);
    } catch (error) {
      options.log.debug('The notification connection cannot be opened', { reason: (error as Error).message });
    }
  }
}

/** Waits for the connection's end, or ends it. Meanwhile it is asked whether it is still there. */
async function untilLost({ client, lost }: Connection, clock: Clock, ending: AbortSignal): Promise<void> {
  const gone = new AbortController();
  const end = () => void endClient(client, clock);
  if (ending.aborted) end();
  else ending.addEventListener('abort', end, { once: true });
  const probing = probe(client, clock, gone.signal);
  await lost;
  gone.abort(new Error('The connection is gone'));
  ending.removeEventListener('abort', end);
  await probing;
}

async function probe(client: pg.Client, clock: Clock, gone: AbortSignal): Promise<void> {
  while (await pause(clock, PROBE_INTERVAL_MS, gone)) await client.query('SELECT 1').catch(() => cut(client));
}

/** Waits. False where the signal came first. */
function pause(clock: Clock, delayMs: number, signal: AbortSignal): Promise<boolean> {
  return sleep(clock, delayMs, signal).then(
    () => true,
    () => false,
  );
}

