import { z } from 'zod';
import { isLoopbackHost } from '../../config.js';
import { providers } from '../../telephony/registry.js';
import { createApiClient, type ApiClient } from '../api-client.js';
import { pageOf, readAnswer, telephonyConfigShape } from '../api-shapes.js';
import { CliError } from '../cli-error.js';
import { note, ok, problem, skipped, type Check, type DoctorContext, type Finding } from './finding.js';
import { probe } from './probe.js';

/** The public URL is one that a carrier can reach over TLS. */
export const publicUrlCheck: Check = {
  title: 'Public URL',
  async run(context) {
    if (context.config === null) return [skipped('needs a valid configuration')];
    const { publicUrl } = context.config;
    const url = new URL(publicUrl);
    if (isLoopbackHost(url.hostname.replace(/^\[|\]$/g, ''))) {
      return [note(`${publicUrl} reaches this machine only`, 'For real calls set AGENT_STREAM_PUBLIC_URL to the https:// origin carriers can reach.')];
    }
    if (url.protocol !== 'https:') {
      return [problem(`${publicUrl} is not https`, 'Carriers stream to wss:// only: put TLS in front (docs/deployment.md) and change AGENT_STREAM_PUBLIC_URL.')];
    }
    const health = await probe(context, `${publicUrl}/healthz`);
    if (health.type === 'answer' && health.status === 200) return [ok(`${publicUrl} answers`)];
    const reason = health.type === 'answer' ? `answers ${health.status}` : health.reason;
    return [note(`${publicUrl} ${reason} as seen from here`, 'Start the server, then check DNS, certificate and proxy.')];
  },
};

const testShape = z.looseObject({ ok: z.boolean(), message: z.string() });

/** Each stored telephony configuration can talk to its provider. */
export const telephonyCheck: Check = {
  title: 'Telephony',
  async run(context) {
    const { serverUrl, apiKey, fetch, clock, signal } = context;
    const health = await probe(context, `${serverUrl}/healthz`);
    if (health.type === 'no-answer') return [skipped('needs a running server')];
    if (apiKey === undefined) return [skipped('needs an API key: set AGENT_STREAM_API_KEY')];
    const client = createApiClient({ serverUrl, apiKey, fetch, clock, signal });
    try {
      const answer = await client.request('GET', '/telephony-configs');
      const configs = readAnswer(pageOf(telephonyConfigShape), answer, 'list telephony configurations').items;
      if (configs.length === 0) {
        return [note('no telephony configuration is stored', 'Create one for real calls: README.md, "The first real phone call".')];
      }
      return await Promise.all(configs.map((config) => testConfig(client, config)));
    } catch (error) {
      if (error instanceof CliError) return [problem(error.message, error.cure ?? 'Check server and key.')];
      throw error;
    }
  },
};

async function testConfig(client: ApiClient, config: z.output<typeof telephonyConfigShape>): Promise<Finding> {
  const answer = await client.request('POST', `/telephony-configs/${encodeURIComponent(config.id)}/test`);
  const result = readAnswer(testShape, answer, 'test');
  const text = `${config.provider} "${config.name}": ${result.message}`;
  return result.ok ? ok(text) : problem(text, 'Correct domain and bearer token (PATCH /api/v1/telephony-configs/{id}), and check this machine’s egress.');
}

/** The API asked for the time: that of the first provider, which real calls depend on anyway. */
export function providerApiUrl(context: DoctorContext): string {
  const [provider] = Object.values(providers);
  if (provider === undefined) return context.serverUrl;
  const override = context.env[provider.apiBaseUrl.env];
  return override === undefined || override === '' ? provider.apiBaseUrl.default : override;
}
