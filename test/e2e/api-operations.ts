import { expect } from 'vitest';
import { encodeWav } from '../../src/audio/wav.js';
import { anyList, anyText, finaliseRun, mintRun, type ApiAnswer, type ApiTest } from './api-harness.js';

/** Marks that must never come back in an answer, nor stand in a log line. */
export const secrets = {
  bearerToken: 'XI-canary-bearer-token-8812',
  requestsKey: 'canary-requests-key-9913',
  vendorKey: 'dg-canary-vendor-key-7714',
  toolToken: 'canary-tool-token-5521',
  clientSecret: 'canary-client-secret-3317',
};

/** Ids that exist, by the name of the path parameter in the OpenAPI document. */
export interface World {
  readonly agentUuid: string;
  readonly draftAgentUuid: string;
  readonly runId: string;
  readonly liveRunId: string;
  readonly telephonyConfigId: string;
  readonly vendorCredentialId: string;
  /** Its base URL leads inside, which the API would not have taken. */
  readonly insideCredentialId: string;
  readonly credentialUuid: string;
  readonly toolUuid: string;
  readonly apiKeyId: string;
  readonly webhookEndpointId: string;
  readonly webhookDeliveryId: string;
  readonly documentUuid: string;
  readonly clipUuid: string;
  readonly chatId: string;
  readonly userId: string;
}

/** One operation of the API, as it is called rightly. */
export interface Operation {
  /** As in the OpenAPI document: `GET /api/v1/agents/{uuid}`. */
  readonly id: string;
  readonly path: (world: World) => string;
  readonly body?: unknown;
  /** A body that is no JSON of ours. */
  readonly file?: { readonly content: string; readonly type: string };
  readonly status: number;
  readonly check?: (answer: ApiAnswer, api: ApiTest) => void | Promise<void>;
  /** Takes any JSON object: an unknown field is reported, not refused. */
  readonly takesAnyObject?: boolean;
  /** Needs no key. */
  readonly isPublic?: boolean;
}

const isPage = (answer: ApiAnswer) => {
  expect(answer.json.items).toBeInstanceOf(Array);
  expect(answer.json).toHaveProperty('next_cursor');
};

const operation = (id: string, status: number, rest: Partial<Operation> = {}): Operation => ({
  id,
  status,
  path: () => id.split(' ')[1] ?? '',
  ...rest,
});

/** A WAV file of 8 kHz and 8 bits, each byte of which is a character of ASCII: so many samples up to 91. */
function asciiWav(samples: number): string {
  const header = encodeWav({ sampleRateHz: 8000, channels: [new Int16Array(0)] });
  header.writeUInt16LE(8, 34);
  header.writeUInt32LE(8000, 28);
  header.writeUInt16LE(1, 32);
  header.writeUInt32LE(36 + samples, 4);
  header.writeUInt32LE(samples, 40);
  return header.toString('latin1') + '@'.repeat(samples);
}

const agent = (suffix: string) => (world: World) => `/api/v1/agents/${world.agentUuid}${suffix}`;
const run = (suffix: string) => (world: World) => `/api/v1/runs/${world.runId}${suffix}`;
const liveRun = (suffix: string) => (world: World) => `/api/v1/runs/${world.liveRunId}${suffix}`;
const webhookEndpoint = (suffix: string) => (world: World) => `/api/v1/webhook-endpoints/${world.webhookEndpointId}${suffix}`;
const tool = (suffix: string) => (world: World) => `/api/v1/tools/${world.toolUuid}${suffix}`;
const credential = (world: World) => `/api/v1/credentials/${world.credentialUuid}`;
const telephonyConfig = (suffix: string) => (world: World) => `/api/v1/telephony-configs/${world.telephonyConfigId}${suffix}`;

/** Every operation that needs a key, in an order in which each finds what it needs. */
export const operations: readonly Operation[] = [
  operation('POST /api/v1/agents', 201, {
    body: { name: 'Another' },
    check: ({ json, headers }) => {
      expect(json).toMatchObject({ name: 'Another', status: 'active', published_version: 1, draft_version: null, requires_stream_token: false });
      expect(headers.get('location')).toBe(`/api/v1/agents/${String(json['uuid'])}`);
    },
  }),
  operation('GET /api/v1/agents', 200, { check: isPage }),
  operation('POST /api/v1/agents/validate', 200, {
    body: { workflow_definition: { nodes: [], edges: [] } },
    check: ({ json }) => expect(json).toMatchObject({ valid: false, errors: [{ message: anyText }] }),
  }),
  operation('POST /api/v1/agents/import', 201, {
    body: { name: 'Imported', workflow_definition: { nodes: [{ id: 's', type: 'startCall', data: { name: 'S', prompt: 'P', mood: 'calm' } }], edges: [] } },
    takesAnyObject: true,
    check: ({ json, headers }) => {
      expect(json).toMatchObject({ agent: { name: 'Imported', published_version: 1 }, problems: [], dropped: [{ path: 'nodes.0.data.mood', element_id: 's', value_kind: 'string' }] });
      expect(headers.get('location')).toMatch(/^\/api\/v1\/agents\//);
    },
  }),
  operation('GET /api/v1/agents/{uuid}/export', 200, {
    path: agent('/export'),
    check: ({ json }) => expect(json).toMatchObject({ agent_stream_export: 1, name: 'First', workflow_definition: { nodes: anyList }, settings: {} }),
  }),
  operation('GET /api/v1/agents/{uuid}', 200, {
    path: agent(''),
    check: ({ json }) => expect(json).toMatchObject({ name: 'First', version: 1, workflow_definition: { nodes: anyList } }),
  }),
  operation('PATCH /api/v1/agents/{uuid}', 200, {
    path: agent(''),
    body: { name: 'Renamed' },
    check: ({ json }) => expect(json['name']).toBe('Renamed'),
  }),
  operation('POST /api/v1/agents/{uuid}/archive', 200, { path: agent('/archive'), check: ({ json }) => expect(json['status']).toBe('archived') }),
  operation('POST /api/v1/agents/{uuid}/unarchive', 200, {
    path: agent('/unarchive'),
    body: {},
    check: ({ json }) => expect(json['status']).toBe('active'),
  }),
  operation('POST /api/v1/agents/{uuid}/duplicate', 201, {
    path: agent('/duplicate'),
    check: ({ json }) => expect(json['name']).toBe('Renamed (copy)'),
  }),
  operation('PUT /api/v1/agents/{uuid}/draft', 200, {
    path: agent('/draft'),
    body: { template_context_variables: { company: 'Acme' } },
    check: ({ json }) => expect(json).toMatchObject({ version: 2, status: 'draft', errors: [], template_context_variables: { company: 'Acme' } }),
  }),
  operation('POST /api/v1/agents/{uuid}/publish', 200, {
    path: agent('/publish'),
    body: {},
    check: ({ json }) => expect(json).toMatchObject({ version: 2, status: 'published', published_at: anyText }),
  }),
  operation('GET /api/v1/agents/{uuid}/versions', 200, {
    path: agent('/versions'),
    check: ({ json }) => expect(json.items?.map(({ version, status }) => [version, status])).toEqual([[2, 'published'], [1, 'archived']]),
  }),
  operation('GET /api/v1/agents/{uuid}/versions/{version}', 200, {
    path: agent('/versions/1'),
    check: ({ json }) => expect(json).toMatchObject({ version: 1, status: 'archived' }),
  }),
  operation('POST /api/v1/agents/{uuid}/versions/{version}/restore', 200, {
    path: agent('/versions/1/restore'),
    check: ({ json }) => expect(json).toMatchObject({ version: 3, status: 'draft', template_context_variables: {} }),
  }),
  operation('GET /api/v1/agents/{uuid}/stream-url', 200, {
    path: agent('/stream-url?provider=cloudonix'),
    check: ({ json }, { url }) => {
      const origin = url.replace('http', 'ws');
      expect(json['url']).toMatch(new RegExp(`^${origin}/api/v1/agent-stream/cloudonix/[0-9a-f-]{36}$`));
      expect(JSON.stringify(json['snippets'])).toContain('Hangup');
    },
  }),
  operation('POST /api/v1/agents/{uuid}/stream-token', 200, {
    path: agent('/stream-token'),
    check: ({ json, headers }) => {
      expect(String(json['stream_token']).length).toBeGreaterThanOrEqual(22);
      expect(json['url']).toContain(`/${String(json['stream_token'])}`);
      expect(headers.get('cache-control')).toBe('no-store');
    },
  }),
  operation('DELETE /api/v1/agents/{uuid}/stream-token', 204, { path: agent('/stream-token') }),
  operation('GET /api/v1/telephony-providers', 200, {
    check: ({ json }) =>
      expect(json.items?.[0]).toMatchObject({
        name: 'cloudonix',
        capabilities: { transfer_cold: true },
        credentials_schema: { properties: { bearer_token: { secret: true } } },
      }),
  }),
  operation('POST /api/v1/telephony-configs', 201, {
    body: { name: 'Spare', provider: 'cloudonix', credentials: { domain_id: 'Spare.' } },
    check: ({ json }) => expect(json).toMatchObject({ account: 'spare.cloudonix.net', credentials: { domain_id: 'Spare.' } }),
  }),
  operation('GET /api/v1/telephony-configs', 200, { check: isPage }),
  operation('GET /api/v1/telephony-configs/{id}', 200, {
    path: telephonyConfig(''),
    check: ({ json }) => expect(json['credentials']).toEqual({ domain_id: 'acme', bearer_token: '****8812', requests_key: '****9913' }),
  }),
  operation('PATCH /api/v1/telephony-configs/{id}', 200, {
    path: telephonyConfig(''),
    body: { name: 'Main', credentials: { bearer_token: '****8812' } },
    check: ({ json }) => expect(json).toMatchObject({ name: 'Main', credentials: { bearer_token: '****8812' } }),
  }),
  operation('POST /api/v1/telephony-configs/{id}/test', 200, {
    path: telephonyConfig('/test'),
    check: ({ json }) => expect(json).toEqual({ ok: true, message: 'The domain answered.', code: null }),
  }),
  operation('GET /api/v1/runs', 200, { check: isPage }),
  operation('GET /api/v1/runs/{id}', 200, { path: run(''), check: ({ json }) => expect(json['state']).toBe('completed') }),
  operation('GET /api/v1/runs/{id}/events', 200, { path: run('/events'), check: ({ json }) => expect(json.items).toHaveLength(3) }),
  operation('GET /api/v1/runs/{id}/transcript', 200, {
    path: run('/transcript'),
    check: ({ json }) =>
      expect(json.items).toEqual([
        { turn_id: 1, role: 'caller', text: 'Hello', start_ms: 100, end_ms: 600 },
        { turn_id: 1, role: 'agent', text: 'Good', start_ms: 900, end_ms: 1100, interrupted: true },
      ]),
  }),
  operation('GET /api/v1/runs/{id}/recording', 200, {
    path: run('/recording'),
    check: ({ text, headers }) => {
      expect(text).toBe('RIFF0123456789');
      expect(headers.get('content-type')).toBe('audio/wav');
    },
  }),
  operation('POST /api/v1/runs/{id}/hangup', 202, {
    path: liveRun('/hangup'),
    check: ({ json }, { commands }) => {
      expect(json['command']).toBe('hangup');
      expect(commands.at(-1)?.command).toEqual({ type: 'hangup' });
    },
  }),
  operation('POST /api/v1/runs/{id}/transfer', 202, {
    path: liveRun('/transfer'),
    body: { destination: '+15551234567' },
    check: (_answer, { commands }) => expect(commands.at(-1)?.command).toEqual({ type: 'transfer', destination: '+15551234567' }),
  }),
  operation('POST /api/v1/runs/{id}/say', 202, {
    path: liveRun('/say'),
    body: { text: 'One moment' },
    check: (_answer, { commands }) => expect(commands.at(-1)?.command).toEqual({ type: 'say', text: 'One moment' }),
  }),
  operation('GET /api/v1/refusals', 200, {
    check: ({ json }) => expect(json.items?.[0]).toMatchObject({ close_code: 1008, reason: 'Quota exceeded', at: anyText }),
  }),
  operation('GET /api/v1/users', 200, { check: ({ json }) => expect(json.items?.map((user) => user['email'])).toEqual(['alice@example.com']) }),
  operation('GET /api/v1/users/{id}/quota', 200, {
    path: (world) => `/api/v1/users/${world.userId}/quota`,
    check: ({ json }) => expect(json).toMatchObject({ period: 'month', minutes: null, runs: null, usage: { runs: 2 } }),
  }),
  operation('PUT /api/v1/users/{id}/quota', 200, {
    path: (world) => `/api/v1/users/${world.userId}/quota`,
    body: { period: 'day', minutes: 120, runs: null },
    check: ({ json }) => expect(json).toMatchObject({ period: 'day', minutes: 120, runs: null }),
  }),
  operation('GET /api/v1/organization/limits', 200, { check: ({ json }) => expect(json['concurrent_calls']).toBeGreaterThan(0) }),
  operation('PUT /api/v1/organization/limits', 200, {
    body: { concurrent_calls: 7, default_models: { stt: { vendor: 'builtin' } } },
    check: ({ json }) => expect(json).toEqual({ concurrent_calls: 7, default_models: { stt: { vendor: 'builtin' } } }),
  }),
  operation('GET /api/v1/usage', 200, { check: ({ json }) => expect(json).toMatchObject({ runs: 2, live_calls: 1, cost: { currency: 'USD', total: anyText, partly_priced_runs: 0 } }) }),
  operation('GET /api/v1/organization/prices', 200, {
    check: ({ json }) => expect(json).toMatchObject({ currency: 'USD', prices: [], updated_at: null, list: { version: anyText, prices: anyList } }),
  }),
  operation('PUT /api/v1/organization/prices', 200, {
    body: { prices: [{ leg: 'telephony', vendor: 'cloudonix', unit: 'second', price: '0.01', per: 60 }] },
    check: ({ json }) => expect(json).toMatchObject({ prices: [{ model: '*', price: '0.01', per: 60 }], updated_at: anyText }),
  }),
  operation('POST /api/v1/api-keys', 201, {
    body: { name: 'CI' },
    check: ({ json }) => expect(String(json['key']).startsWith(String(json['prefix']))).toBe(true),
  }),
  operation('GET /api/v1/api-keys', 200, { check: ({ json }) => expect(json.items?.every((key) => !('key' in key))).toBe(true) }),
  operation('DELETE /api/v1/api-keys/{id}', 204, { path: (world) => `/api/v1/api-keys/${world.apiKeyId}` }),
  operation('POST /api/v1/vendor-credentials', 201, {
    body: { vendor: 'deepgram', name: 'Another', api_key: 'dg-0123456789-wxyz' },
    check: ({ json }) => expect(json).toMatchObject({ vendor: 'deepgram', api_key: '****wxyz', base_url: null }),
  }),
  operation('GET /api/v1/vendor-credentials', 200, { check: isPage }),
  operation('PATCH /api/v1/vendor-credentials/{id}', 200, {
    path: (world) => `/api/v1/vendor-credentials/${world.vendorCredentialId}`,
    body: { name: 'Renamed' },
    check: ({ json }) => expect(json).toMatchObject({ name: 'Renamed', vendor: 'deepgram' }),
  }),
  operation('POST /api/v1/vendor-credentials/{id}/test', 200, {
    path: (world) => `/api/v1/vendor-credentials/${world.insideCredentialId}/test`,
    check: ({ json }) =>
      expect(json['legs']).toEqual(
        ['stt', 'tts'].map((leg) => ({ leg, ok: false, time_to_first_byte_ms: null, model: anyText, code: 'egress-refused', message: anyText })),
      ),
  }),
  operation('DELETE /api/v1/vendor-credentials/{id}', 204, { path: (world) => `/api/v1/vendor-credentials/${world.vendorCredentialId}` }),
  operation('POST /api/v1/credentials', 201, {
    body: { name: 'Calendar', credential: { type: 'basic', username: 'desk', password: secrets.clientSecret } },
    check: ({ json, headers }) => {
      expect(json).toMatchObject({ name: 'Calendar', credential: { type: 'basic', username: 'desk', password: '****3317' } });
      expect(headers.get('location')).toBe(`/api/v1/credentials/${String(json['uuid'])}`);
    },
  }),
  operation('GET /api/v1/credentials', 200, { check: ({ json }) => expect(json.items?.map(({ name }) => name)).toEqual(['CRM', 'Calendar']) }),
  operation('GET /api/v1/credentials/{uuid}', 200, {
    path: credential,
    check: ({ json }) => expect(json['credential']).toEqual({ type: 'custom_headers', headers: { 'X-Client': '****', 'X-Secret': '****3317' } }),
  }),
  operation('PATCH /api/v1/credentials/{uuid}', 200, {
    path: credential,
    body: { name: 'CRM of sales', credential: { type: 'custom_headers', headers: { 'X-Secret': '****3317' } } },
    check: ({ json }) => expect(json).toMatchObject({ name: 'CRM of sales', credential: { headers: { 'X-Secret': '****3317' } } }),
  }),
  operation('DELETE /api/v1/credentials/{uuid}', 204, { path: credential }),
  operation('POST /api/v1/documents', 201, {
    path: () => '/api/v1/documents?name=notes.md&mode=full',
    file: { content: '# Notes\nThe door code is on the wall.', type: 'text/markdown' },
    check: ({ json, headers }) => {
      expect(json).toMatchObject({ name: 'notes.md', mime_type: 'text/markdown', mode: 'full', size_bytes: 37, text_length: 29, chunk_count: 1 });
      expect(headers.get('location')).toBe(`/api/v1/documents/${String(json['uuid'])}`);
    },
  }),
  operation('GET /api/v1/documents', 200, { check: ({ json }) => expect(json.items?.map(({ name }) => name)).toEqual(['notes.md', 'Handbook.txt']) }),
  operation('GET /api/v1/documents/{uuid}', 200, {
    path: (world) => `/api/v1/documents/${world.documentUuid}`,
    check: ({ json }) => expect(json).toMatchObject({ name: 'Handbook.txt', chunks: [{ position: 0, heading: ['Hours'], page: 2, text: 'Open from nine to five.' }] }),
  }),
  operation('POST /api/v1/documents/search', 200, {
    body: { query: 'When are you open?' },
    check: ({ json }) => expect(json.items).toMatchObject([{ document_name: 'Handbook.txt', page: 2, position: 0, text: 'Open from nine to five.' }]),
  }),
  operation('POST /api/v1/documents/embed', 422, { check: ({ json }) => expect(json['errors']).toMatchObject([{ path: 'default_models.embeddings' }]) }),
  operation('DELETE /api/v1/documents/{uuid}', 204, { path: (world) => `/api/v1/documents/${world.documentUuid}` }),
  operation('POST /api/v1/audio-clips', 201, {
    path: () => '/api/v1/audio-clips?name=Jingle&transcript=Ding%20dong',
    file: { content: asciiWav(80), type: 'audio/wav' },
    check: ({ json, headers }) => {
      expect(json).toMatchObject({ uuid: anyText, name: 'Jingle', transcript: 'Ding dong', duration_ms: 10, created_at: anyText });
      expect(headers.get('location')).toBe(`/api/v1/audio-clips/${String(json['uuid'])}`);
    },
  }),
  operation('GET /api/v1/audio-clips', 200, { check: ({ json }) => expect(json.items?.map(({ name }) => name)).toEqual(['Jingle', 'Welcome']) }),
  operation('GET /api/v1/audio-clips/{uuid}', 200, {
    path: (world) => `/api/v1/audio-clips/${world.clipUuid}`,
    check: ({ json }) => expect(json).toMatchObject({ name: 'Welcome', transcript: 'Welcome.', duration_ms: 20 }),
  }),
  operation('GET /api/v1/audio-clips/{uuid}/audio', 200, {
    path: (world) => `/api/v1/audio-clips/${world.clipUuid}/audio`,
    check: ({ text, headers }) => {
      expect(headers.get('content-type')).toBe('audio/wav');
      expect(text).toMatch(/^RIFF[^]*WAVEfmt [^]*data[^]{4}U{160}$/);
    },
  }),
  operation('DELETE /api/v1/audio-clips/{uuid}', 204, { path: (world) => `/api/v1/audio-clips/${world.clipUuid}` }),
  operation('POST /api/v1/tools', 201, {
    body: { name: 'Add Up', description: 'Adds.', kind: 'calculator', filler: { text: 'Let me see.' } },
    check: ({ json, headers }) => {
      expect(json).toMatchObject({ function_name: 'add_up', kind: 'calculator', config: {}, filler: { text: 'Let me see.', after_ms: 700 }, credential: null, credential_uuid: null });
      expect(headers.get('location')).toBe(`/api/v1/tools/${String(json['uuid'])}`);
    },
  }),
  operation('GET /api/v1/tools', 200, { check: isPage }),
  operation('GET /api/v1/tools/{uuid}', 200, {
    path: tool(''),
    check: ({ json }) => expect(json).toMatchObject({ name: 'Find order', credential: { type: 'bearer', token: '****5521' } }),
  }),
  operation('PATCH /api/v1/tools/{uuid}', 200, {
    path: tool(''),
    body: { description: 'Finds an order.', credential: { type: 'bearer', token: '****5521' } },
    check: ({ json }) => expect(json).toMatchObject({ description: 'Finds an order.', credential: { token: '****5521' } }),
  }),
  operation('POST /api/v1/tools/{uuid}/test', 200, {
    path: tool('/test'),
    body: { arguments: {} },
    check: ({ json }) => expect(json).toMatchObject({ status: 'error', error: '"order" is missing' }),
  }),
  operation('DELETE /api/v1/tools/{uuid}', 204, { path: tool('') }),
  operation('POST /api/v1/webhook-endpoints', 201, {
    body: { url: 'https://hooks.example.com/b', events: ['run.failed'], description: 'Alarms', enabled: false },
    check: ({ json, headers }) => {
      expect(json).toMatchObject({ url: 'https://hooks.example.com/b', events: ['run.failed'], description: 'Alarms', enabled: false, disabled_reason: null });
      expect(json['secret']).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
      expect(headers.get('cache-control')).toBe('no-store');
    },
  }),
  operation('GET /api/v1/webhook-endpoints', 200, {
    check: ({ json }) => {
      expect(json.items).toHaveLength(2);
      expect(json.items?.every((endpoint) => !('secret' in endpoint))).toBe(true);
    },
  }),
  operation('GET /api/v1/webhook-endpoints/{id}', 200, {
    path: webhookEndpoint(''),
    check: ({ json }) => expect(json).toMatchObject({ enabled: true, events: ['run.started', 'run.ended', 'run.failed', 'run.transferred', 'run.analysed'] }),
  }),
  operation('PATCH /api/v1/webhook-endpoints/{id}', 200, {
    path: webhookEndpoint(''),
    body: { description: 'Main' },
    check: ({ json }) => expect(json).toMatchObject({ description: 'Main', url: 'https://hooks.example.com/a', enabled: true }),
  }),
  operation('POST /api/v1/webhook-endpoints/{id}/rotate-secret', 200, {
    path: webhookEndpoint('/rotate-secret'),
    body: {},
    check: ({ json }) => expect(json).toMatchObject({ secret: anyText, former_secret_expires_at: anyText }),
  }),
  operation('POST /api/v1/webhook-endpoints/{id}/test', 202, {
    path: webhookEndpoint('/test'),
    check: ({ json }) => expect(json).toMatchObject({ event_type: 'endpoint.test', status: 'pending', run_id: null, attempts: 0 }),
  }),
  operation('GET /api/v1/webhook-endpoints/{id}/deliveries', 200, {
    path: webhookEndpoint('/deliveries'),
    check: ({ json }) => expect(json.items?.map((delivery) => delivery['event_type'])).toEqual(['endpoint.test', 'run.ended']),
  }),
  operation('POST /api/v1/webhook-endpoints/{id}/deliveries/{delivery_id}/resend', 202, {
    path: (world) => webhookEndpoint(`/deliveries/${world.webhookDeliveryId}/resend`)(world),
    check: ({ json }) => expect(json).toMatchObject({ event_type: 'run.ended', status: 'pending', next_attempt_at: anyText }),
  }),
  operation('GET /api/v1/webhook-deliveries', 200, { check: isPage }),
  operation('DELETE /api/v1/webhook-endpoints/{id}', 204, { path: webhookEndpoint('') }),
  operation('POST /api/v1/agents/{uuid}/chats', 201, {
    path: agent('/chats'),
    body: { variables: { name: 'Ann' }, dry_tools: true },
    check: ({ json }) => expect(json).toMatchObject({ dry_tools: true, turn_count: 1, end_reason: null, turns: [{ number: 0, input: null }] }),
  }),
  operation('GET /api/v1/agents/{uuid}/chats', 200, { path: agent('/chats'), check: isPage }),
  operation('GET /api/v1/agents/{uuid}/chats/{id}', 200, { path: (world) => agent(`/chats/${world.chatId}`)(world) }),
  operation('POST /api/v1/agents/{uuid}/chats/{id}/turns', 200, {
    path: (world) => agent(`/chats/${world.chatId}/turns`)(world),
    body: { say: 'Hello' },
    check: ({ json }) => expect(json).toMatchObject({ turn_count: 2, turn: { number: 1, input: { say: 'Hello' } } }),
  }),
  operation('PUT /api/v1/agents/{uuid}/chats/{id}/turns/{number}', 200, {
    path: (world) => agent(`/chats/${world.chatId}/turns/1`)(world),
    body: { silence: true },
    check: ({ json }) => expect(json).toMatchObject({ turn_count: 2, turns: [{ number: 0 }, { number: 1, input: { silence: true } }] }),
  }),
  operation('DELETE /api/v1/agents/{uuid}/chats/{id}', 204, { path: (world) => agent(`/chats/${world.chatId}`)(world) }),
  operation('DELETE /api/v1/telephony-configs/{id}', 204, { path: telephonyConfig('') }),
];

/** Operations that need no key: they are proven by a token, a provider's key or a secret path of their own. */
export const publicOperations: readonly string[] = [
  'POST /api/v1/setup',
  'POST /api/v1/telephony-callbacks/{provider}/{config_id}/{kind}',
  'POST /api/v1/telephony-callbacks/{provider}/transfer/{transfer_id}/{secret}',
];

/** Makes what alice's operations work on. */
export async function createWorld(api: ApiTest, writeRecording: (path: string, content: string) => Promise<void>): Promise<World> {
  const { store, alice } = api;
  const post = async (path: string, body: unknown): Promise<Record<string, unknown>> => (await api.request('POST', path, { body })).json;
  const agentUuid = String((await post('/api/v1/agents', { name: 'First' }))['uuid']);
  const draftAgentUuid = String((await post('/api/v1/agents', { name: 'Second' }))['uuid']);
  const credentials = { domain_id: 'acme', bearer_token: secrets.bearerToken, requests_key: secrets.requestsKey };
  const telephonyConfigId = String((await post('/api/v1/telephony-configs', { name: 'Acme', provider: 'cloudonix', credentials }))['id']);
  const vendorCredential = await post('/api/v1/vendor-credentials', { vendor: 'deepgram', name: 'Main', api_key: secrets.vendorKey });
  const inside = await store.vendorCredentials.create({
    organizationId: alice.organizationId,
    vendor: 'deepgram',
    name: 'Inside',
    apiKey: secrets.vendorKey,
    baseUrl: 'http://127.0.0.1:9',
  });
  const headers = { 'X-Client': 'us', 'X-Secret': secrets.clientSecret };
  const stored = await post('/api/v1/credentials', { name: 'CRM', credential: { type: 'custom_headers', headers } });
  const tool = await post('/api/v1/tools', {
    name: 'Find order',
    description: 'Finds.',
    kind: 'http_api',
    config: { url: 'https://shop.example.com/orders/{order}', parameters: [{ name: 'order' }] },
    credential: { type: 'bearer', token: secrets.toolToken },
  });
  const apiKey = await post('/api/v1/api-keys', { name: 'To be deleted' });
  const webhook = await post('/api/v1/webhook-endpoints', { url: 'https://hooks.example.com/a' });
  const document = await store.documents.create(
    alice.organizationId,
    { name: 'Handbook.txt', mimeType: 'text/plain', sizeBytes: 23, mode: 'retrieval', textLength: 23 },
    [{ position: 0, heading: ['Hours'], page: 2, text: 'Open from nine to five.' }],
  );
  const clip = await store.audioClips.create(alice.organizationId, { name: 'Welcome', transcript: 'Welcome.', durationMs: 20 }, new Uint8Array(160).fill(0x55));
  const run = await mintRun(store, alice, agentUuid);
  const liveRun = await mintRun(store, alice, agentUuid);
  await store.runs.appendEvents(run.id, [
    { seq: 1, atMs: 100, type: 'caller-said', data: { turn_id: 1, text: 'Hello', start_ms: 100, end_ms: 600 } },
    { seq: 2, atMs: 900, type: 'agent-said', data: { turn_id: 1, text: 'Good', start_ms: 900, end_ms: 1100, interrupted: true } },
    { seq: 4, atMs: 1100, type: 'dtmf-received', data: { digit: '5' } },
  ]);
  await writeRecording('recordings/a.wav', 'RIFF0123456789');
  await finaliseRun(store, run.id, 'recordings/a.wav');
  const [delivery] = (await store.webhookDeliveries.list(alice.organizationId, { runId: run.id })).items;
  await store.refusals.add({ organizationId: alice.organizationId, agentUuid, closeCode: 1008, reason: 'Quota exceeded' });
  return {
    agentUuid,
    draftAgentUuid,
    runId: run.id,
    liveRunId: liveRun.id,
    telephonyConfigId,
    vendorCredentialId: String(vendorCredential['id']),
    insideCredentialId: inside.id,
    credentialUuid: String(stored['uuid']),
    toolUuid: String(tool['uuid']),
    apiKeyId: String(apiKey['id']),
    webhookEndpointId: String(webhook['id']),
    webhookDeliveryId: delivery?.id ?? '',
    documentUuid: document.uuid,
    clipUuid: clip.uuid,
    chatId: String((await post(`/api/v1/agents/${agentUuid}/chats`, {}))['id']),
    userId: alice.userId,
  };
}
