import { AgentStreamError } from '../../base/errors.js';
import { isRecord } from '../../base/json.js';
import type { ProviderCall, ProviderControl, ProviderControlOptions, SessionVerdict, TransferRequest, WarmTransfer } from '../provider.js';
import { readIdentifier, readText } from '../wire-text.js';
import { normaliseDomain, type CloudonixCredentials } from './config.js';
import { conferenceDocument, consultDocument, dialDocument } from './call-flows.js';
import { createRestClient, type RestAnswer, type RestRequest } from './rest-client.js';
import { isFinalStatus } from './session-status.js';

/** The caller hears ringing while the session is validated. */
const VALIDATE_LIMIT_MS = 3000;

/** Everything else happens behind the caller's back. */
const CONTROL_LIMIT_MS = 10_000;

const HANG_UP_RETRIES = 3;

type RequestDefaults = Pick<RestRequest, 'priority' | 'limitMs' | 'retries' | 'retryOn'>;

const lookUp: RequestDefaults = { priority: 'normal', limitMs: VALIDATE_LIMIT_MS, retries: 1, retryOn: 'any-failure' };
const hangUpRequest: RequestDefaults = { priority: 'urgent', limitMs: CONTROL_LIMIT_MS, retries: HANG_UP_RETRIES, retryOn: 'any-failure' };
/** Replacing a call's flow twice gives the same flow. */
const switchFlow: RequestDefaults = { priority: 'normal', limitMs: CONTROL_LIMIT_MS, retries: 1, retryOn: 'any-failure' };
/** Dialling twice gives two calls. */
const dial: RequestDefaults = { priority: 'normal', limitMs: CONTROL_LIMIT_MS, retries: 1, retryOn: 'rate-limit-only' };

function rejected(answer: RestAnswer): AgentStreamError {
  return new AgentStreamError('provider-rejected', { details: { status: `HTTP ${answer.status}` } });
}

function isSuccess(answer: RestAnswer): boolean {
  return answer.status >= 200 && answer.status < 300;
}

/** Reads the provider's word on a session from a 200. An answer that is no session confirms nothing. */
function judgeSession(answer: RestAnswer): SessionVerdict {
  const body: unknown = Array.isArray(answer.body) ? answer.body[0] : answer.body;
  if (body === undefined) return { isLive: true, status: 'unknown' };
  if (!isRecord(body)) throw new AgentStreamError('provider-unreachable', { details: { status: 'HTTP 200 without a session' } });
  const status = readText(body['status'], 64)?.toLowerCase();
  return { isLive: !isFinalStatus(body, status), status: status ?? 'unknown' };
}

/** REST control of the calls of one Cloudonix domain (OpenAPI description of api.cloudonix.io). */
export function createCloudonixControl(options: ProviderControlOptions<CloudonixCredentials>): ProviderControl {
  const { credentials, baseUrl, clock } = options;
  const ownDomain = normaliseDomain(credentials.domain_id) ?? credentials.domain_id;

  async function send(request: RestRequest, signal: AbortSignal | undefined): Promise<RestAnswer> {
    if (credentials.bearer_token === undefined) throw new AgentStreamError('missing-bearer-token');
    const { bearer_token: bearerToken } = credentials;
    const { fetch, rateLimit } = options;
    return createRestClient({ baseUrl, domain: ownDomain, bearerToken, clock, fetch, rateLimit }).send(request, signal);
  }

  async function expectSuccess(request: RestRequest, signal: AbortSignal | undefined): Promise<RestAnswer> {
    const answer = await send(request, signal);
    if (!isSuccess(answer)) throw rejected(answer);
    return answer;
  }

  function sessionPath(call: ProviderCall): string[] {
    return ['customers', 'self', 'domains', call.account, 'sessions', call.sessionId];
  }

  async function endSession(call: ProviderCall, signal: AbortSignal | undefined): Promise<void> {
    const answer = await send({ ...hangUpRequest, method: 'DELETE', path: sessionPath(call) }, signal);
    if (!isSuccess(answer) && answer.status !== 404) throw rejected(answer);
  }

  async function replaceFlow(call: ProviderCall, cxml: string, signal: AbortSignal): Promise<void> {
    const path = ['calls', call.account, 'sessions', call.sessionId, 'application'];
    await expectSuccess({ ...switchFlow, method: 'POST', path, body: { cxml } }, signal);
  }

  async function dialDestination(call: ProviderCall, request: TransferRequest & { readonly callbackUrl: string }, cxml: string, signal: AbortSignal) {
    const body = {
      destination: request.destination,
      ...(request.callerId === undefined ? {} : { 'caller-id': request.callerId }),
      timeout: request.timeoutSeconds,
      callback: request.callbackUrl,
      cxml,
    };
    const answer = await expectSuccess({ ...dial, method: 'POST', path: ['calls', call.account, 'application'], body }, signal);
    const token = isRecord(answer.body) ? readIdentifier(answer.body['token']) : undefined;
    if (token === undefined) throw new AgentStreamError('provider-rejected', { details: { status: 'no token of the dialled call' } });
    return token;
  }

  return {
    async validateSession(call, signal) {
      const answer = await send({ ...lookUp, method: 'GET', path: sessionPath(call) }, signal);
      if (answer.status === 404) return { isLive: false, status: 'HTTP 404' };
      if (!isSuccess(answer)) throw rejected(answer);
      return judgeSession(answer);
    },
    hangUp: endSession,
    async transferCold(call, request, signal) {
      await replaceFlow(call, dialDocument(request), signal);
    },
    async transferWarm(call, request, signal): Promise<WarmTransfer> {
      const conference = `transfer-${request.transferId}`;
      const cxml = consultDocument({ conference, announcement: request.announcement, callbackUrl: request.callbackUrl });
      const token = await dialDestination(call, request, cxml, signal);
      return {
        transferId: request.transferId,
        moveCaller: (moveSignal) => replaceFlow(call, conferenceDocument(conference), moveSignal),
        cancel: () => endSession({ account: call.account, sessionId: token }, undefined),
      };
    },
    async testCredential(signal) {
      await expectSuccess({ ...lookUp, method: 'GET', path: ['calls', ownDomain, 'conferences'] }, signal);
      return `Cloudonix accepted the API key for ${ownDomain}: calls can be controlled.`;
    },
  };
}
