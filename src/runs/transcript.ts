import { z } from 'zod';
import type { RunEvent, TranscriptLine } from './events.js';

const spokenSchema = z.object({
  turn_id: z.number().int(),
  text: z.string(),
  start_ms: z.number(),
  end_ms: z.number(),
  interrupted: z.boolean().optional(),
});

function lineOf(event: RunEvent): TranscriptLine[] {
  const role = event.type === 'caller-said' ? 'caller' : event.type === 'agent-said' ? 'agent' : null;
  if (role === null) return [];
  const parsed = spokenSchema.safeParse(event.data);
  if (!parsed.success || parsed.data.text.trim() === '') return [];
  const { turn_id: turnId, text, start_ms: startMs, end_ms: endMs, interrupted } = parsed.data;
  return [{ turnId, role, text, startMs, endMs, ...(role === 'agent' && interrupted !== undefined ? { interrupted } : {}) }];
}

/**
 * The transcript that a run's events hold, in the order things were said: `caller-said` and `agent-said`, both with `turn_id`, `text`,
 * `start_ms`, `end_ms` on the call clock, agent lines with `interrupted`. Everything else, and what does not fit, is passed over.
 */
export function transcriptOf(events: readonly RunEvent[]): TranscriptLine[] {
  return events.flatMap(lineOf).toSorted((left, right) => left.startMs - right.startMs);
}
