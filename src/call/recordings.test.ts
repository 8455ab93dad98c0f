import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../base/log.js';
import { openRecordings } from './recordings.js';

const run = { id: '0198c0de-0000-7000-8000-000000000001', createdAt: new Date('2026-03-01T23:59:59.999Z') };

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'agent-stream-recordings-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

describe('recordings', () => {
  it('have one id per data directory, whoever opens it first', async () => {
    const opened = await Promise.all(Array.from({ length: 8 }, () => openRecordings(dataDir, silentLog)));
    expect(new Set(opened.map(({ storeId }) => storeId)).size).toBe(1);
    expect((await openRecordings(dataDir, silentLog)).storeId).toBe(opened[0]?.storeId);
    expect(await readdir(join(dataDir, 'recordings'))).toEqual(['store-id']);
    expect((await openRecordings(join(dataDir, 'other'), silentLog)).storeId).not.toBe(opened[0]?.storeId);
  });

  it('lie in a folder per day, and can be deleted more than once', async () => {
    const recordings = await openRecordings(dataDir, silentLog);
    const path = recordings.pathOf(run);
    expect(path).toBe(join(dataDir, recordings.relativePathOf(run)));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, 'RIFF');
    await recordings.delete(run);
    await recordings.delete(run);
    expect(await readdir(join(dataDir, 'recordings', '2026-03-01'))).toEqual([]);
  });

  it('cost no start where the folder cannot be written, and refuse an id that is none', async () => {
    const warnings: string[] = [];
    await writeFile(join(dataDir, 'file'), '');
    const { storeId } = await openRecordings(join(dataDir, 'file'), { ...silentLog, warn: (message) => void warnings.push(message) });
    expect(storeId).toMatch(/^[0-9a-f-]{36}$/);
    expect(warnings).toHaveLength(1);
    await mkdir(join(dataDir, 'recordings'));
    await writeFile(join(dataDir, 'recordings', 'store-id'), 'mine');
    await expect(openRecordings(dataDir, silentLog)).rejects.toMatchObject({ code: 'configuration-invalid' });
  });
});
