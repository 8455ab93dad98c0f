import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SAMPLE_RATE_HZ } from '../../src/audio/frame.js';
import { decodeMulaw } from '../../src/audio/g711.js';
import { encodeWav } from '../../src/audio/wav.js';
import { systemClock } from '../../src/base/clock.js';
import { parseCallerScript } from '../../src/simulator/caller-script.js';
import { placeCall } from '../../src/simulator/place-call.js';
import { createSimulatedSpeech } from '../../src/simulator/simulated-speech.js';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { speakBuiltinVoice } from '../support/fakes/builtin-voice.js';
import { edge, node } from '../support/workflow-call.js';

let server: CallServer;
beforeAll(async () => {
  server = await startCallServer();
}, 60_000);
afterAll(() => server.stop());

const perMs = SAMPLE_RATE_HZ / 1000;
const reminder = { nodes: [node('start', 'startCall', { greeting: 'Hello, this is the clinic.' }), node('end', 'endCall')], edges: [edge('start', 'end')] };

/** A greeting in the builtin voice, a breath, and a beep of half a second, as one recording; with when the beep is over. */
async function recordAnnouncement(words: string): Promise<{ path: string; beepEndMs: number }> {
  const speech = decodeMulaw(await speakBuiltinVoice(words));
  const breath = new Int16Array(600 * perMs);
  const beep = Int16Array.from({ length: 500 * perMs }, (_, n) => Math.round(9000 * Math.sin((2 * Math.PI * 1000 * n) / SAMPLE_RATE_HZ)));
  const samples = Int16Array.from([...speech, ...breath, ...beep]);
  const path = join(server.dataDir, 'announcement.wav');
  await writeFile(path, encodeWav({ sampleRateHz: SAMPLE_RATE_HZ, channels: [samples] }, 'mulaw'));
  return { path, beepEndMs: samples.length / perMs };
}

it('leaves its message on an answering machine, after the beep', async () => {
  const message = 'Please call the clinic back.';
  const settings = { voicemail_detection: { enabled: true, action: 'leave_message', message } };
  const agent = await server.createAgent({ workflow: reminder, settings });
  const { path, beepEndMs } = await recordAnnouncement('You have reached Bob. Please leave a message after the tone.');
  await placeCall({
    url: server.streamUrl(agent.uuid),
    domain: server.tenant.domain,
    cloudonix: server.cloudonix,
    steps: parseCallerScript(`now: wav ${path}\nwait: 20s`),
    speech: createSimulatedSpeech(systemClock),
    clock: systemClock,
    maxDurationMs: 40_000,
  });
  const run = await server.endedRun(agent);
  expect([run.endReason, run.gatheredContext['call_disposition']]).toEqual(['voicemail', 'voicemail']);
  const events = await server.eventsOf(run);
  const at = (type: string) => events.find((event) => event.type === type);
  expect(at('voicemail-detected')?.data).toMatchObject({ by: 'greeting', action: 'leave_message' });
  const begunAtMs = at('voicemail-message-begun')?.atMs ?? 0;
  expect(begunAtMs).toBeGreaterThan(beepEndMs - 100);
  expect(begunAtMs).toBeLessThan(beepEndMs + 2000);
  expect(events.filter(({ type }) => type === 'agent-said').at(-1)?.data['text']).toBe(message);
}, 60_000);
