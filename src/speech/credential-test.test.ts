import type { LookupAddress } from 'node:dns';
import { afterEach, describe, expect, it } from 'vitest';
import { startFakeAnthropic } from '../../test/support/fakes/anthropic.js';
import { startFakeAssemblyai } from '../../test/support/fakes/assemblyai.js';
import { startFakeAzure } from '../../test/support/fakes/azure.js';
import { startFakeCartesia } from '../../test/support/fakes/cartesia.js';
import { createCountingClock } from '../../test/support/fakes/counting-clock.js';
import { startFakeDeepgram } from '../../test/support/fakes/deepgram.js';
import { startFakeElevenlabsVoice } from '../../test/support/fakes/elevenlabs-voice.js';
import { startFakeGoogleCloudVoice } from '../../test/support/fakes/google-cloud-voice.js';
import { startFakeGoogle } from '../../test/support/fakes/google.js';
import { startFakeGroq } from '../../test/support/fakes/groq.js';
import { startFakeOpenaiSpeech } from '../../test/support/fakes/openai-speech-to-speech.js';
import { startFakeOpenaiVoice } from '../../test/support/fakes/openai-voice.js';
import { startFakeTranscriptions } from '../../test/support/fakes/openai-transcriptions.js';
import { startFakeRime } from '../../test/support/fakes/rime.js';
import { startFakeSoniox } from '../../test/support/fakes/soniox.js';
import { startFakeUltravox } from '../../test/support/fakes/ultravox.js';
import { findClosedPort, startVendorServer, type VendorServer } from '../../test/support/fakes/vendor-server.js';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { until } from '../../test/support/wait-for.js';
import { createGuardedEgress } from '../base/guarded-fetch.js';
import { CREDENTIAL_TEST_LIMIT_MS, testCredential } from './credential-test.js';
import { findVendor } from './registry.js';
import type { Leg } from './vendor.js';

const servers: VendorServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
async function started<Server extends VendorServer>(starting: Promise<Server>): Promise<Server> {
  const server = await starting;
  servers.push(server);
  return server;
}

const isSocketVendor = (vendor: string) => findVendor(vendor)!.baseUrl.default.startsWith('wss:');
const urlOf = (vendor: string, port: number, host = '127.0.0.1') => `${isSocketVendor(vendor) ? 'ws' : 'http'}://${host}:${port}`;
const never = new AbortController().signal;
const key = 'sk-right-0123456789';

/** What a fake serves of its vendor: one leg each. */
const fakes: readonly [string, Leg, (options: { apiKey: string }) => Promise<VendorServer>][] = [
  ['deepgram', 'stt', startFakeDeepgram],
  ['assemblyai', 'stt', startFakeAssemblyai],
  ['soniox', 'stt', startFakeSoniox],
  ['anthropic', 'llm', startFakeAnthropic],
  ['google', 'llm', startFakeGoogle],
  ['groq', 'llm', startFakeGroq],
  ['cartesia', 'tts', startFakeCartesia],
  ['elevenlabs', 'tts', startFakeElevenlabsVoice],
  ['rime', 'tts', startFakeRime],
  ['openai', 'stt', startFakeTranscriptions],
  ['openai', 'tts', startFakeOpenaiVoice],
  ['openai', 'realtime', startFakeOpenaiSpeech],
  ['ultravox', 'realtime', startFakeUltravox],
  ['azure', 'tts', startFakeAzure],
  ['google-cloud', 'tts', startFakeGoogleCloudVoice],
];

describe('the test of a key', () => {
  it.each(fakes)('tells a right key of %s (%s) from a wrong one', async (vendor, leg, start) => {
    const server = await started(start({ apiKey: key }));
    const clock = createCountingClock();
    const test = async (apiKey: string) => {
      const legs = await testCredential(vendor, { apiKey, baseUrl: urlOf(vendor, server.port) }, { env: {}, clock, fetch }, never);
      expect(JSON.stringify(legs)).not.toContain(apiKey);
      return legs.find((each) => each.leg === leg);
    };
    const right = await test(key);
    expect(right).toMatchObject({ leg, failure: null });
    expect(right?.model).not.toBe('');
    expect(right?.timeToFirstByteMs).toBeGreaterThanOrEqual(0);
    expect((await test('sk-wrong-0123456789'))?.failure).toMatchObject({ code: 'vendor-unauthorized' });
    await until(() => clock.pendingTimers() === 0, 'timers freed');
  });

  it.each(fakes)('says that nothing answers where %s (%s) should be', async (vendor, leg) => {
    const baseUrl = urlOf(vendor, await findClosedPort());
    const legs = await testCredential(vendor, { apiKey: key, baseUrl }, { env: {}, clock: createCountingClock(), fetch }, never);
    expect(legs.find((each) => each.leg === leg)).toMatchObject({ timeToFirstByteMs: null, failure: { code: 'vendor-unreachable' } });
  });

  it.each(['soniox', 'anthropic', 'cartesia', 'openai'])('waits for a %s that never answers no longer than its limit', async (vendor) => {
    const server = await started(startVendorServer({ onRequest: () => undefined, onUpgrade: () => ({ kind: 'hang' }) }));
    const clock = createVirtualClock();
    const testing = testCredential(vendor, { apiKey: key, baseUrl: urlOf(vendor, server.port) }, { env: {}, clock, fetch }, never);
    await until(() => server.openSockets() > 0);
    let elapsedMs = 0;
    for (let isOver = false; !isOver && elapsedMs <= CREDENTIAL_TEST_LIMIT_MS; elapsedMs += 100) {
      await clock.advance(100);
      isOver = await Promise.race([testing.then(() => true), Promise.resolve(false)]);
    }
    const legs = await testing;
    expect(legs.map(({ failure }) => failure?.code)).toEqual(legs.map(() => 'vendor-unreachable'));
    expect(elapsedMs).toBeLessThanOrEqual(CREDENTIAL_TEST_LIMIT_MS + 100);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('asks a server of transcriptions for one, and takes its time', async () => {
    const server = await started(startFakeTranscriptions({ apiKey: key, fault: (request) => (request === 0 ? { kind: 'late', delayMs: 150 } : { kind: 'http', status: 400 }) }));
    const test = async () => {
      const legs = await testCredential('openai', { apiKey: key, baseUrl: server.httpUrl }, { env: {}, clock: createCountingClock(), fetch }, never);
      return legs.find(({ leg }) => leg === 'stt');
    };
    const first = await test();
    expect(first?.failure).toBeNull();
    // Timers may be early by a millisecond.
    expect(first?.timeToFirstByteMs).toBeGreaterThanOrEqual(149);
    expect(server.requests).toHaveLength(1);
    expect(server.requests[0]?.durationMs).toBeGreaterThanOrEqual(400);
    expect(await test()).toMatchObject({ timeToFirstByteMs: null, failure: { code: 'vendor-rejected' } });
  });

  it('ends at once when it is given up, and leaves nothing behind', async () => {
    const server = await started(startVendorServer({ onRequest: () => undefined, onUpgrade: () => ({ kind: 'hang' }) }));
    for (const vendor of ['deepgram', 'openai', 'soniox']) {
      const clock = createCountingClock();
      const controller = new AbortController();
      const testing = testCredential(vendor, { apiKey: key, baseUrl: urlOf(vendor, server.port) }, { env: {}, clock, fetch }, controller.signal);
      await until(() => server.openSockets() > 0);
      controller.abort(new Error('gone'));
      await expect(testing).rejects.toThrow('gone');
      await until(() => server.openSockets() === 0, 'sockets freed');
      await until(() => clock.pendingTimers() === 0, 'timers freed');
    }
  });

  it.each(fakes)('does not let a stored base URL of %s (%s) lead inside', async (vendor, leg, start) => {
    const server = await started(start({ apiKey: key }));
    const resolve = (_host: string, _options: unknown, callback: (error: null, addresses: LookupAddress[]) => void) => callback(null, [{ address: '127.0.0.1', family: 4 }]);
    const egress = createGuardedEgress(resolve);
    for (const host of ['127.0.0.1', 'public.example']) {
      const baseUrl = urlOf(vendor, server.port, host);
      const legs = await testCredential(vendor, { apiKey: key, baseUrl }, { env: {}, clock: createCountingClock(), fetch, egress }, never);
      expect([host, legs.find((each) => each.leg === leg)?.failure?.code]).toEqual([host, 'egress-refused']);
    }
    expect(server.openSockets()).toBe(0);
  });

  it('has nothing to say of a vendor that is not known', async () => {
    expect(await testCredential('nobody', { apiKey: key }, { env: {}, clock: createCountingClock(), fetch }, never)).toEqual([]);
  });
});
