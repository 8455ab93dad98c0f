import type pg from 'pg';
import { sleep, type Clock } from '../base/clock.js';

/** How long a server may take to close a connection that takes its leave. */
const FAREWELL_TIMEOUT_MS = 2_000;

/** Drops a connection that does not answer; its `end` event follows. */
export function cut(client: pg.Client): void {
  client.connection.stream.destroy();
}

/** Takes leave of the server, and does not insist on an answer: a frozen one, or one behind a network that forgot the connection, gives none. */
export async function endClient(client: pg.Client, clock: Clock): Promise<void> {
  const waiting = new AbortController();
  const ended = client.end().then(
    () => true,
    () => false,
  );
  const late = sleep(clock, FAREWELL_TIMEOUT_MS, waiting.signal).then(
    () => false,
    () => false,
  );
  const isAnswered = await Promise.race([ended, late]);
  waiting.abort(new Error('The connection has ended'));
  if (!isAnswered) cut(client);
}
