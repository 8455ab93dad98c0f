import { systemClock } from '../../src/base/clock.js';
import { createApiClient } from '../../src/cli/api-client.js';
import { ensureDomains } from '../../src/cli/ensure-domains.js';
import { domainsFor, type CallStage } from '../../src/cli/evaluation/call-stage.js';
import type { Stub } from '../../src/cli/evaluation/scenario-file.js';
import { openStubs } from '../../src/cli/evaluation/stubs.js';
import { createOutput } from '../../src/cli/output.js';
import { startFakeCloudonix } from '../../src/simulator/fake-cloudonix.js';
import { SIMULATOR_BEARER_TOKEN } from '../../src/simulator/place-call.js';
import { startCallServer } from './call-server.js';

/** A server for evaluations through calls on a database of the tests. */
export interface EvaluationStage extends CallStage {
  stop(): Promise<void>;
}

/** Swallows what is printed. */
export const testOutput = createOutput({ stdout: { write: () => true }, stderr: { write: () => true }, hasColor: false });

/** Starts the stage for so many calls at once; `stubs` answer its tools' requests. */
export async function startEvaluationStage(stubs: readonly Stub[] = [], lines = 2): Promise<EvaluationStage> {
  const domains = domainsFor(lines);
  const stubbed = openStubs(stubs, { clock: systemClock, fetch });
  const cloudonix = await startFakeCloudonix({ domains: Object.fromEntries(domains.map((domain) => [domain, { bearerToken: SIMULATOR_BEARER_TOKEN }])) });
  const server = await startCallServer({ env: { CLOUDONIX_API_BASE_URL: cloudonix.baseUrl }, stubTools: (real) => stubbed.over(real) });
  const { signal } = new AbortController();
  const client = createApiClient({ serverUrl: server.node.url, apiKey: server.tenant.key, fetch, clock: systemClock, signal });
  await ensureDomains(client, domains, SIMULATOR_BEARER_TOKEN);
  const stop = async () => {
    await server.stop();
    await stubbed.close();
    await cloudonix.close();
  };
  return { client, cleaner: client, cloudonix, freeDomains: [...domains], close: stop, stop };
}
