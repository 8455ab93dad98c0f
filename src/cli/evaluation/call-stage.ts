import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseConfig } from '../../config.js';
import { startFakeCloudonix, type FakeCloudonix } from '../../simulator/fake-cloudonix.js';
import { SIMULATOR_BEARER_TOKEN, SIMULATOR_DOMAIN } from '../../simulator/place-call.js';
import { createApiClient, type ApiClient } from '../api-client.js';
import { CliError } from '../cli-error.js';
import type { CliContext } from '../command.js';
import { endpointNames, serve } from '../commands/serve.js';
import { apiKeyFor, cliApiKeyFile, serverUrlOf } from '../connection.js';
import { ensureLocalOwner } from '../demo-agent.js';
import { ensureDomains } from '../ensure-domains.js';
import { exitCodes } from '../exit-codes.js';
import type { Stub } from './scenario-file.js';
import { openStubs, type Stubs } from './stubs.js';

/** Where the fake Cloudonix listens for a server that runs already. */
const CLOUDONIX_PORT = 8095;

/** A server to call, and the Cloudonix that it asks. */
export interface CallStage {
  readonly client: ApiClient;
  /** For what is put away in the end, also after an interruption. */
  readonly cleaner: ApiClient;
  readonly cloudonix: FakeCloudonix;
  /** Domains that no call comes from: each takes one for as long as it is held, because transfers are a domain's. */
  readonly freeDomains: string[];
  close(): Promise<void>;
}

/** Domains for so many calls at once. */
export const domainsFor = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => (index === 0 ? SIMULATOR_DOMAIN : `line-${index + 1}.${SIMULATOR_DOMAIN}`));

async function openCloudonix(domains: readonly string[], port: number): Promise<FakeCloudonix> {
  const options = { port, domains: Object.fromEntries(domains.map((domain) => [domain, { bearerToken: SIMULATOR_BEARER_TOKEN }])) };
  return startFakeCloudonix(options).catch((cause: unknown) => {
    throw new CliError(exitCodes.failure, `cannot play Cloudonix on port ${port}`, { cure: 'Free the port: another simulated call may be using it.', cause });
  });
}

/** A server of the evaluation's own, on the embedded database in the data directory: the environment's keys count, its database and addresses do not. */
async function startOwnServer(cloudonix: FakeCloudonix, stubs: Stubs, { env, output }: CliContext): Promise<{ url: string; apiKey: string; stop: () => Promise<void> }> {
  const overrides = { DATABASE_URL: undefined, AGENT_STREAM_PUBLIC_URL: undefined, LOG_LEVEL: env.LOG_LEVEL ?? 'error', HOST: '127.0.0.1', PORT: '0', CLOUDONIX_API_BASE_URL: cloudonix.baseUrl };
  const config = parseConfig({ ...env, ...overrides }, endpointNames());
  output.note(`Starting a server on the embedded database in ${config.dataDir} …`);
  const server = await serve(config, { stubTools: (fetch) => stubs.over(fetch) });
  try {
    await ensureLocalOwner(server.store, config.dataDir);
    const apiKey = (await readFile(join(config.dataDir, cliApiKeyFile), 'utf8')).trim();
    return { url: server.url, apiKey, stop: () => server.stop() };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Opens the stage: the server that is named, else one of its own. @throws CliError, AgentStreamError where it cannot be */
export async function openCallStage(options: { server?: string | undefined; lines: number; stubs?: readonly Stub[] }, context: CliContext): Promise<CallStage> {
  const domains = domainsFor(options.lines);
  const cloudonix = await openCloudonix(domains, options.server === undefined ? 0 : CLOUDONIX_PORT);
  const stubs = openStubs(options.stubs ?? [], context);
  let stop: () => Promise<void> = () => Promise.resolve();
  const close = async () => {
    await stop();
    await stubs.close();
    await cloudonix.close();
  };
  try {
    const server = options.server === undefined ? await startOwnServer(cloudonix, stubs, context) : null;
    if (server !== null) stop = server.stop;
    const serverUrl = server?.url ?? serverUrlOf({ server: options.server ?? '' }, context.env);
    const apiKey = server?.apiKey ?? apiKeyFor(serverUrl, context.env);
    const clientFor = (signal: AbortSignal) => createApiClient({ serverUrl, apiKey, fetch: context.fetch, clock: context.clock, signal });
    const client = clientFor(context.signal);
    await ensureDomains(client, domains, SIMULATOR_BEARER_TOKEN);
    return { client, cleaner: clientFor(new AbortController().signal), cloudonix, freeDomains: [...domains], close };
  } catch (error) {
    await close();
    throw error;
  }
}
