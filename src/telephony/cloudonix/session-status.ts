import type { JsonRecord } from '../../base/json.js';

/** Statuses of a session that is over, lower-cased. What is not among them counts as live: new words appear. */
const FINAL_STATUSES: ReadonlySet<string> = new Set([
  'noanswer',
  'no-answer',
  'busy',
  'cancel',
  'canceled',
  'cancelled',
  'nocredit',
  'external',
  'error',
  'congestion',
  'failed',
  'denied',
  'timeout',
  'completed',
  'ended',
  'hangup',
]);

/** True where a field of a session holds a time: a positive number, or a non-empty text that is not zero. */
function isTimeSet(value: unknown): boolean {
  if (typeof value === 'number') return value > 0;
  return typeof value === 'string' && value.trim() !== '' && value.trim() !== '0';
}

/** True where a session is over: by its status, or because it has an end time (an answered session keeps the status `answer`). */
export function isFinalStatus(session: JsonRecord, status: string | undefined): boolean {
  return (status !== undefined && FINAL_STATUSES.has(status)) || isTimeSet(session['callEndTime']) || isTimeSet(session['endTime']);
}
