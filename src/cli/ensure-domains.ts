import { SIMULATOR_DOMAIN } from '../simulator/place-call.js';
import type { ApiClient } from './api-client.js';
import { pageOf, readAnswer, telephonyConfigShape } from './api-shapes.js';

/**
 * Stores telephony configurations for Cloudonix domains where the server has none; returns the names of those that it stored.
 * @throws CliError
 */
export async function ensureDomains(client: ApiClient, domains: readonly string[], bearerToken: string): Promise<readonly string[]> {
  const shape = telephonyConfigShape.extend({ account: telephonyConfigShape.shape.name });
  const known = readAnswer(pageOf(shape), await client.request('GET', '/telephony-configs'), 'list telephony configurations').items;
  const missing = domains.filter((domain) => !known.some(({ provider, account }) => provider === 'cloudonix' && account === domain));
  const names: string[] = [];
  for (const domain of missing) {
    const name = domain === SIMULATOR_DOMAIN ? 'Simulator' : `Simulator ${domain}`;
    const credentials = { domain_id: domain, bearer_token: bearerToken };
    await client.request('POST', '/telephony-configs', { body: { name, provider: 'cloudonix', credentials } });
    names.push(name);
  }
  return names;
}
