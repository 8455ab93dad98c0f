import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../base/log.js';
import type { Setup } from '../http/setup.js';
import type { Store } from '../store/store.js';
import { cliApiKeyFile } from './connection.js';

/** Name of the key that the commands of the server's own machine use. */
const KEY_NAME = 'Commands on this machine';

/** Makes an API key and leaves it in the data directory (mode 0600) for the commands of this machine. */
export async function createLocalApiKey(store: Store, dataDir: string, owner: { organizationId: string; userId: string }): Promise<void> {
  const { organizationId, userId } = owner;
  const { key } = await store.accounts.createApiKey({ organizationId, userId, name: KEY_NAME });
  // With DATABASE_URL and a configured secret key nothing else has made the directory.
  await mkdir(dataDir, { recursive: true });
  await writeFile(join(dataDir, cliApiKeyFile), `${key}\n`, { mode: 0o600 });
}

/**
 * {@link createLocalApiKey}, or a warning where it fails: a data directory that cannot be written must not cost what the owner was
 * set up with, and the other keys work all the same.
 */
export async function leaveLocalApiKey(
  owner: { organizationId: string; userId: string },
  { store, dataDir, log }: { store: Store; dataDir: string; log: Log },
): Promise<void> {
  await createLocalApiKey(store, dataDir, owner).catch((error: unknown) => {
    const { message } = error instanceof Error ? error : new Error(String(error));
    log.warn('The data directory took no API key for the commands of this machine', { error: message });
  });
}

/** The set-up, which also leaves a key for the commands of this machine, so that they work without further ado. */
export function withLocalApiKey(setup: Setup, ports: Parameters<typeof leaveLocalApiKey>[1]): Setup {
  return {
    token: setup.token,
    async redeem(token, request) {
      const result = await setup.redeem(token, request);
      if (result !== null) await leaveLocalApiKey(result, ports);
      return result;
    },
  };
}
