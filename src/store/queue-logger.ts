import { Logger } from 'graphile-worker';
import type { Log } from '../base/log.js';

/**
 * What the queue's library says, as fields of constant lines. Its texts may quote a job's error; jobs hold identifiers alone, and what it
 * reports at `info` is each job's success, which the deliveries' own records tell.
 */
export function queueLogger(log: Log): Logger {
  return new Logger(() => (level, message) => {
    const fields = { reason: message };
    if (String(level) === 'error') log.warn('The job queue reports a fault', fields);
    else log.debug('The job queue reports', fields);
  });
}
