import type { FastifyRequest } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { setBounded } from '../../base/bounded-map.js';
import { AgentStreamError } from '../../base/errors.js';
import { parseJson } from '../../base/json.js';
import type { TelephonyConfig } from '../../store/store.js';
import type { ProviderCallback, ProviderModule } from '../../telephony/provider.js';
import { createFailureLimiter } from '../auth.js';
import { clientAddress } from '../client-address.js';
import { found } from '../schemas.js';
import type { AppServices } from '../services.js';

const maxCallbackBytes = 64 * 1024;
/** What one callback may add to a run's record. */
const maxDetailsLength = 8 * 1024;
/** Status words of one session that are remembered, so that a repeated post costs no query. */
const maxRecentCallbacks = 10_000;

const callbackParams = z.strictObject({ provider: z.string().max(50), config_id: z.guid(), kind: z.enum(['session', 'cdr']) });
const transferParams = z.strictObject({
  provider: z.string().max(50),
  transfer_id: z.string().min(1).max(100),
  secret: z.string().min(1).max(200),
});

/** JSON, or a form as a flat object; undefined where the body is neither. */
function parseCallbackBody(body: Buffer, contentType: string | undefined): unknown {
  const isForm = contentType?.toLowerCase().startsWith('application/x-www-form-urlencoded') === true;
  return isForm ? Object.fromEntries(new URLSearchParams(body.toString('utf8'))) : parseJson(body);
}

const bodyOf = (request: FastifyRequest): Buffer => (Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0));

/** Header values as the provider modules take them; of a repeated header the first counts. */
function headersOf(request: FastifyRequest): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]));
}

/** The key of the run's `logs` that a callback is kept under: one per status, so that repeated and reordered posts change nothing. */
function logKeyOf({ kind, status }: ProviderCallback): string {
  if (kind === 'cdr') return 'cdr';
  return `session_status_${(status ?? 'unknown').replaceAll(/[^a-z0-9]+/g, '_').slice(0, 40)}`;
}

/** Posts of telephony providers: session status, call records, and the progress of warm transfers. */
export function telephonyCallbackRoutes(services: AppServices): FastifyPluginAsyncZod {
  const { store, providers, liveCalls, clock, config } = services;
  const failures = createFailureLimiter(clock);
  const recent = new Map<string, true>();

  const providerNamed = (name: string): ProviderModule => found(providers.find((provider) => provider.name === name) ?? null);

  /** The configuration the post is proven to come from the holder of. */
  async function verifiedConfig(request: FastifyRequest, provider: ProviderModule, configId: string): Promise<TelephonyConfig> {
    // Provider addresses are shared by many accounts: one account's wrong key must not shut out the others.
    const limiterKey = `${clientAddress(request.raw, config)} ${configId}`;
    if (failures.isBlocked(limiterKey)) throw new AgentStreamError('rate-limited');
    const telephonyConfig = await store.telephonyConfigs.getById(configId);
    if (telephonyConfig === null || telephonyConfig.provider !== provider.name) throw new AgentStreamError('not-found');
    const credentials = provider.credentialsSchema.safeParse(telephonyConfig.credentials);
    if (!credentials.success || !provider.verifyCallback(headersOf(request), bodyOf(request), credentials.data, clock.wallMs())) {
      failures.noteFailure(limiterKey);
      throw new AgentStreamError('not-authenticated', { message: 'The callback does not prove knowledge of the configuration’s key.' });
    }
    return telephonyConfig;
  }

  async function record(telephonyConfig: TelephonyConfig, callback: ProviderCallback): Promise<void> {
    if (callback.sessionId === undefined) return;
    const key = logKeyOf(callback);
    const recentKey = `${telephonyConfig.id} ${callback.sessionId} ${key}`;
    if (recent.has(recentKey)) return;
    const run = await store.runs.findBySession(telephonyConfig.organizationId, callback.sessionId);
    // A status may overtake the stream that makes its run: it is not remembered, and a repetition gets its chance.
    if (run === null || run.telephonyConfigId !== telephonyConfig.id) return;
    setBounded(recent, recentKey, true, maxRecentCallbacks);
    const details = JSON.stringify(callback.details).length > maxDetailsLength ? { truncated: true } : callback.details;
    if (!(key in run.logs)) {
      await store.runs.mergeLogs(run.id, { [key]: { received_at: new Date(clock.wallMs()).toISOString(), status: callback.status ?? null, ...details } });
    }
    const isLive = run.state === 'initialized' || run.state === 'running';
    if (callback.isFinal && isLive) liveCalls.noteCallEnded(run.id, callback.status ?? 'unknown');
  }

  return async (app) => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: maxCallbackBytes }, (_request, body, done) => done(null, body));
    const tags = ['Telephony callbacks'];

    const receiving = { params: callbackParams, security: [] };
    const path = '/telephony-callbacks/:provider/:config_id/:kind';
    app.post(path, { schema: { tags, summary: 'Session status and call records, signed by the provider', ...receiving } }, async (request, reply) => {
      const provider = providerNamed(request.params.provider);
      const telephonyConfig = await verifiedConfig(request, provider, request.params.config_id);
      const callback = provider.parseCallback(parseCallbackBody(bodyOf(request), request.headers['content-type']));
      if (callback !== null) await record(telephonyConfig, callback);
      return reply.code(204).send();
    });

    const transferring = { params: transferParams, security: [] };
    const transferPath = '/telephony-callbacks/:provider/transfer/:transfer_id/:secret';
    app.post(transferPath, { schema: { tags, summary: 'Progress of a warm transfer', ...transferring } }, async (request, reply) => {
      const { provider: name, transfer_id: transferId, secret } = request.params;
      const progress = providerNamed(name).parseTransferCallback(parseCallbackBody(bodyOf(request), request.headers['content-type']));
      if (!services.onTransferCallback(name, transferId, secret, progress)) throw new AgentStreamError('not-found');
      return reply.code(204).send();
    });
  };
}
