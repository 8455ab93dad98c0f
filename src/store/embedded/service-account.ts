import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { AgentStreamError } from '../../base/errors.js';

/** The unprivileged account that runs the database where this process is root: PostgreSQL refuses uid 0. */
export interface ServiceAccount {
  readonly uid: number;
  readonly gid: number;
  readonly name: string;
}

/** Tried in this order. */
const accountNames = ['postgres', 'nobody'];

const run = promisify(execFile);

/** The account to drop to, or null where this process is not root and needs none. Throws `database-unavailable` where none exists. */
export async function findServiceAccount(): Promise<ServiceAccount | null> {
  if (process.getuid?.() !== 0) return null;
  for (const name of accountNames) {
    const ids = await Promise.all(['-u', '-g'].map((flag) => run('id', [flag, name]))).catch(() => null);
    const [uid, gid] = (ids ?? []).map((answer) => Number.parseInt(answer.stdout, 10));
    if (uid !== undefined && gid !== undefined && uid > 0 && Number.isSafeInteger(uid) && Number.isSafeInteger(gid)) return { uid, gid, name };
  }
  throw new AgentStreamError('database-unavailable', {
    message:
      'PostgreSQL refuses to run as root, and this machine has neither a postgres nor a nobody user. ' +
      'Start the server as an ordinary user, or set DATABASE_URL.',
  });
}

/** Whether permission bits let `account` search (enter) a directory with this owner, group and mode. */
export function canEnter(directory: { uid: number; gid: number; mode: number }, account: ServiceAccount): boolean {
  if (directory.uid === account.uid) return (directory.mode & 0o100) !== 0;
  if (directory.gid === account.gid) return (directory.mode & 0o010) !== 0;
  return (directory.mode & 0o001) !== 0;
}

/** The topmost directory on the way to `path`, itself excluded, that `account` cannot enter; null where the way is free. */
export async function findBarrier(path: string, account: ServiceAccount | null): Promise<string | null> {
  if (account === null) return null;
  const parents: string[] = [];
  for (let parent = dirname(path); ; parent = dirname(parent)) {
    parents.unshift(parent);
    if (parent === dirname(parent)) break;
  }
  for (const parent of parents) {
    if (!canEnter(await stat(parent), account)) return parent;
  }
  return null;
}
