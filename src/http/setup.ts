import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { AccountStore } from '../store/store.js';

/** What the holder of the set-up token names. */
export interface SetupRequest {
  readonly organizationName: string;
  readonly email: string;
}

/** What the first set-up made. `key` is shown once. */
export interface SetupResult {
  readonly organizationId: string;
  readonly userId: string;
  readonly key: string;
}

/** The first set-up of an empty installation, by a one-time token that the start banner prints. */
export interface Setup {
  /** The token to print; null where the installation is set up already. */
  readonly token: string | null;
  /** Null for a wrong, used or absent token. */
  redeem(token: string, request: SetupRequest): Promise<SetupResult | null>;
}

const digest = (text: string) => createHash('sha256').update(text).digest();

/** Opens the set-up: a fresh token of 256 random bits while the store is empty, else none. The token dies with the process. */
export async function openSetup(accounts: AccountStore): Promise<Setup> {
  const token = (await accounts.isEmpty()) ? randomBytes(32).toString('base64url') : null;
  let expected = token === null ? null : digest(token);

  async function create(request: SetupRequest): Promise<SetupResult | null> {
    const { organizationName: name, email: ownerEmail } = request;
    const first = await accounts.createFirstOrganization({ name, ownerEmail, apiKey: { name: 'Set-up' } });
    return first === null ? null : { organizationId: first.organization.id, userId: first.owner.id, key: first.key };
  }

  return {
    token,
    async redeem(given, request) {
      const held = expected;
      if (held === null || !timingSafeEqual(digest(given), held)) return null;
      // Taken before the first await, so that two requests cannot both redeem it; given back if the database failed.
      expected = null;
      try {
        return await create(request);
      } catch (error) {
        expected = held;
        throw error;
      }
    },
  };
}
