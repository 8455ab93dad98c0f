import { systemClock, sleep } from '../../src/base/clock.js';
import { silentLog } from '../../src/base/log.js';
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.js';

/** A process that starts the embedded database in the directory named by its argument, says so, and waits to be killed. */
async function own(dataDir: string): Promise<void> {
  const { poolConfig } = await startEmbeddedPostgres({ dataDir, log: silentLog });
  process.stdout.write(`${String(poolConfig.host)}\n`);
  process.stdin.resume();
  await sleep(systemClock, 120_000);
}

await own(process.argv[2] ?? '');
