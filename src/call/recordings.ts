import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import { isUuid } from '../base/ids.js';
import type { Log } from '../base/log.js';
import type { Run } from '../store/store.js';

/** What a recording's place follows from. */
type RecordedRun = Pick<Run, 'id' | 'createdAt'>;

/** Where recordings lie: one folder per day below the data directory, named by run. */
export interface Recordings {
  /** The data directory's id: nodes that share the directory share it, others delete no file of each other. */
  readonly storeId: string;
  /** Absolute. */
  pathOf(run: RecordedRun): string;
  /** Below the data directory, as the run records it. */
  relativePathOf(run: RecordedRun): string;
  /** Deletes the file; one that is not there counts as deleted. */
  delete(run: RecordedRun): Promise<void>;
}

/**
 * Opens the recordings below `dataDir`. The folder has an id, kept in `recordings/store-id`; one that cannot be written gets another at each
 * start, since nothing is recorded there either.
 * @throws AgentStreamError `configuration-invalid` where the file holds something else
 */
export async function openRecordings(dataDir: string, log: Log): Promise<Recordings> {
  const relativePathOf = (run: RecordedRun) => join('recordings', run.createdAt.toISOString().slice(0, 10), `${run.id}.wav`);
  const pathOf = (run: RecordedRun) => join(dataDir, relativePathOf(run));
  const storeId = await readStoreId(join(dataDir, 'recordings')).catch((error: unknown) => {
    if (error instanceof AgentStreamError) throw error;
    log.warn('Calls cannot be recorded: the data directory cannot be written', { error: toAgentStreamError(error).message });
    return randomUUID();
  });
  return { storeId, relativePathOf, pathOf, delete: (run) => rm(pathOf(run), { force: true }) };
}

async function readStoreId(folder: string): Promise<string> {
  const path = join(folder, 'store-id');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  // Written aside and linked into place: of two nodes that start at once one names the folder, and a file that is there is complete.
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, `${randomUUID()}\n`, { mode: 0o600 });
  try {
    await link(draft, path).catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
  const id = (await readFile(path, 'utf8')).trim();
  if (!isUuid(id)) throw new AgentStreamError('configuration-invalid', { message: `${path} does not hold a UUID. Delete it.` });
  return id;
}
