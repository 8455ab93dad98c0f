import { randomUUID } from 'node:crypto';
import { vi } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.js';
import { clientFrame, opcodes, openRawStream } from '../support/raw-stream.js';
import { connected, media, openCarrier, placeStream, startMessage, stop } from '../support/stream-carrier.js';
import { waitUntil } from '../support/wait-for.js';
import { answered, endedCase, type CloseCase, type CloseStage } from './stream-close-cases.js';

/** Upgrades and sends. `messages` may need the carrier's session and the tenant's domain. */
const sending = (messages: (session: string, domain: string) => readonly unknown[]) => async ({ server, agent, tenant }: CloseStage) => {
  const carrier = await openCarrier(server.streamUrl(agent.uuid));
  server.cloudonix.addSession(tenant.domain, carrier.session);
  carrier.send(...messages(carrier.session, tenant.domain));
  return carrier;
};

/** A handshake that fails. */
const failing = (error: ErrorCode, reason: string, when: string, messages: Parameters<typeof sending>[0]): CloseCase =>
  endedCase(error, when, { code: 4400, reason }, 'handshake_error', sending(messages));

const withStart = (error: ErrorCode, reason: string, when: string, change: Readonly<Record<string, unknown>>): CloseCase =>
  failing(error, reason, when, (session, domain) => [connected, startMessage(session, domain, change)]);

const order: readonly CloseCase[] = [
  failing('expected-connected', 'Expected connected event', 'start first', (session, domain) => [startMessage(session, domain)]),
  failing('expected-connected', 'Expected connected event', 'media first', () => [media()]),
  failing('expected-connected', 'Expected connected event', 'stop first', () => [stop]),
  failing('expected-connected', 'Expected connected event', 'a key first', () => [{ event: 'dtmf', dtmf: { digit: '1' } }]),
  failing('expected-connected', 'Expected connected event', 'an event nobody knows', () => [{ event: 'hello' }]),
  failing('expected-start', 'Expected start event', 'connected twice', () => [connected, connected]),
  failing('expected-start', 'Expected start event', 'media before start', () => [connected, media()]),
  failing('expected-start', 'Expected start event', 'stop before start', () => [connected, stop]),
];

const malformedReason = 'Malformed handshake message';
const malformed: readonly CloseCase[] = [
  failing('malformed-handshake', malformedReason, 'no JSON', () => ['hello']),
  failing('malformed-handshake', malformedReason, 'truncated JSON', () => ['{"event":"connected"']),
  failing('malformed-handshake', malformedReason, 'an array', () => ['[]']),
  failing('malformed-handshake', malformedReason, 'JSON nested 10,000 deep', () => [`${'['.repeat(10_000)}${']'.repeat(10_000)}`]),
  failing('malformed-handshake', malformedReason, 'a byte order mark', () => [`\ufeff${JSON.stringify(connected)}`]),
  failing('malformed-handshake', malformedReason, 'no JSON in place of start', () => [connected, 'NaN']),
];

const metadataReason = 'Missing start metadata';
const missing: readonly CloseCase[] = [
  ...[undefined, null, [], 7, 'start'].map((start) =>
    failing('missing-start-metadata', metadataReason, `start is ${JSON.stringify(start)}`, () => [connected, { event: 'start', start }]),
  ),
  ...['session', 'callSid'].map((field) =>
    withStart('missing-stream-identifiers', 'Missing stream identifiers', `no ${field}`, { [field]: undefined }),
  ),
  failing('missing-stream-identifiers', 'Missing stream identifiers', 'no streamSid anywhere', (session, domain) => [
    connected,
    { ...startMessage(session, domain, { streamSid: undefined }), streamSid: undefined },
  ]),
  ...[7, {}, 'a b', 'a\r\nb', 'x'.repeat(300), ''].map((session) =>
    withStart('missing-stream-identifiers', 'Missing stream identifiers', `session ${JSON.stringify(session).slice(0, 20)}`, { session }),
  ),
];

const unsupportedReason = 'Unsupported media format';
const media8k = { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 };
const formats: readonly CloseCase[] = [
  { ...media8k, encoding: 'audio/opus' },
  { ...media8k, sampleRate: 16_000 },
  { ...media8k, channels: 2 },
  { ...media8k, encoding: 7 },
  'audio/x-mulaw',
].map((mediaFormat) => withStart('unsupported-media', unsupportedReason, JSON.stringify(mediaFormat), { mediaFormat }));

const domains: readonly CloseCase[] = [
  withStart('missing-domain', 'Missing Domain', 'in neither URL nor start', { accountSid: undefined }),
  withStart('missing-domain', 'Missing Domain', 'which is none', { accountSid: '../../etc' }),
  withStart('unknown-telephony-config', 'No matching telephony configuration', 'of an unknown domain', { accountSid: 'elsewhere.cloudonix.net' }),
  endedCase(
    'unknown-telephony-config',
    'of another organization’s domain',
    { code: 4400, reason: 'No matching telephony configuration' },
    'handshake_error',
    async ({ server, agent }) => {
      const stranger = await server.createTenant();
      return placeStream(server, server.streamUrl(agent.uuid), { tenant: stranger });
    },
  ),
  endedCase(
    'missing-bearer-token',
    'on the matching configuration',
    { code: 4400, reason: 'Telephony configuration is missing its bearer token' },
    'handshake_error',
    async (stage) => {
      const { tenant, server } = stage;
      const credentials = { domain_id: tenant.domain };
      await server.store.telephonyConfigs.update(tenant.organizationId, tenant.config.id, { credentials });
      return placeStream(server, server.streamUrl(stage.agent.uuid), { tenant });
    },
  ),
];

const invalidSession = (when: string, play: CloseCase['play']) =>
  endedCase('session-validation-failed', when, { code: 4400, reason: 'Session validation failed' }, 'handshake_error', play);

/** The fake Cloudonix answers the next two requests like this: the first and its one retry. */
const cloudonixAnswers = (when: string, behaviour: Parameters<CloseStage['server']['cloudonix']['setBehaviour']>[1][number]) =>
  invalidSession(when, async ({ server, agent, tenant }) => {
    server.cloudonix.setBehaviour('get-session', [behaviour, behaviour]);
    return placeStream(server, server.streamUrl(agent.uuid), { tenant });
  });

const sessions: readonly CloseCase[] = [
  invalidSession('Cloudonix does not know it', sending((_session, domain) => [connected, startMessage(randomUUID(), domain)])),
  invalidSession('it is over', async ({ server, agent, tenant }) => {
    const carrier = await openCarrier(server.streamUrl(agent.uuid));
    server.cloudonix.addSession(tenant.domain, carrier.session, { status: 'noanswer' });
    carrier.send(connected, startMessage(carrier.session, tenant.domain));
    return carrier;
  }),
  invalidSession('the credential is refused', async ({ server, agent, tenant }) => {
    const credentials = { domain_id: tenant.domain, bearer_token: 'XI-wrong' };
    await server.store.telephonyConfigs.update(tenant.organizationId, tenant.config.id, { credentials });
    return placeStream(server, server.streamUrl(agent.uuid), { tenant });
  }),
  cloudonixAnswers('Cloudonix fails twice', { type: 'status', status: 500 }),
  cloudonixAnswers('Cloudonix cuts the connection twice', { type: 'reset' }),
  cloudonixAnswers('Cloudonix does not answer within 3 s', { type: 'hang' }),
  cloudonixAnswers('Cloudonix answers with no JSON', { type: 'garbage' }),
];

const breaches: readonly CloseCase[] = [
  endedCase('wrong-frame-type', 'in the handshake', { code: 1003, reason: 'Binary frame on a text protocol' }, 'handshake_error', async (stage) => {
    const carrier = await openCarrier(stage.server.streamUrl(stage.agent.uuid));
    carrier.socket.send(Buffer.from(JSON.stringify(connected)), { binary: true });
    return carrier;
  }),
  endedCase('invalid-utf8', 'in the handshake', { code: 1007, reason: 'Invalid UTF-8' }, 'handshake_error', sending(() => [Buffer.from([0xff, 0xfe])])),
  endedCase('frame-too-large', 'in the handshake', { code: 1009, reason: 'Frame too large' }, 'handshake_error', sending(() => ['x'.repeat(65_537)])),
  endedCase(
    'frame-too-large',
    'start with 1 MB of custom parameters',
    { code: 1009, reason: 'Frame too large' },
    'handshake_error',
    sending((session, domain) => [connected, startMessage(session, domain, { customParameters: { note: 'x'.repeat(1_048_576) } })]),
  ),
  endedCase('stream-flood', 'in the handshake', { code: 4429, reason: 'Too many messages' }, 'handshake_error', async (stage) => {
    const carrier = await openCarrier(stage.server.streamUrl(stage.agent.uuid));
    for (let count = 0; count < 2000; count += 1) carrier.socket.ping();
    return carrier;
  }),
];

/** Frames that RFC 6455 forbids, which no WebSocket library would send. */
const protocolBreaches: readonly CloseCase[] = (
  [
    ['a frame that is not masked', clientFrame(opcodes.text, '{}', { isMasked: false })],
    ['reserved bits', clientFrame(opcodes.text, '{}', { reservedBits: 4 })],
    ['a reserved opcode', clientFrame(opcodes.reserved, '{}')],
    ['a ping of 126 bytes', clientFrame(opcodes.ping, Buffer.alloc(126))],
    ['a ping in fragments', clientFrame(opcodes.ping, 'x', { isFinal: false })],
    ['a continuation of nothing', clientFrame(opcodes.continuation, '{}')],
    ['close code 1005', clientFrame(opcodes.close, Buffer.from([0x03, 0xed]))],
    ['close code 999', clientFrame(opcodes.close, Buffer.from([0x03, 0xe7]))],
    ['close code 5000', clientFrame(opcodes.close, Buffer.from([0x13, 0x88]))],
    ['a close frame of one byte', clientFrame(opcodes.close, Buffer.from([0x03]))],
  ] as const
).map(([when, frame]) =>
  endedCase('protocol-breach', when, { code: 1002, reason: 'WebSocket protocol error' }, 'handshake_error', async ({ server, agent }) => {
    const stream = await openRawStream(server.streamUrl(agent.uuid));
    stream.write(frame);
    return stream;
  }),
);

const fragments: readonly CloseCase[] = [
  endedCase('frame-too-large', 'in 131,072 fragments', { code: 1009, reason: 'Frame too large' }, 'handshake_error', async ({ server, agent }) => {
    const stream = await openRawStream(server.streamUrl(agent.uuid));
    const next = clientFrame(opcodes.continuation, '', { isFinal: false });
    stream.write(clientFrame(opcodes.text, '{', { isFinal: false }), Buffer.alloc(131_072 * next.length, next));
    return stream;
  }),
  endedCase('frame-too-large', 'announced, not sent', { code: 1009, reason: 'Frame too large' }, 'handshake_error', async ({ server, agent }) => {
    const stream = await openRawStream(server.streamUrl(agent.uuid));
    stream.write(clientFrame(opcodes.text, Buffer.alloc(70_000, 0x20)).subarray(0, 14));
    return stream;
  }),
];

const leaving: readonly CloseCase[] = [
  endedCase(null, 'the carrier closes before its handshake', { code: 1000, reason: 'bye' }, 'handshake_error', async ({ server, agent }) => {
    const carrier = await openCarrier(server.streamUrl(agent.uuid));
    await server.waitForRun(agent, () => true);
    carrier.socket.close(1000, 'bye');
    return carrier;
  }),
  endedCase(null, 'the caller leaves while the session is validated', { code: 1000, reason: 'bye' }, 'caller_hangup', async ({ server, agent, tenant }) => {
    server.cloudonix.setBehaviour('get-session', [{ type: 'slow', delayMs: 1000 }]);
    const asked = server.cloudonix.requests.length;
    const carrier = await placeStream(server, server.streamUrl(agent.uuid), { tenant });
    await waitUntil('Cloudonix to be asked', () => server.cloudonix.requests.length > asked);
    carrier.socket.close(1000, 'bye');
    return carrier;
  }),
];

const duplicates: readonly CloseCase[] = [
  endedCase('duplicate-stream', 'a second socket for a live session', { code: 4409, reason: 'This call already has a stream' }, 'handshake_error', async (stage) => {
    const { server, agent, tenant } = stage;
    const other = await server.createAgent({ tenant });
    const first = await answered({ server, agent: other, tenant });
    const second = await openCarrier(server.streamUrl(agent.uuid), { session: first.session });
    second.send(connected, startMessage(first.session, tenant.domain));
    void second.closed.then(() => first.socket.close());
    return second;
  }),
];

const faults: readonly CloseCase[] = [
  endedCase('internal-error', 'the configuration cannot be read', { code: 1011, reason: 'Internal server error' }, 'internal_error', async (stage) => {
    vi.spyOn(stage.server.store.telephonyConfigs, 'find').mockRejectedValueOnce(new Error('the database is away'));
    return placeStream(stage.server, stage.server.streamUrl(stage.agent.uuid), { tenant: stage.tenant });
  }),
  endedCase('internal-error', 'the session cannot be bound', { code: 1011, reason: 'Internal server error' }, 'internal_error', async (stage) => {
    vi.spyOn(stage.server.store.runs, 'bindSession').mockRejectedValueOnce(new Error('the database is away'));
    return placeStream(stage.server, stage.server.streamUrl(stage.agent.uuid), { tenant: stage.tenant });
  }),
  endedCase(
    'vendor-failed',
    'a vendor without a key',
    { code: 1011, reason: 'Speech or language vendor failed' },
    'vendor_error',
    ({ server, agent, tenant }) => placeStream(server, server.streamUrl(agent.uuid), { tenant }),
    { agent: { settings: { models: { stt: { vendor: 'deepgram' }, llm: { vendor: 'builtin' }, tts: { vendor: 'builtin' } } } } },
  ),
];

/** Streams whose run is minted and ends before the call is answered. */
export const handshakeCases: readonly CloseCase[] = [
  ...[order, malformed, missing, formats, domains, sessions, breaches, protocolBreaches, fragments, leaving, duplicates, faults].flat(),
];
