import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SAMPLE_RATE_HZ } from '../../src/audio/frame.js';
import { createResampler } from '../../src/audio/resample.js';
import { encodeWav, parseWav } from '../../src/audio/wav.js';
import { systemClock } from '../../src/base/clock.js';
import { parseCallerScript } from '../../src/simulator/caller-script.js';
import type { CarrierMediaFormat } from '../../src/simulator/cloudonix-wire.js';
import { placeCall, type PlaceCallOptions, type PlacedCall } from '../../src/simulator/place-call.js';
import { createSimulatedSpeech } from '../../src/simulator/simulated-speech.js';
import { findEspeak } from '../../src/speech/builtin/espeak.js';
import type { Run } from '../../src/store/store.js';
import { demoDocument } from '../../src/workflow/demo-document.js';
import { startCallServer, type CallServer } from '../support/call-server.js';

const espeak = findEspeak();
/** Loudness of speech at 16 bits; silence and line noise stay far below. */
const AUDIBLE = 300;

let server: CallServer;
let humanSpeech: string;
beforeAll(async () => {
  server = await startCallServer();
  humanSpeech = join(server.dataDir, 'question.wav');
  if (espeak !== null) await renderSpeech(espeak, 'Could you tell me when you are open on Sundays please', humanSpeech);
});
afterAll(() => server.stop());

/** Speech that carries no data signal, as a telephone would bring it: a mu-law WAV file at 8 kHz. */
async function renderSpeech(program: string, words: string, path: string): Promise<void> {
  const rendered = `${path}.wide.wav`;
  await promisify(execFile)(program, ['-v', 'en-us', '-s', '160', '-w', rendered, words]);
  const { sampleRateHz, channels } = parseWav(await readFile(rendered));
  const resampler = createResampler(sampleRateHz, SAMPLE_RATE_HZ);
  const speech = resampler.push(channels[0] ?? new Int16Array(0));
  await writeFile(path, encodeWav({ sampleRateHz: SAMPLE_RATE_HZ, channels: [speech] }, 'mulaw'));
}

interface Conversation {
  readonly call: PlacedCall;
  readonly run: Run;
  /** Root mean square of a stretch of the recording. */
  loudness(channel: 'caller' | 'agent', fromMs: number, toMs: number): number;
}

/** Holds a scripted call in real time and reads what it left. */
async function converse(script: string, form: 'path' | 'query', options: Partial<PlaceCallOptions> = {}): Promise<Conversation> {
  const tenant = await server.createTenant();
  const models = { stt: { vendor: 'builtin' }, llm: { vendor: 'builtin' }, tts: { vendor: 'builtin', words_per_minute: 220 } };
  const agent = await server.createAgent({ tenant, workflow: demoDocument, settings: { models, recording: { enabled: true } } });
  const call = await placeCall({
    url: server.streamUrl(agent.uuid, { form }),
    domain: tenant.domain,
    cloudonix: server.cloudonix,
    steps: parseCallerScript(script),
    speech: createSimulatedSpeech(systemClock),
    clock: systemClock,
    ...options,
  });
  const run = await server.endedRun(agent);
  const recording = parseWav(await readFile(join(server.dataDir, run.recordingPath ?? 'no recording')));
  expect([recording.sampleRateHz, recording.channels.length]).toEqual([SAMPLE_RATE_HZ, 2]);
  const perMs = SAMPLE_RATE_HZ / 1000;
  return {
    call,
    run,
    loudness(channel, fromMs, toMs) {
      const stretch = recording.channels[channel === 'caller' ? 0 : 1]?.subarray(fromMs * perMs, toMs * perMs) ?? new Int16Array(0);
      return Math.sqrt(stretch.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, stretch.length));
    },
  };
}

/** Every turn must be on its own channel of the recording, and not on the other's. */
function expectBothTracks({ call, loudness }: Conversation): void {
  for (const turn of call.turns) {
    if (turn.who === 'caller-key') continue;
    const other = turn.who === 'caller' ? 'agent' : 'caller';
    // A tenth of a second for what lies between the carrier's clock and the recorder's.
    const [fromMs, toMs] = [turn.startMs + 100, turn.endMs - 100];
    expect(loudness(turn.who, fromMs, toMs)).toBeGreaterThan(AUDIBLE);
    expect(loudness(other, fromMs, toMs)).toBeLessThan(AUDIBLE / 3);
  }
}

const textsOf = ({ call }: Conversation, who: 'caller' | 'agent') => call.turns.flatMap((turn) => (turn.who === who ? [turn.text] : []));

async function callerWords(run: Run): Promise<readonly { text: unknown; startMs: number; endMs: number }[]> {
  const events = (await server.eventsOf(run)).filter(({ type }) => type === 'caller-said');
  return events.map(({ data }) => ({ text: data['text'], startMs: Number(data['start_ms']), endMs: Number(data['end_ms']) }));
}

type Variant = readonly [name: string, form: 'path' | 'query', options: Partial<PlaceCallOptions>];
const alaw: CarrierMediaFormat = 'alaw';

describe.runIf(espeak !== null)('a person who is not understood (needs espeak-ng for a human voice)', () => {
  it.concurrent.each<Variant>([
    ['path form, mu-law', 'path', {}],
    ['query form, mu-law', 'query', {}],
    ['path form, A-law', 'path', { mediaFormat: alaw }],
  ])('%s: is heard, and told so', async (_name, form, options) => {
    const held = await converse(`caller: wav ${humanSpeech}\nlisten\nhangup`, form, options);
    expect(held.call.problems).toEqual([]);
    expect(held.call.stats).toMatchObject({ violationCount: 0 });
    expect(textsOf(held, 'agent')[0]).toBe('Hello, this is the front desk. How can I help you?');
    expect(textsOf(held, 'agent')[1]).toMatch(/understands only the built-in voice/);
    expect(held.run).toMatchObject({ state: 'completed', endReason: 'caller_hangup', closeCode: 1000 });

    const [said] = await callerWords(held.run);
    const spoken = held.call.turns.find((turn) => turn.who === 'caller');
    expect(said?.text).toBe('[unintelligible speech]');
    expect(Math.abs((said?.startMs ?? 0) - (spoken?.startMs ?? 0))).toBeLessThan(500);
    expect(Math.abs((said?.endMs ?? 0) - (spoken?.endMs ?? 0))).toBeLessThan(500);
    expectBothTracks(held);
  }, 60_000);
});

describe('a caller with the builtin voice', () => {
  const script = 'caller: When are you open on Sundays?\ncaller: Thank you, goodbye.';

  it.concurrent.each<Variant>([
    ['path form, mu-law', 'path', {}],
    ['query form, A-law', 'query', { mediaFormat: alaw }],
    ['marks that are never echoed', 'path', { echoMarks: 'never' }],
    ['marks that are echoed late', 'query', { echoMarks: 'late' }],
    ['frames that come in pairs the wrong way round, or twice', 'path', { faults: [{ type: 'swap-frames', every: 10 }, { type: 'duplicate-frames', every: 7 }] }],
  ])('%s: is understood and answered, through audio alone', async (_name, form, options) => {
    const held = await converse(script, form, options);
    expect(held.call.problems).toEqual([]);
    expect(held.call.stats).toMatchObject({ violationCount: 0 });
    expect(textsOf(held, 'agent')).toEqual([
      'Hello, this is the front desk. How can I help you?',
      'We are open ten to four on Sundays.',
      'Thank you for calling the front desk. Goodbye.',
    ]);
    expect((await callerWords(held.run)).map(({ text }) => text)).toEqual(['When are you open on Sundays?', 'Thank you, goodbye.']);
    expect(held.call.asked).toBe('hang-up');
    expect(held.run).toMatchObject({ state: 'completed', endReason: 'agent_hangup', gatheredContext: { nodes_visited: ['Front desk', 'Goodbye'] } });
    expectBothTracks(held);
  }, 60_000);
});
