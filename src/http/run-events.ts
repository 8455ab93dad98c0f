import { z } from 'zod';
import type { RunEvent } from '../runs/events.js';
import type { Store } from '../store/store.js';
import { objectSchema } from './schemas.js';

/** Events read by one query. */
export const eventsPerQuery = 500;
/** Events of one run that a transcript is made of: some 10 hours of conversation. */
const maxEventsPerRun = 50_000;

/** One event as the API shows it. */
export const runEventSchema = z
  .object({
    seq: z.number().int(),
    at_ms: z.number().describe('On the call clock'),
    type: z.string(),
    data: objectSchema,
  })
  .meta({ id: 'RunEvent' });

/** The JSON of an event. */
export function runEventJson(event: RunEvent): z.output<typeof runEventSchema> {
  return { seq: event.seq, at_ms: event.atMs, type: event.type, data: { ...event.data } };
}

/** All events of a run, in order; null for a run of others. */
export async function readAllEvents(store: Store, organizationId: string, runId: string): Promise<readonly RunEvent[] | null> {
  const events: RunEvent[] = [];
  while (events.length < maxEventsPerRun) {
    const page = await store.runs.listEvents(organizationId, runId, events.at(-1)?.seq ?? -1, eventsPerQuery);
    if (page === null) return null;
    events.push(...page);
    if (page.length < eventsPerQuery) break;
  }
  return events;
}
