import { beforeAll, describe, expect, it } from 'vitest';
import { FRAME_BYTES, FRAME_MS, SAMPLE_RATE_HZ } from '../audio/frame.js';
import { alawToMulaw, encodeMulaw } from '../audio/g711.js';
import { systemClock } from '../base/clock.js';
import { encodeSegment, mixSegment } from './builtin/data-signal-encoder.js';
import { builtinTtsSettingsSchema } from './builtin/settings.js';
import { renderClause } from './builtin/voice.js';
import { createEnergyVoiceActivity } from './energy-voice-activity.js';
import type { VoiceActivityEvent } from './voice-activity.js';

const SENTENCES = [
  'Yes.',
  'Hello, thank you for calling.',
  'We are open from nine to five, Monday to Friday, and on Saturdays until noon.',
  'Please stop.',
  'I would like to book a table for two.',
  'Okay.',
  'Six.',
  'What are your opening hours on Sunday?',
];
const GAP_MS = 1000;
/** −40 dBFS: 20 dB below the builtin voice. */
const QUIET_NOISE_RMS = 328;

interface TimedEvent {
  readonly type: VoiceActivityEvent['type'];
  readonly atMs: number;
}

function detect(samples: Int16Array): TimedEvent[] {
  const detector = createEnergyVoiceActivity();
  const audio = encodeMulaw(samples);
  const events: TimedEvent[] = [];
  for (let at = 0; at + FRAME_BYTES <= audio.length; at += FRAME_BYTES) {
    const event = detector.push(audio.subarray(at, at + FRAME_BYTES));
    if (event !== null) events.push({ type: event.type, atMs: ((at + FRAME_BYTES) * 1000) / SAMPLE_RATE_HZ });
  }
  return events;
}

const count = (events: readonly TimedEvent[], type: TimedEvent['type']) => events.filter((event) => event.type === type).length;

function clamp(value: number): number {
  return Math.max(-32768, Math.min(32767, Math.round(value)));
}

function createNoise(seed: number, rms: number): () => number {
  let state = seed;
  return () => {
    let sum = 0;
    for (let i = 0; i < 12; i += 1) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      sum += state / 0x80000000;
    }
    return (rms * sum) / 2;
  };
}

const MINUTES = 2;
const fill = (sample: (n: number) => number) => Int16Array.from({ length: MINUTES * 60 * SAMPLE_RATE_HZ }, (_, n) => clamp(sample(n)));
const tone = (hz: number, amplitude: number) => (n: number) => amplitude * Math.sin((2 * Math.PI * hz * n) / SAMPLE_RATE_HZ);
/** 3 s without, 3 s with. */
const gated = (sample: (n: number) => number) => (n: number) => (Math.floor(n / (3 * SAMPLE_RATE_HZ)) % 2 === 1 ? sample(n) : 0);

interface Labelled {
  readonly samples: Int16Array;
  readonly spans: readonly { readonly startMs: number; readonly endMs: number }[];
}

async function renderConversation(): Promise<Labelled> {
  const settings = builtinTtsSettingsSchema.parse({});
  const signal = new AbortController().signal;
  const samples: number[] = Array.from({ length: SAMPLE_RATE_HZ }, () => 0);
  const spans: { startMs: number; endMs: number }[] = [];
  for (const [index, text] of SENTENCES.entries()) {
    const speech = await renderClause(text, { settings, language: 'en', clock: systemClock, signal });
    const segment = encodeSegment(text, speech.length, 0);
    const mixed = new Int16Array(Math.max(speech.length, segment.lengthSamples));
    mixed.set(speech);
    mixSegment(mixed, segment);
    const startMs = samples.length / 8;
    spans.push({ startMs, endMs: startMs + speech.length / 8 });
    // Gaps of odd lengths, so that sentences begin anywhere within a frame.
    samples.push(...mixed, ...Array.from({ length: GAP_MS * 8 + index * 77 }, () => 0));
  }
  return { samples: Int16Array.from(samples), spans };
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN);
}

function judge({ spans }: Labelled, events: readonly TimedEvent[]) {
  const during = (event: TimedEvent) => spans.some(({ startMs, endMs }) => event.atMs >= startMs && event.atMs <= endMs + 100);
  const first = (type: TimedEvent['type']) =>
    spans.map(({ startMs, endMs }) => {
      const event = events.find((candidate) => candidate.type === type && candidate.atMs >= startMs && candidate.atMs <= endMs + 100);
      return event === undefined ? null : event.atMs - startMs;
    });
  const starts = first('speech-start').filter((delay) => delay !== null);
  const pauses = spans.flatMap(({ startMs, endMs }) => {
    const last = events.findLast((event) => event.type === 'speech-pause' && event.atMs > startMs && event.atMs < endMs + GAP_MS);
    return last === undefined ? [] : [last.atMs - endMs];
  });
  return {
    misses: spans.length - starts.length,
    falseStarts: events.filter((event) => event.type === 'speech-start' && !during(event)).length,
    onsetMs: first('speech-onset').filter((delay) => delay !== null),
    startMs: starts,
    pauseMs: pauses,
  };
}

describe('speech', () => {
  let conversation: Labelled = { samples: new Int16Array(0), spans: [] };
  beforeAll(async () => {
    conversation = await renderConversation();
  });

  it.each([
    ['on a silent line', 0, 1, 0],
    ['in noise 20 dB below it', QUIET_NOISE_RMS, 1, 0],
    ['quiet (−30 dBFS), in noise 20 dB below it', QUIET_NOISE_RMS * 0.3, 0.3, 0],
    ['on a direct current', 30, 1, 3000],
    ['clipped', 30, 6, 0],
    ['over hiss (−55 dBFS)', 58, 1, 0],
  ])('is found %s', (label, noiseRms, gain, offset) => {
    const noise = createNoise(3, noiseRms);
    const samples = conversation.samples.map((sample) => clamp(sample * gain + noise() + offset));
    const result = judge(conversation, detect(samples));
    const summary = (values: readonly number[]) => `p50 ${quantile(values, 0.5)} p95 ${quantile(values, 0.95)} ms`;
    process.stdout.write(
      `${label}: ${result.misses} missed, ${result.falseStarts} false · onset ${summary(result.onsetMs)} · start ${summary(result.startMs)} · pause after the end ${summary(result.pauseMs)}\n`,
    );
    expect(result).toMatchObject({ misses: 0, falseStarts: 0 });
    expect(quantile(result.onsetMs, 0.5)).toBeLessThanOrEqual(60);
    expect(quantile(result.startMs, 0.5)).toBeLessThanOrEqual(180);
    expect(quantile(result.startMs, 0.95)).toBeLessThanOrEqual(320);
    expect(quantile(result.pauseMs, 0.95)).toBeLessThanOrEqual(240);
    expect(result.pauseMs).toHaveLength(SENTENCES.length);
  });

  it('is not seen in the data signal alone', () => {
    for (const [index, text] of SENTENCES.entries()) {
      const span = conversation.spans[index]!;
      const segment = encodeSegment(text, (span.endMs - span.startMs) * 8, 0);
      const samples = new Int16Array(segment.lengthSamples + 8000);
      mixSegment(samples.subarray(4000), segment);
      expect(count(detect(samples), 'speech-start')).toBe(0);
    }
  });

  it('follows the windows it is given', () => {
    const detector = createEnergyVoiceActivity({ confirmMs: 300, pauseMs: 500 });
    const events: TimedEvent[] = [];
    const audio = encodeMulaw(conversation.samples);
    for (let at = 0; at + FRAME_BYTES <= audio.length; at += FRAME_BYTES) {
      const event = detector.push(audio.subarray(at, at + FRAME_BYTES));
      if (event !== null) events.push({ type: event.type, atMs: at / 8 + FRAME_MS });
    }
    events.forEach((event, index) => {
      const before = events[index - 1];
      if (event.type === 'speech-start') expect(event.atMs - (before?.atMs ?? 0)).toBeGreaterThanOrEqual(280);
    });
    expect(count(events, 'speech-start')).toBeGreaterThan(0);
  });
});

describe('what is no speech', () => {
  it.each([
    ['digital silence', () => 0, 0],
    ['noise at −50 dBFS', createNoise(1, 104), 0],
    ['noise at −40 dBFS', createNoise(1, QUIET_NOISE_RMS), 0],
    ['noise at −30 dBFS', createNoise(1, 1036), 0],
    ['a direct current', () => 4000, 0],
    ['hum of 50 Hz', tone(50, 3000), 0],
    ['a tone of 440 Hz', tone(440, 3000), 0],
    ['bursts of a 425 Hz dial tone', gated(tone(425, 8000)), 0],
    ['bursts of 440 Hz', gated(tone(440, 3000)), 0],
    ['bursts of hum', gated(tone(50, 8000)), 0],
    ['noise that comes and goes', gated(createNoise(1, QUIET_NOISE_RMS)), 25],
  ] as const)('%s', (label, sample, mostPerTenMinutes) => {
    const events = detect(fill(sample));
    const perTenMinutes = (10 / MINUTES) * count(events, 'speech-start');
    process.stdout.write(`${label}: ${perTenMinutes} false starts and ${(10 / MINUTES) * count(events, 'speech-onset')} onsets per 10 min\n`);
    expect(perTenMinutes).toBeLessThanOrEqual(mostPerTenMinutes);
  });

  it('clicks', () => {
    const samples = fill(() => 0);
    for (let i = 0; i < 120; i += 1) {
      const at = 8000 + i * 7919;
      for (let n = 0; n < 40; n += 1) samples[at + n] = clamp(20_000 * Math.exp(-n / 10) * (n % 2 === 0 ? 1 : -1));
    }
    const events = detect(samples);
    expect(count(events, 'speech-start')).toBe(0);
    expect(count(events, 'speech-onset')).toBe(count(events, 'speech-dropped'));
  });

  it('a steady sound is absorbed within a second, and speech is heard over it', () => {
    const hum = fill(gated(tone(440, 3000)));
    const events = detect(hum.subarray(0, 6 * SAMPLE_RATE_HZ));
    expect(events.map((event) => event.type)).toEqual(['speech-onset', 'speech-dropped']);
    expect(events[1]!.atMs - events[0]!.atMs).toBeLessThanOrEqual(1000);
  });
});

describe('the detector', () => {
  it.each([
    ['mu-law’s', new Uint8Array(FRAME_BYTES).fill(0xff)],
    ['A-law’s positive zero', alawToMulaw(new Uint8Array(FRAME_BYTES).fill(0xd5))],
    ['A-law’s two zeros in turn', alawToMulaw(Uint8Array.from({ length: FRAME_BYTES }, (_, i) => (i % 2 === 0 ? 0x55 : 0xd5)))],
  ])('takes digital silence for silence, and speech after it for speech: %s', (_, silent) => {
    const detector = createEnergyVoiceActivity();
    for (let frame = 0; frame < 250; frame += 1) expect(detector.push(silent)).toBeNull();
    const voice = encodeMulaw(Int16Array.from({ length: SAMPLE_RATE_HZ }, (__, i) => Math.round(8000 * Math.sin(i * 0.4) * (1 + Math.sin(i * 0.003)))));
    const types: string[] = [];
    for (let at = 0; at < voice.length; at += FRAME_BYTES) types.push(...[detector.push(voice.subarray(at, at + FRAME_BYTES))?.type ?? []].flat());
    expect(types).toEqual(['speech-onset', 'speech-start']);
  });

  it('takes frames of other lengths, and empty ones', () => {
    const detector = createEnergyVoiceActivity();
    for (const length of [0, 1, 80, 160, 320]) expect(detector.push(new Uint8Array(length).fill(0xff))).toBeNull();
  });

  it('is cheap (measured, not timed)', () => {
    const noise = createNoise(1, 2000);
    const audio = encodeMulaw(Int16Array.from({ length: SAMPLE_RATE_HZ * 20 }, () => clamp(noise())));
    const detector = createEnergyVoiceActivity();
    const run = () => {
      for (let at = 0; at < audio.length; at += FRAME_BYTES) detector.push(audio.subarray(at, at + FRAME_BYTES));
    };
    run();
    const startMs = performance.now();
    for (let i = 0; i < 5; i += 1) run();
    const perFrameUs = ((performance.now() - startMs) * 1000) / (5 * (audio.length / FRAME_BYTES));
    process.stdout.write(`${perFrameUs.toFixed(2)} µs per frame\n`);
    expect(perFrameUs).toBeLessThan(200);
  });
});
