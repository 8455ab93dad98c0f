import { setTimeout } from 'node:timers/promises';
import { FRAME_BYTES, FRAME_MS } from '../../src/audio/frame.js';
import { createEchoGuard } from '../../src/call/echo-guard.js';
import { systemClock } from '../../src/base/clock.js';
import { silentLog } from '../../src/base/log.js';
import { findEspeak } from '../../src/speech/builtin/espeak.js';
import { energyVoiceActivity } from '../../src/speech/energy-voice-activity.js';
import { startSilero, type SileroVoiceActivity } from '../../src/speech/silero/silero-voice-activity.js';
import type { VoiceActivity } from '../../src/speech/voice-activity.js';
import { loadSteppedSilero } from '../../test/support/stepped-silero.js';
import { printTable, shorten } from '../report.js';
import { judge, type Verdict } from '../vad/judge.js';
import { renderLabelledSet, type LabelledTrack } from '../vad/labelled-set.js';
import { sharedNowMs } from '../shared-clock.js';
import type { Scenario, ScenarioOptions } from './scenario.js';

/** Minutes of each sound that is no speech. */
const MINUTES = 10;

/** Slots for the tracks of the labelled set. */
const SLOTS = 32;

/** Calls whose frames come together: carriers are not in step. */
const PHASES = 4;

const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((left, right) => left - right)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? NaN;

function rowOf(detector: string, verdict: Verdict): readonly string[] {
  const { utterances, misses, clearMs, holdMs, falseStarts, falseCutIns, minutes } = verdict;
  const perTen = (count: number) => shorten((count * 10) / minutes);
  const isSpeech = utterances > 0;
  const delay = (values: readonly number[], share: number) => (isSpeech ? quantile(values, share).toFixed(0) : '');
  return [
    verdict.name,
    detector,
    isSpeech ? `${misses}/${utterances}` : '',
    `${delay(holdMs, 0.5)}${isSpeech ? ' / ' : ''}${delay(holdMs, 0.95)}`,
    `${delay(clearMs, 0.5)}${isSpeech ? ' / ' : ''}${delay(clearMs, 0.95)}${isSpeech ? ' / ' : ''}${delay(clearMs, 0.99)}`,
    perTen(falseStarts),
    isSpeech ? '' : perTen(falseCutIns),
  ];
}

/** CPU of so many calls in real time, all their frames at their pace: half of it speech. All threads of the process count. */
async function measureCpu(voiceActivity: VoiceActivity, calls: number, windowMs: number, speech: LabelledTrack): Promise<number> {
  const lanes = Array.from({ length: calls }, (_, index) => ({
    detector: voiceActivity.open({ confirmMs: null, pauseMs: 200, onEvent: () => undefined }),
    guard: createEchoGuard(),
    // Every call elsewhere in the track.
    from: index * 37 * FRAME_BYTES,
  }));
  const frames = Math.floor(speech.audio.length / FRAME_BYTES);
  const stepMs = FRAME_MS / PHASES;
  const startMs = sharedNowMs();
  const before = process.cpuUsage();
  for (let step = 0; step * stepMs < windowMs; step += 1) {
    for (let index = step % PHASES; index < calls; index += PHASES) {
      const lane = lanes[index];
      if (lane === undefined) continue;
      const at = (Math.floor(lane.from / FRAME_BYTES + step / PHASES) % frames) * FRAME_BYTES;
      const frame = speech.audio.subarray(at, at + FRAME_BYTES);
      lane.detector.push(frame, lane.guard.isEcho(frame, step * stepMs));
    }
    // The clock of the product does not keep the process alive.
    await setTimeout(Math.max(0, startMs + (step + 1) * stepMs - sharedNowMs()));
  }
  const { user, system } = process.cpuUsage(before);
  for (const { detector } of lanes) detector.close();
  return (user + system) / 1000 / calls / (windowMs / 1000);
}

async function measureAllCpu({ calls, windowMs }: ScenarioOptions, speech: LabelledTrack): Promise<readonly { calls: number; energy: number; silero: number | null }[]> {
  const silero: SileroVoiceActivity | null = await startSilero({ maxCalls: Math.max(...calls), clock: systemClock, log: silentLog }).catch(() => null);
  const results: { calls: number; energy: number; silero: number | null }[] = [];
  for (const count of calls) {
    const energy = await measureCpu(energyVoiceActivity, count, windowMs, speech);
    results.push({ calls: count, energy, silero: silero && (await measureCpu(silero, count, windowMs, speech)) });
  }
  await silero?.close();
  return results;
}

/** How well voices are found, on the labelled set, and what it costs. */
export const vadScenario: Scenario = {
  name: 'vad',
  summary: 'voice activity on a labelled set: misses, delays, false starts; CPU per call',
  defaults: { calls: [1, 50, 100], windowMs: 10_000 },
  async run(options) {
    const engines = findEspeak() === null ? (['bundled'] as const) : (['espeak-ng', 'bundled'] as const);
    const set = await renderLabelledSet(MINUTES, engines);
    const silero = await loadSteppedSilero(SLOTS);
    const byEnergy = await judge(set, { confirmMs: null, silero: null });
    const bySilero = silero && (await judge(set, { confirmMs: null, silero }));
    console.log(`${MINUTES} min of each sound; speech by ${engines.join(' and ')}. Times in ms from the first speech frame; answers of the model after 5 ms (simulated).\n`);
    printTable([
      ['track', 'detector', 'missed', 'hold p50 / p95', 'clear p50 / p95 / p99', 'false starts / 10 min', 'cut-ins / 10 min'],
      ...byEnergy.flatMap((verdict, index) => [rowOf('energy', verdict), ...[bySilero?.[index]].flatMap((other) => (other ? [rowOf('silero', other)] : []))]),
    ]);
    const [speech] = set;
    const cpu = speech === undefined ? [] : await measureAllCpu(options, speech);
    console.log('');
    printTable([
      ['calls', 'energy, CPU-ms/call-s', 'silero, CPU-ms/call-s'],
      ...cpu.map(({ calls, energy, silero: neural }) => [String(calls), shorten(energy), shorten(neural)]),
    ]);
    return { energy: byEnergy, silero: bySilero, cpu };
  },
};
