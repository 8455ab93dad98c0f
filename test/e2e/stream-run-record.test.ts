import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Agent } from '../../src/store/store.js';
import { defaultDocument } from '../../src/workflow/default-document.js';
import { startCallServer, type AgentOptions, type CallServer, type CallTenant, type StreamUrlOptions } from '../support/call-server.js';
import { connected, media, openCarrier, placeStream, startMessage, stop, type StreamCarrier } from '../support/stream-carrier.js';
import { waitUntil } from '../support/wait-for.js';

let server: CallServer;
beforeAll(async () => {
  server = await startCallServer();
});
afterAll(() => server.stop());

interface CallCase extends AgentOptions {
  readonly url?: StreamUrlOptions;
  readonly start?: Readonly<Record<string, unknown>>;
}

type RunJson = Readonly<Record<string, unknown>> & {
  readonly id: string;
  readonly initial_context: Readonly<Record<string, unknown>>;
  readonly gathered_context: Readonly<Record<string, unknown>>;
  readonly logs: { readonly inbound_webhook: Readonly<Record<string, unknown>> };
};

async function readRun(tenant: CallTenant, id: string): Promise<RunJson> {
  return (await server.request('GET', `/api/v1/runs/${id}`, undefined, tenant)).json as RunJson;
}

/** Holds a call until the agent has spoken and the caller has hung up, and reads its run through the API. */
async function holdCall(callCase: CallCase, given?: Agent): Promise<{ run: RunJson; agent: Agent; carrier: StreamCarrier; tenant: CallTenant }> {
  const tenant = callCase.tenant ?? (await server.createTenant());
  const agent = given ?? (await server.createAgent({ ...callCase, tenant }));
  const carrier = await placeStream(server, server.streamUrl(agent.uuid, callCase.url), { tenant, ...(callCase.start === undefined ? {} : { start: callCase.start }) });
  await carrier.heard();
  await server.waitForRun(agent, ({ state }) => state === 'running');
  carrier.send(media(), stop);
  await carrier.closed;
  const { id } = await server.endedRun(agent);
  return { run: await readRun(tenant, id), agent, carrier, tenant };
}

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const instant = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/;
const text = (pattern: RegExp): unknown => expect.stringMatching(pattern);
const anObject: unknown = expect.any(Object);
const aNumber: unknown = expect.any(Number);
const aList: unknown = expect.any(Array);

describe('the run of a call holds every field of the contract', () => {
  it.each<[string, StreamUrlOptions]>([
    ['the path form', { form: 'path' }],
    ['the query form', { form: 'query', query: 'callId=caller-chosen-7&from=%2B15551230001&to=%2B15551230002&campaign=spring' }],
    ['the query form without a provider', { form: 'query', provider: null }],
  ])('in %s', async (_name, url) => {
    const { run, agent, carrier, tenant } = await holdCall({ url, variables: { company: 'Acme', campaign: 'none' }, start: { customParameters: { tenant: 't-77' } } });
    const hasQuery = url.query !== undefined;
    const session = carrier.session;
    const self = `${server.node.publicUrl}/api/v1/runs/${run.id}`;
    expect(run).toEqual({
      id: text(uuidV7),
      name: text(/^WR-AGS-\d{8}$/),
      agent_uuid: agent.uuid,
      agent_version: 1,
      organization_id: tenant.organizationId,
      telephony_config_id: tenant.config.id,
      call_type: 'inbound',
      mode: 'cloudonix',
      state: 'completed',
      initial_context: {
        company: 'Acme',
        tenant: 't-77',
        campaign: hasQuery ? 'spring' : 'none',
        provider: 'cloudonix',
        direction: 'inbound',
        caller_number: hasQuery ? '+15551230001' : '+12025550143',
        called_number: hasQuery ? '+15551230002' : '+12025550199',
        agent_uuid: agent.uuid,
      },
      gathered_context: {
        call_id: hasQuery ? 'caller-chosen-7' : session,
        session,
        call_sid: `${session}@192.0.2.7`,
        stream_sid: `ST-${session}`,
        nodes_visited: ['Reception'],
        call_disposition: 'caller_hangup',
      },
      logs: {
        inbound_webhook: {
          domain: tenant.domain,
          session,
          call_sid: `${session}@192.0.2.7`,
          stream_sid: `ST-${session}`,
          from: '+12025550143',
          to: '+12025550199',
          context: 'inbound',
          tracks: ['inbound'],
          media_format: { encoding: 'audio/x-mulaw', sample_rate: 8000, channels: 1 },
          agent_version: 1,
        },
      },
      end_reason: 'caller_hangup',
      close_code: 1000,
      close_reason: 'Stream stopped',
      created_at: text(instant),
      answered_at: text(instant),
      ended_at: text(instant),
      duration_ms: aNumber,
      usage: anObject,
      cost: {
        currency: 'USD',
        total: '0.000000',
        price_table_version: text(/^\d{4}-\d{2}-\d{2}$/),
        parts: aList,
        // What the carrier charges is between it and the organization.
        unknown: [{ leg: 'telephony', vendor: 'cloudonix', model: '', unit: 'second', quantity: aNumber, reason: 'no_price' }],
      },
      latency: { turns: [] },
      analysis: null,
      recording_url: null,
      recording_expires_at: null,
      recording_deleted_at: null,
      transcript_url: `${self}/transcript`,
      events_url: `${self}/events`,
    });
    const times = [run['created_at'], run['answered_at'], run['ended_at']].map(String);
    expect(times).toEqual(times.toSorted());
    expect(Number(run['duration_ms'])).toBeLessThanOrEqual(Date.parse(times[2] ?? '') - Date.parse(times[0] ?? '') + 100);
  });

  it('its cost is by the organization’s prices, and the usage sums it up', async () => {
    const tenant = await server.createTenant();
    const prices = [
      { leg: 'telephony', vendor: 'cloudonix', unit: 'second', price: '6', per: 60 },
      { leg: 'stt', vendor: 'builtin', unit: 'second', price: '1' },
    ];
    expect((await server.request('PUT', '/api/v1/organization/prices', { prices }, tenant)).status).toBe(200);
    const { run } = await holdCall({ tenant });
    const cost = run['cost'] as { total: string; parts: { leg: string; quantity: number; amount: string; price_from: string }[]; unknown: unknown[] };
    const usage = run['usage'] as { vendors: { leg: string; audio_ms?: number }[] };
    const heardMs = usage.vendors.find(({ leg }) => leg === 'stt')?.audio_ms ?? 0;
    expect(heardMs).toBeGreaterThan(0);
    expect(cost.unknown).toEqual([]);
    const amount = (asked: string) => cost.parts.find(({ leg }) => leg === asked)?.amount;
    expect(amount('stt')).toBe((heardMs / 1000).toFixed(6));
    expect(amount('telephony')).toBe((Number(run['duration_ms']) / 10_000).toFixed(6));
    expect(Number(cost.total)).toBeCloseTo(Number(amount('stt')) + Number(amount('telephony')), 6);
    const spent = (await server.request('GET', '/api/v1/usage', undefined, tenant)).json['cost'];
    expect(spent).toEqual({ currency: 'USD', total: cost.total, partly_priced_runs: 0 });
  });

  it('its events tell the call in order', async () => {
    const tenant = await server.createTenant();
    const agent = await server.createAgent({ tenant, settings: { turn: { interruption: { enabled: false } } } });
    const carrier = await placeStream(server, server.streamUrl(agent.uuid), { tenant });
    await waitUntil('the greeting to be heard', async () => {
      const [run] = await server.runsOf(agent);
      return run !== undefined && (await server.eventsOf(run)).some(({ type }) => type === 'agent-said');
    });
    carrier.send({ event: 'dtmf', dtmf: { digit: '5' } }, stop);
    const run = await server.endedRun(agent);
    const { json } = await server.request('GET', `/api/v1/runs/${run.id}/events`, undefined, tenant);
    const events = json['items'] as readonly { seq: number; at_ms: number; type: string }[];
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
    expect(events.map(({ at_ms: atMs }) => atMs)).toEqual(events.map(({ at_ms: atMs }) => atMs).toSorted((left, right) => left - right));
    const told = ['session-validated', 'call-answered', 'node-entered', 'reply-started', 'agent-said', 'dtmf-received', 'run-ended'];
    expect(events.map(({ type }) => type).filter((type) => told.includes(type))).toEqual(told);
  });
});

describe('a run is visible while its call lives', () => {
  it('from before the handshake to its end', async () => {
    const tenant = await server.createTenant();
    const agent = await server.createAgent({ tenant });
    const carrier = await openCarrier(server.streamUrl(agent.uuid));
    server.cloudonix.addSession(tenant.domain, carrier.session);
    const listed = async (state: string) => {
      await server.waitForRun(agent, (run) => run.state === state);
      const { json } = await server.request('GET', `/api/v1/runs?agent_uuid=${agent.uuid}&state=${state}`, undefined, tenant);
      return (json['items'] as readonly RunJson[]).map(({ end_reason: endReason, answered_at: answeredAt }) => ({ endReason, isAnswered: answeredAt !== null }));
    };
    expect(await listed('initialized')).toEqual([{ endReason: null, isAnswered: false }]);
    carrier.send(connected, startMessage(carrier.session, tenant.domain));
    expect(await listed('running')).toEqual([{ endReason: null, isAnswered: true }]);
    const stranger = await server.createTenant();
    expect((await server.request('GET', '/api/v1/runs', undefined, stranger)).json['items']).toEqual([]);
    carrier.send(stop);
    expect(await listed('completed')).toEqual([{ endReason: 'caller_hangup', isAnswered: true }]);
  });

  it('with the version that was published when it began', async () => {
    const tenant = await server.createTenant();
    const agent = await server.createAgent({ tenant });
    const first = await placeStream(server, server.streamUrl(agent.uuid), { tenant });
    await first.heard();
    const { nodes, edges } = defaultDocument;
    const workflow = { nodes: nodes.map((node) => (node.id === 'start' ? { ...node, data: { ...node.data, name: 'New reception' } } : node)), edges };
    const draft = { workflow_definition: workflow, settings: { models: { stt: { vendor: 'builtin' }, llm: { vendor: 'builtin' }, tts: { vendor: 'builtin' } } } };
    expect((await server.request('PUT', `/api/v1/agents/${agent.uuid}/draft`, draft, tenant)).status).toBe(200);
    expect((await server.request('POST', `/api/v1/agents/${agent.uuid}/publish`, {}, tenant)).status).toBe(200);
    first.send(stop);
    expect(await server.endedRun(agent)).toMatchObject({ agentVersion: 1, gatheredContext: { nodes_visited: ['Reception'] } });
    const { run } = await holdCall({ tenant }, agent);
    expect(run).toMatchObject({ agent_version: 2, gathered_context: { nodes_visited: ['New reception'] }, logs: { inbound_webhook: { agent_version: 2 } } });
  });
});

describe('where the domain is named', () => {
  const shortName = (domain: string) => domain.replace('.cloudonix.net', '');
  it.each<[string, (domain: string) => CallCase]>([
    ['in the URL, in full', (domain) => ({ url: { query: `Domain=${domain}` }, start: { accountSid: undefined } })],
    ['in the URL, short, query form', (domain) => ({ url: { form: 'query', query: `Domain=${shortName(domain)}` }, start: { accountSid: undefined } })],
    ['in the URL, against start', (domain) => ({ url: { query: `Domain=${domain}` }, start: { accountSid: 'elsewhere.cloudonix.net' } })],
    ['in the URL, in upper case with spaces and a dot', (domain) => ({ url: { query: `Domain=%20${domain.toUpperCase()}.%20` }, start: { accountSid: undefined } })],
    ['in start, short', (domain) => ({ start: { accountSid: shortName(domain) } })],
    ['in start, in upper case', (domain) => ({ start: { accountSid: domain.toUpperCase() } })],
    ['in start, with a trailing dot', (domain) => ({ start: { accountSid: `${domain}.` } })],
    ['in the custom parameters', (domain) => ({ start: { accountSid: undefined, customParameters: { Domain: domain } } })],
  ])('%s, it is the same configuration', async (_name, caseOf) => {
    const tenant = await server.createTenant();
    const { run } = await holdCall({ tenant, ...caseOf(tenant.domain) });
    expect(run).toMatchObject({ telephony_config_id: tenant.config.id, logs: { inbound_webhook: { domain: tenant.domain } } });
  });
});

describe('where the numbers and ids are named', () => {
  it.each<[string, CallCase, Readonly<Record<string, unknown>>]>([
    ['a raw plus in the URL', { url: { query: 'from=+15551230001&to=+15551230002' } }, { caller_number: '+15551230001', called_number: '+15551230002' }],
    ['an encoded plus', { url: { form: 'query', query: 'from=%2B15551230001&to=%2B15551230002' } }, { caller_number: '+15551230001', called_number: '+15551230002' }],
    ['only start', {}, { caller_number: '+12025550143', called_number: '+12025550199' }],
    [
      'only the custom parameters',
      { start: { from: undefined, to: undefined, customParameters: { from: '+15551230003', to: '+15551230004' } } },
      { caller_number: '+15551230003', called_number: '+15551230004' },
    ],
    ['nowhere', { start: { from: undefined, to: undefined } }, { caller_number: null, called_number: null }],
    ['a withheld number', { url: { query: 'from=anonymous' } }, { caller_number: 'anonymous' }],
    ['a number that is none', { start: { from: '+0', to: 911 } }, { caller_number: '+0', called_number: '911' }],
    ['an outbound call', { start: { context: 'outbound-api' } }, { direction: 'outbound' }],
    [
      'hostile text',
      { start: { from: '\u001b[31m+1\r\nX: y\u202e \ud83d\u0000', to: 'Zoë 📞 شركة' }, url: { query: `note=${encodeURIComponent('\u001b[2Ja\u0000b')}` } },
      { caller_number: '+1X: y', called_number: 'Zoë 📞 شركة', note: 'ab' },
    ],
  ])('%s', async (_name, callCase, expected) => {
    expect((await holdCall(callCase)).run.initial_context).toMatchObject(expected);
  });

  it.each<[string, string, (session: string) => string]>([
    ['callId', 'callId=from-the-url', () => 'from-the-url'],
    ['CallSid', 'CallSid=CA-7', () => 'CA-7'],
    ['callId before CallSid', 'CallSid=CA-7&callId=mine', () => 'mine'],
    ['an empty callId', 'callId=&CallSid=', (session) => session],
    ['neither', 'x=y', (session) => session],
  ])('call_id: %s', async (_name, query, expected) => {
    const { run, carrier } = await holdCall({ url: { form: 'query', query } });
    expect(run.gathered_context).toMatchObject({ call_id: expected(carrier.session), session: carrier.session });
    // Never the caller's own id: Cloudonix was asked about the session.
    expect(server.cloudonix.requests.findLast(({ operation }) => operation === 'get-session')?.path).toContain(carrier.session);
  });
});

describe('call variables', () => {
  const builtIn = ['provider', 'direction', 'caller_number', 'called_number', 'agent_uuid', 'session', 'call_id'];

  it('never overwrite built-in ones, nor reach a prototype', async () => {
    const query = [...builtIn.filter((name) => name !== 'provider'), '__proto__', 'constructor', 'prototype'].map((name) => `${name}=evil`).join('&');
    const custom = JSON.parse(`{${builtIn.map((name) => `"${name}":"evil"`).join(',')},"__proto__":{"polluted":"evil"},"constructor":"evil"}`) as Record<string, unknown>;
    const { run, agent } = await holdCall({ url: { query }, start: { customParameters: { ...custom, kept: 'yes' } }, variables: { company: 'Acme' } });
    expect(run.initial_context).toEqual({
      ...{ company: 'Acme', kept: 'yes', provider: 'cloudonix', direction: 'inbound', agent_uuid: agent.uuid },
      ...{ caller_number: '+12025550143', called_number: '+12025550199' },
    });
    expect(JSON.stringify(run)).not.toContain('evil');
    expect(Object.prototype).not.toHaveProperty('polluted');
  });

  it('of the URL come before custom parameters, which come before the agent’s own; values that are no text become JSON', async () => {
    const { run } = await holdCall({
      url: { query: 'a=url' },
      start: { customParameters: { a: 'custom', b: 'custom', number: 7, list: [1, 2], gone: null } },
      variables: { a: 'agent', b: 'agent', c: 'agent', gone: 'agent' },
    });
    expect(run.initial_context).toMatchObject({ a: 'url', b: 'custom', c: 'agent', number: '7', list: '[1,2]', gone: 'agent' });
  });

  it('are bounded in number and size', async () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`name-${index}`, 'x'.repeat(100)]));
    const { run } = await holdCall({ start: { customParameters: many } });
    expect(Object.keys(run.initial_context).length).toBeLessThanOrEqual(64 + 5);
    expect(run.logs.inbound_webhook['custom_parameters_dropped']).toBeGreaterThan(400);
  });
});

describe('stream tokens', () => {
  const streamToken = async (agent: Agent, tenant: CallTenant, overlapSeconds: number) =>
    String((await server.request('POST', `/api/v1/agents/${agent.uuid}/stream-token`, { overlap_seconds: overlapSeconds }, tenant)).json['stream_token']);
  const refused = async (agent: Agent, url: StreamUrlOptions) => {
    const carrier = await openCarrier(server.streamUrl(agent.uuid, url));
    expect(await carrier.closed).toEqual({ code: 1008, reason: 'Agent not found' });
  };

  it.each(['path', 'query'] as const)('are taken in the %s form; a rotated one during its overlap, and no longer', async (form) => {
    const tenant = await server.createTenant();
    const agent = await server.createAgent({ tenant });
    const first = await streamToken(agent, tenant, 0);
    expect(first).toMatch(/^[A-Za-z0-9_-]{22,}$/);
    await holdCall({ tenant, url: { form, token: first } }, agent);
    await refused(agent, { form });

    const second = await streamToken(agent, tenant, 60);
    await holdCall({ tenant, url: { form, token: first } }, agent);
    await holdCall({ tenant, url: { form, token: second } }, agent);

    const third = await streamToken(agent, tenant, 0);
    await refused(agent, { form, token: first });
    await refused(agent, { form, token: second });
    await holdCall({ tenant, url: { form, token: third } }, agent);

    expect((await server.request('DELETE', `/api/v1/agents/${agent.uuid}/stream-token`, undefined, tenant)).status).toBe(204);
    await holdCall({ tenant, url: { form } }, agent);
    for (const token of [first, second, third]) expect(server.logLines.join('')).not.toContain(token);
  });
});
