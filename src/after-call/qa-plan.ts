import { createHash } from 'node:crypto';
import { asRecord } from '../base/json.js';
import type { Run } from '../store/store.js';
import { qaSchema } from '../workflow/nodes/after-call-nodes.js';
import type { NodeOfType } from '../workflow/schema.js';
import type { SpokenLine } from './qa-answer.js';

/** A node that judges calls. */
export type QaNode = NodeOfType<'qa'>;

/** Why a call is not judged. */
export type SkipReason = 'not_answered' | 'too_short' | 'voicemail' | 'nothing_said' | 'sampled_out';

/** The enabled `qa` nodes of a document, as far as they are sound: a draft may hold anything. */
export function qaNodesOf(workflow: unknown): readonly QaNode[] {
  const { nodes } = asRecord(workflow);
  const parsed = (Array.isArray(nodes) ? nodes : []).map((node: unknown) => qaSchema.safeParse(node));
  return parsed.flatMap(({ success, data }) => (success && data.data.qa_enabled ? [data] : []));
}

/** A number in [0, 100) that is the same for a run and a node wherever and whenever it is asked for. */
export function samplePercent(runId: string, nodeId: string): number {
  return (createHash('sha256').update(`${runId}\n${nodeId}`).digest().readUInt32BE() / 2 ** 32) * 100;
}

/** Why `node` does not judge the run; null where it does. */
export function skipReasonOf({ id, data }: QaNode, run: Run, transcript: readonly SpokenLine[]): SkipReason | null {
  if (run.answeredAt === null) return 'not_answered';
  if ((run.durationMs ?? 0) < data.qa_min_call_duration * 1000) return 'too_short';
  if (run.endReason === 'voicemail' && !data.qa_voicemail_calls) return 'voicemail';
  if (transcript.length === 0) return 'nothing_said';
  return samplePercent(run.id, id) < data.qa_sample_rate ? null : 'sampled_out';
}
