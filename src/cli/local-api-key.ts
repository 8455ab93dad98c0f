import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Setup } from '../http/setup.js';
import type { Store } from '../store/store.js';
import { cliApiKeyFile } from './connection.js';

/** Name of the key that the commands of the server's own machine use. */
const KEY_NAME = 'Commands on this machine';

/** Makes an API key and leaves it in the data directory (mode 0600) for the commands of this machine. */
export async function createLocalApiKey(store: Store, dataDir: string, owner: { organizationId: string; userId: string }): Promise<void> {
  const { key } = await store.accounts.createApiKey({ ...owner, name: KEY_NAME });
  await writeFile(join(dataDir, cliApiKeyFile), `${key}\n`, { mode: 0o600 });
}

/** The set-up, which also leaves a key for the commands of this machine, so that they work without further ado. */
export function withLocalApiKey(setup: Setup, store: Store, dataDir: string): Setup {
  return {
    token: setup.token,
    async redeem(token, request) {
      const result = await setup.redeem(token, request);
      if (result !== null) await createLocalApiKey(store, dataDir, result);
      return result;
    },
  };
}
