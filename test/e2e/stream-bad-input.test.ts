import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeMulaw } from '../../src/audio/g711.js';
import type { RunEvent } from '../../src/runs/events.js';
import { defaultDocument } from '../../src/workflow/default-document.js';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { connected, media, openCarrier, placeStream, SILENCE, startMessage, stop, type StreamCarrier } from '../support/stream-carrier.js';
import { waitUntil } from '../support/wait-for.js';

/**
 * What a carrier may send in the middle of a call without ending it. What ends it is in stream-close-codes.test.ts, what never becomes
 * a stream in stream-upgrade.test.ts; messages one by one are in test/contracts/dialect.test.ts, sockets in media-stream.test.ts.
 */
let server: CallServer;
beforeAll(async () => {
  server = await startCallServer();
});
afterAll(() => server.stop());

interface Ended {
  readonly events: readonly RunEvent[];
  of(type: string): readonly RunEvent['data'][];
}

/** Plays `misbehave` in a call that is answered, hangs up, and reads the events: the call must have lived through it. */
async function throughCall(misbehave: (carrier: StreamCarrier, domain: string) => void | Promise<void>, workflow: unknown = defaultDocument): Promise<Ended> {
  const tenant = await server.createTenant();
  const agent = await server.createAgent({ tenant, workflow });
  const carrier = await placeStream(server, server.streamUrl(agent.uuid), { tenant });
  await carrier.heard();
  await misbehave(carrier, tenant.domain);
  const run = await server.waitForRun(agent, ({ state }) => state === 'running');
  carrier.send(stop);
  expect(await carrier.closed).toEqual({ code: 1000, reason: 'Stream stopped' });
  expect(await server.endedRun(agent)).toMatchObject({ id: run.id, state: 'completed', endReason: 'caller_hangup' });
  const events = await server.eventsOf(run);
  return { events, of: (type) => events.filter((event) => event.type === type).map(({ data }) => data) };
}

describe('a call goes on through', () => {
  it('media that is none, each noted', async () => {
    const bad: readonly unknown[] = [
      ...['!!!!', 'AAAAA', '', 'é€é€', 7, null, undefined, {}, 'A'.repeat(60_001)].map((payload) => media(payload)),
      ...[undefined, null, [], 'audio'].map((value) => ({ event: 'media', media: value })),
    ];
    const { of } = await throughCall((carrier) => carrier.send(...bad));
    const noted = of('message-malformed').reduce((sum, { count }) => sum + (typeof count === 'number' ? count : 1), 0);
    expect(noted).toBeGreaterThan(0);
    expect(noted).toBeLessThanOrEqual(bad.length);
  });

  it('media of every size, of the other track, out of order, twice, with gaps and with numbers that are none', async () => {
    const frame = (bytes: number) => Buffer.alloc(bytes, 0xff).toString('base64');
    const { of } = await throughCall((carrier) => {
      carrier.send(...[1, 2, 159, 161, 800, 8000, 48_000].map((bytes) => media(frame(bytes))));
      carrier.send(media(SILENCE, { track: 'outbound' }));
      carrier.send(...[5, 3, 4, 4, 1, 900, 901, 2, -1, 1e20].map((chunk) => media(SILENCE, { chunk, timestamp: String(chunk * 20) })));
      carrier.send(media(SILENCE, { chunk: {}, timestamp: 'soon' }));
    });
    expect(of('message-malformed')).toEqual([]);
  });

  it('text that is no message', async () => {
    const texts = ['', '{', 'null', '[]', '7', '"x"', 'NaN', '\ufeff{}', '{"event":"media","media":{"payload":"AAA', `${'['.repeat(10_000)}`, '{"event":"\ud800"}'];
    const { of } = await throughCall((carrier) => carrier.send(...texts));
    expect(of('message-malformed').length).toBeGreaterThan(0);
  });

  it('messages that nobody knows, told once by name', async () => {
    const { of } = await throughCall((carrier) => {
      for (let count = 0; count < 20; count += 1) carrier.send({ event: 'speaking' }, { event: 'media.connected' }, {}, { event: 1e300 });
      carrier.send('{"event":"speaking","event":"speaking","x":1e400,"\\u0000":1}');
    });
    const names = of('message-unknown').map(({ name }) => name);
    expect(names.length).toBeGreaterThan(0);
    expect(new Set(names).size).toBe(names.length);
  });

  it('the same start again, and one that changes the media format', async () => {
    const { of } = await throughCall((carrier, domain) => {
      carrier.send(startMessage(carrier.session, domain));
      carrier.send(startMessage(carrier.session, domain, { mediaFormat: { encoding: 'audio/x-alaw', sampleRate: 8000, channels: 1 } }));
    });
    expect(of('start-duplicated')).toHaveLength(1);
    expect(of('media-format-changed')).toEqual([{ from: 'mulaw', to: 'alaw' }]);
  });

  it('marks that were never sent, come early, twice, or have no name', async () => {
    const { of } = await throughCall((carrier) => {
      const sent = carrier.received.flatMap((message) => (message.event === 'mark' ? [(message['mark'] as { name: string }).name] : []));
      for (const name of ['m999', '', ...sent, ...sent, '__proto__', 'x'.repeat(5000)]) carrier.send({ event: 'mark', mark: { name } });
      carrier.send({ event: 'mark' }, { event: 'mark', mark: null });
    });
    expect(of('playout-overflow')).toEqual([]);
  });

  it('keys: those of a telephone count, anything else does not, and nobody presses fifty a second', async () => {
    const { of } = await throughCall(async (carrier) => {
      for (const digit of ['1', '*', '#', 'A', 'd', '', 'x', '12', 5, null]) carrier.send({ event: 'dtmf', dtmf: { digit } });
      for (let count = 0; count < 50; count += 1) carrier.send({ event: 'dtmf', dtmf: { digit: '9' } });
    });
    const digits = of('dtmf-received').map(({ digit }) => digit);
    expect(digits.slice(0, 5)).toEqual(['1', '*', '#', 'A', 'D']);
    expect(new Set(digits.slice(5))).toEqual(new Set(['9']));
    expect(digits.length).toBeLessThanOrEqual(30);
    expect(of('dtmf-limited').length).toBeGreaterThan(0);
  });

  it('everything at once, before anybody can have answered', async () => {
    const tenant = await server.createTenant();
    const agent = await server.createAgent({ tenant });
    const carrier = await openCarrier(server.streamUrl(agent.uuid));
    server.cloudonix.addSession(tenant.domain, carrier.session);
    const keys = Array.from({ length: 20 }, (_, index) => ({ event: 'dtmf', dtmf: { digit: String(index % 10) } }));
    carrier.send(connected, startMessage(carrier.session, tenant.domain), ...Array.from({ length: 300 }, () => media()), ...keys, stop, stop);
    expect(await carrier.closed).toEqual({ code: 1000, reason: 'Stream stopped' });
    const run = await server.endedRun(agent);
    expect(run).toMatchObject({ state: 'completed', endReason: 'caller_hangup' });
    expect((await server.eventsOf(run)).filter(({ type }) => type === 'dtmf-received').length).toBeGreaterThanOrEqual(8);
  });

  it('a socket that answers the agent’s voice with nothing at all', async () => {
    const { of } = await throughCall((carrier) => waitUntil('the greeting', () => carrier.received.filter(({ event }) => event === 'media').length > 20));
    expect(of('media-gap')).toEqual([]);
  });
});

/** Twenty milliseconds of a sound at 16 bits, from `at` samples on. */
type Sound = (sample: number) => number;
const tone = (hertz: number, amplitude: number): Sound => (n) => amplitude * Math.sin((2 * Math.PI * hertz * n) / 8000);
/** The same noise in every run (a linear congruential generator). */
const noise = (amplitude: number): Sound => (n) => amplitude * ((((n + 1) * 1_103_515_245 + 12_345) % 65_536) / 32_768 - 1);

/** A greeting that lasts longer than the sounds. */
const talkative = {
  ...defaultDocument,
  nodes: defaultDocument.nodes.map((node) => (node.id === 'start' ? { ...node, data: { ...node.data, greeting: 'Please listen to all that we have to say. '.repeat(6) } } : node)),
};

describe('the agent is not interrupted by', () => {
  it.concurrent.each<[string, Sound]>([
    ['a direct current', () => 4000],
    ['hum', tone(50, 3000)],
    ['a tone', tone(440, 3000)],
    ['hiss', noise(400)],
    ['digital silence', () => 0],
  ])('%s', async (_name, sound) => {
    const { of } = await throughCall(async (carrier) => {
      carrier.talk();
      carrier.say(encodeMulaw(Int16Array.from({ length: 8000 * 5 }, (_, n) => Math.round(sound(n)))));
      const playedBefore = carrier.received.length;
      await waitUntil('five seconds of greeting', () => carrier.received.filter(({ event }) => event === 'media').length > playedBefore + 250);
    }, talkative);
    expect(of('interruption-confirmed')).toEqual([]);
    expect(of('caller-said')).toEqual([]);
  });
});
