import { get, type IncomingMessage } from 'node:http';
import { createServerSentEventParser } from '../../src/cli/server-sent-events.js';
import type { EventJson } from './installation.js';
import { API_KEY } from './server-process.js';
import { waitUntil } from './wait-for.js';

/** A run's events as they happen. */
export interface EventStream {
  /** All so far, in the order they came. */
  readonly events: readonly EventJson[];
  /** The data of the closing `event: end`; null before it, or where the stream ended without one. */
  readonly end: () => string | null;
  /** Resolves when the server has closed the stream. */
  readonly ended: Promise<void>;
  /** Waits for an event. */
  until(isIt: (event: EventJson) => boolean): Promise<void>;
  close(): void;
}

/** Follows a run's events by Server-Sent Events. */
export async function followEvents(url: string, runId: string): Promise<EventStream> {
  const headers = { authorization: `Bearer ${API_KEY}`, accept: 'text/event-stream' };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(`${url}/api/v1/runs/${runId}/events`, { headers, agent: false }, resolve).on('error', reject);
  });
  if (response.statusCode !== 200) throw new Error(`The event stream was refused: ${response.statusCode}`);
  const events: EventJson[] = [];
  let end: string | null = null;
  const parse = createServerSentEventParser(({ event, data }) => {
    if (event === 'end') end = data;
    else events.push(JSON.parse(data) as EventJson);
  });
  response.setEncoding('utf8').on('data', parse);
  const ended = new Promise<void>((resolve) => response.once('close', () => resolve()));
  return {
    events,
    end: () => end,
    ended,
    until: (isIt) => waitUntil('an event', () => events.some(isIt), 30_000),
    close: () => void response.destroy(),
  };
}
