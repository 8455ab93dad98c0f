import { randomUUID } from 'node:crypto';
import { vi } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.js';
import { startCallServer, type StreamUrlOptions } from '../support/call-server.js';
import { openCarrier } from '../support/stream-carrier.js';
import { answered, refusedCase, type CloseCase, type CloseStage } from './stream-close-cases.js';

const open = (options: StreamUrlOptions = {}) => ({ server, agent }: CloseStage) => openCarrier(server.streamUrl(agent.uuid, options));

const agentNotFound = (when: string, isListed: boolean, play: CloseCase['play']) =>
  refusedCase('agent-not-found', when, { code: 1008, reason: 'Agent not found' }, play, { isListed });

async function tokenOf({ server, agent }: CloseStage): Promise<string> {
  const token = await server.store.agents.rotateStreamToken(agent.organizationId, agent.uuid, 0);
  if (token === null) throw new Error('The agent exists');
  return token;
}

/** The agent is unknown, archived, or its token is not given: a stranger cannot tell which. */
const unknownAgents: readonly CloseCase[] = [
  agentNotFound('of an unknown UUID', false, ({ server }) => openCarrier(server.streamUrl(randomUUID()))),
  agentNotFound('of no UUID at all', false, ({ server }) => openCarrier(server.streamUrl('reception'))),
  agentNotFound('of an archived agent', true, async ({ server, agent }) => {
    await server.store.agents.setArchived(agent.organizationId, agent.uuid, true);
    return openCarrier(server.streamUrl(agent.uuid));
  }),
  agentNotFound('without the token that the agent requires', true, async (stage) => {
    await tokenOf(stage);
    return open()(stage);
  }),
  agentNotFound('with a wrong token', true, async (stage) => {
    const token = await tokenOf(stage);
    return open({ token: token.startsWith('A') ? `B${token.slice(1)}` : `A${token.slice(1)}` })(stage);
  }),
  agentNotFound('with something that cannot be a token, query form', true, async (stage) => {
    await tokenOf(stage);
    return open({ form: 'query', token: 'x' })(stage);
  }),
];

const unsupported = (provider: string, form: 'path' | 'query') =>
  refusedCase('provider-unsupported', `of ${provider}, ${form} form`, { code: 1011, reason: 'Provider has no stream support' }, open({ provider, form }));

const notRecognised = (when: string, messages: readonly unknown[], headers: Readonly<Record<string, string>> = {}) =>
  refusedCase('provider-not-recognised', when, { code: 1011, reason: 'Provider not recognised' }, async ({ server, agent }) => {
    const carrier = await openCarrier(server.streamUrl(agent.uuid, { form: 'query', provider: null }), { headers });
    carrier.send(...messages);
    return carrier;
  });

const providers: readonly CloseCase[] = [
  refusedCase('unknown-provider', 'path form', { code: 1008, reason: 'Unknown provider' }, open({ provider: 'nobody' })),
  refusedCase('unknown-provider', 'query form', { code: 1008, reason: 'Unknown provider' }, open({ provider: 'nobody', form: 'query' })),
  unsupported('twilio', 'path'),
  unsupported('vonage', 'query'),
  notRecognised('frames of another provider', [
    { event: 'connected', protocol: 'Call', version: '1.0.0' },
    { event: 'start', start: { streamSid: 'MZ1', callSid: 'CA1', accountSid: `AC${'0'.repeat(32)}` } },
  ]),
  notRecognised('frames that are no JSON', ['hello', 'there']),
  notRecognised('headers of another provider', [{ event: 'connected', protocol: 'Call' }, { event: 'start', start: { session: 's' } }], {
    'x-twilio-signature': 'c2lnbmF0dXJl',
  }),
];

const concurrencyLimit = (when: string, play: CloseCase['play'], options: Partial<CloseCase> = {}) =>
  refusedCase('concurrency-limit', when, { code: 1008, reason: 'Concurrent call limit reached' }, play, options);

const limits: readonly CloseCase[] = [
  refusedCase('quota-exceeded', 'no runs left', { code: 1008, reason: 'Quota exceeded' }, async (stage) => {
    const { store } = stage.server;
    await store.quotas.put(stage.tenant.organizationId, stage.tenant.userId, { period: 'day', minutes: null, runs: 0 });
    return open()(stage);
  }),
  refusedCase('quota-exceeded', 'no minutes left', { code: 1008, reason: 'Quota exceeded' }, async (stage) => {
    const { store } = stage.server;
    await store.quotas.put(stage.tenant.organizationId, stage.tenant.userId, { period: 'month', minutes: 0, runs: null });
    return open({ form: 'query' })(stage);
  }),
  concurrencyLimit('of the organization', async (stage) => {
    await stage.server.store.accounts.updateOrganization(stage.tenant.organizationId, { concurrentCalls: 0 });
    return open()(stage);
  }),
];

/** A case on a node of its own that is in a special state. */
const onOwnNode = (error: ErrorCode, close: CloseCase['close'], prepare: (stage: CloseStage) => Promise<void>, env = {}): CloseCase =>
  refusedCase(error, 'after the upgrade', close, async ({ server, agent }) => {
    // Another node on the same database: what it refuses is listed all the same.
    const crowded = await startCallServer({ env, database: server.database });
    try {
      await prepare({ server: crowded, agent, tenant: server.tenant });
      const carrier = await openCarrier(crowded.streamUrl(agent.uuid));
      await carrier.closed;
      return carrier;
    } finally {
      await crowded.stop();
    }
  });

const fullNodes: readonly CloseCase[] = [
  onOwnNode(
    'node-full',
    { code: 1013, reason: 'This node is full' },
    async ({ server }) => {
      const agent = await server.createAgent();
      await answered({ server, agent, tenant: server.tenant });
    },
    { AGENT_STREAM_MAX_CALLS: '1' },
  ),
  onOwnNode('node-draining', { code: 1013, reason: 'This node is draining' }, ({ server }) =>
    server.node.directory.drain(0, AbortSignal.abort()),
  ),
];

const faults: readonly CloseCase[] = [
  refusedCase('internal-error', 'the run cannot be minted', { code: 1011, reason: 'Internal server error' }, async (stage) => {
    vi.spyOn(stage.server.store.runs, 'mint').mockRejectedValueOnce(new Error('the database is away'));
    return open()(stage);
  }),
];

/** Streams that are turned away before they have a run. */
export const refusalCases: readonly CloseCase[] = [...unknownAgents, ...providers, ...limits, ...fullNodes, ...faults];
