import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FRAME_MS } from '../../src/audio/frame.js';
import { decodeMulaw } from '../../src/audio/g711.js';
import { parseWav } from '../../src/audio/wav.js';
import { expectCleanEnd } from '../support/virtual/call-invariants.js';
import { afterGreeting, ANSWER, goodbyePasses, whileAnswering } from '../support/virtual/scenes.js';
import { GREETING } from '../support/virtual/virtual-call.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recording-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const LOUD = 1000;

/** The first loud sample at or after a time, in ms; NaN where there is none. */
function firstLoudMs(samples: Int16Array, fromMs: number): number {
  const index = samples.findIndex((sample, at) => at >= fromMs * 8 && Math.abs(sample) >= LOUD);
  return index === -1 ? NaN : index / 8;
}

/** The last loud sample before a time, in ms. */
function lastLoudMs(samples: Int16Array, untilMs: number): number {
  for (let at = Math.floor(untilMs * 8) - 1; at >= 0; at -= 1) if (Math.abs(samples[at] ?? 0) >= LOUD) return (at + 1) / 8;
  return NaN;
}

describe('the recording of a call', () => {
  it('is what both sides heard, also where the caller interrupted', async () => {
    const recordingPath = join(folder, 'interrupted.wav');
    const call = await whileAnswering({ recordingPath, passes: [{ text: ANSWER }, { text: 'Ten euros.' }, ...goodbyePasses] });
    call.carrier.says('No wait, on Sunday.');
    const voiceFromMs = call.clock.nowMs();
    await call.untilEvent('agent-said', 3);
    await call.advance(500);
    call.carrier.says('Goodbye.');
    const outcome = await expectCleanEnd(call, 'agent_hangup');
    expect(outcome.isRecorded).toBe(true);

    const { channels } = parseWav(await readFile(recordingPath));
    const [caller, agent] = channels as [Int16Array, Int16Array];
    expect(caller.length / 8).toBeGreaterThanOrEqual(outcome.durationMs);
    expect(caller.length / 8).toBeLessThanOrEqual(outcome.durationMs + 40);
    // Sample by sample, the agent's track is what the carrier played: a clear silences it in the middle of a frame.
    const played = new Int16Array(agent.length);
    for (const { playAtMs, frame } of call.carrier.heardByNow()) played.set(decodeMulaw(frame), Math.round(playAtMs * 8));
    for (const atMs of call.carrier.controlsAt('clear')) played.fill(0, Math.round(atMs * 8), Math.round((atMs + FRAME_MS) * 8));
    expect(Buffer.from(agent.buffer, agent.byteOffset, agent.byteLength).equals(Buffer.from(played.buffer))).toBe(true);
    expect(Math.abs(firstLoudMs(caller, voiceFromMs) - voiceFromMs)).toBeLessThanOrEqual(20);
  });

  it('shows the gap that the caller heard', async () => {
    const recordingPath = join(folder, 'gap.wav');
    const call = await afterGreeting({ recordingPath, passes: [{ text: ANSWER, firstTokenMs: 700 }, ...goodbyePasses], tts: () => ({ firstByteMs: 230 }) });
    call.carrier.says('How much is a ticket?');
    const answeredAtMs = (await call.untilEvent('reply-started', 2)).atMs;
    const voiceEndMs = call.carrier.voiceEndMs;
    await call.untilEvent('agent-said', 2);
    await call.advance(500);
    call.carrier.says('Goodbye.');
    const outcome = await expectCleanEnd(call, 'agent_hangup');
    const scriptedGapMs = answeredAtMs - voiceEndMs;
    expect(scriptedGapMs).toBeGreaterThan(700 + 230);

    const { channels } = parseWav(await readFile(recordingPath));
    const [caller, agent] = channels as [Int16Array, Int16Array];
    const recordedGapMs = firstLoudMs(agent, voiceEndMs) - lastLoudMs(caller, answeredAtMs);
    expect(Math.abs(recordedGapMs - scriptedGapMs)).toBeLessThanOrEqual(20);
    expect(Math.abs((outcome.turns[0]?.heardGapMs ?? NaN) - scriptedGapMs)).toBeLessThanOrEqual(20);
  });

  it('keeps its place through half a second of lost media', async () => {
    const recordingPath = join(folder, 'lost.wav');
    const call = await afterGreeting({ recordingPath, passes: [{ text: ANSWER }, ...goodbyePasses] });
    call.carrier.setMedia('lost');
    await call.advance(500);
    call.carrier.setMedia('flowing');
    await call.advance(400);
    const voiceFromMs = call.clock.nowMs();
    call.carrier.says('How much is a ticket?');
    await call.untilEvent('agent-said', 2);
    await call.advance(500);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
    const [caller] = parseWav(await readFile(recordingPath)).channels as [Int16Array];
    expect(Math.abs(firstLoudMs(caller, 0) - voiceFromMs)).toBeLessThanOrEqual(20);
  });

  it('that cannot be written leaves a call without one, and says so', async () => {
    const call = await afterGreeting({ recordingPath: folder, passes: [{ text: ANSWER }, ...goodbyePasses] });
    call.carrier.says('How much is a ticket?');
    await call.untilEvent('agent-said', 2);
    await call.advance(500);
    call.carrier.says('Goodbye.');
    const outcome = await expectCleanEnd(call, 'agent_hangup');
    expect(outcome.isRecorded).toBe(false);
    expect(call.eventsOf('recording-failed')).toHaveLength(1);
    expect(outcome.turns[0]?.heardGapMs).toBeGreaterThan(0);
    expect(call.transcript()[0]).toBe(`agent: ${GREETING}`);
  });
});
