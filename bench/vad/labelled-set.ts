import { SAMPLE_RATE_HZ } from '../../src/audio/frame.js';
import { encodeMulaw } from '../../src/audio/g711.js';
import { systemClock } from '../../src/base/clock.js';
import { builtinTtsSettingsSchema } from '../../src/speech/builtin/settings.js';
import { renderClause } from '../../src/speech/builtin/voice.js';
import { amplitudeAt, mix, music, noise, tone, type Samples } from '../../test/support/virtual/line-sounds.js';
import { cadence, click, cough, createRandom, mmHm, type Sound } from './sounds.js';

/** What renders the speech. */
export type VoiceEngine = 'bundled' | 'espeak-ng';

/** One utterance in a track. */
export interface Span {
  /** From its first 10 ms within 15 dB of its loud ones: what a listener takes for its beginning. */
  readonly startMs: number;
  readonly endMs: number;
}

/** The caller's side of a call, as a line carries it, and what is in it. */
export interface LabelledTrack {
  readonly name: string;
  /** Mu-law at 8 kHz. */
  readonly audio: Uint8Array;
  readonly durationMs: number;
  /** Speech; empty: there is none, and whatever is found is false. */
  readonly spans: readonly Span[];
  /** What the agent says meanwhile, where its echo is in the track. Mu-law, in step with `audio`. */
  readonly agent: Uint8Array | null;
}

const SENTENCES = [
  'Stop, please.', 'Wait a moment.', 'Hello, thank you for calling.', 'No, that is not what I meant.', 'What are your opening hours on Sunday?',
  'I would like to book a table for two.', 'Excuse me.', 'My name is Anna.', 'Six.', 'Can you repeat the number?', 'Forget it.', 'Yes, but not today.',
];
const AGENT_SENTENCES = [
  'We are open from nine to five, Monday to Friday, and on Saturdays until noon.', 'Your order will be with you on Thursday morning.',
  'Let me look that up for you, it takes only a moment.', 'The nearest car park is behind the station, and the first hour is free.',
];
const PITCHES = [30, 50, 80];

const ECHO_DELAY_MS = 120;

/** Longer than the window after which a voice that is no word is given up, so that sounds do not run into each other. */
const GAP_MS = 1500;

async function renderVoice(text: string, pitch: number, engine: VoiceEngine): Promise<Sound> {
  const settings = builtinTtsSettingsSchema.parse({ engine, pitch });
  return renderClause(text, { settings, language: 'en', clock: systemClock, signal: new AbortController().signal });
}

/** Where a rendered utterance begins and ends to a listener, in samples. */
function audibleSpan(speech: Sound): { start: number; end: number } {
  const hop = SAMPLE_RATE_HZ / 100;
  const levels = Array.from({ length: Math.floor(speech.length / hop) }, (_, i) => {
    let sum = 0;
    for (let n = i * hop; n < (i + 1) * hop; n += 1) sum += (speech[n] ?? 0) ** 2;
    return sum / hop;
  });
  const loud = levels.toSorted((left, right) => left - right)[Math.floor(levels.length * 0.9)] ?? 0;
  const isAudible = (level: number) => level >= loud * 10 ** -1.5;
  return { start: Math.max(0, levels.findIndex(isAudible)) * hop, end: (levels.findLastIndex(isAudible) + 1) * hop };
}

/** Sounds with gaps of odd lengths between them, so that they begin anywhere within a frame. */
function placeSounds(sounds: readonly Sound[], random: () => number): { samples: Int16Array; starts: readonly number[] } {
  const gap = () => Math.round(((GAP_MS + 500 * random()) * SAMPLE_RATE_HZ) / 1000);
  const starts: number[] = [];
  let length = gap();
  for (const sound of sounds) {
    starts.push(length);
    length += sound.length + gap();
  }
  const samples = new Int16Array(length);
  sounds.forEach((sound, index) => samples.set(sound, starts[index] ?? 0));
  return { samples, starts };
}

const clip = (value: number): number => Math.max(-32_768, Math.min(32_767, Math.round(value)));

function toTrack(name: string, samples: Int16Array, spans: readonly Span[] = [], agent: Uint8Array | null = null): LabelledTrack {
  return { name, audio: encodeMulaw(samples), durationMs: samples.length / 8, spans, agent };
}

const speechTrack = (name: string, utterances: readonly Sound[], seed: number, over: Samples = () => 0, gain = 1): LabelledTrack => {
  const { samples, starts } = placeSounds(utterances, createRandom(seed));
  const spans = utterances.map((speech, index) => {
    const { start, end } = audibleSpan(speech);
    return { startMs: ((starts[index] ?? 0) + start) / 8, endMs: ((starts[index] ?? 0) + end) / 8 };
  });
  return toTrack(name, samples.map((sample, n) => clip(sample * gain + over(n))), spans);
};

/** Sounds in a row that fill the time. */
function soundsTrack(name: string, minutes: number, seed: number, make: (random: () => number) => Sound): LabelledTrack {
  const random = createRandom(seed);
  const count = Math.round((minutes * 60_000) / (GAP_MS + 700));
  return toTrack(name, placeSounds(Array.from({ length: count }, () => make(random)), random).samples);
}

function steadyTrack(name: string, minutes: number, samples: Samples): LabelledTrack {
  return toTrack(name, Int16Array.from({ length: minutes * 60 * SAMPLE_RATE_HZ }, (_, n) => clip(samples(n))));
}

function echoTrack(db: number, minutes: number, agentVoice: Sound): LabelledTrack {
  const length = minutes * 60 * SAMPLE_RATE_HZ;
  const at = (n: number) => (n < 0 ? 0 : (agentVoice[n % agentVoice.length] ?? 0));
  const delay = (ECHO_DELAY_MS * SAMPLE_RATE_HZ) / 1000;
  const gain = 10 ** (db / 20);
  const agent = encodeMulaw(Int16Array.from({ length }, (_, n) => at(n)));
  return toTrack(`echo ${db} dB`, Int16Array.from({ length }, (_, n) => clip(at(n - delay) * gain)), [], agent);
}

const gated = (samples: Samples): Samples => (n) => (Math.floor(n / (3 * SAMPLE_RATE_HZ)) % 2 === 1 ? samples(n) : 0);

/**
 * The labelled set, rendered by the project: the same for the same machine (espeak-ng's voice where it is installed, beside the
 * bundled one). `minutes` of each sound that is no speech.
 */
export async function renderLabelledSet(minutes: number, engines: readonly VoiceEngine[]): Promise<readonly LabelledTrack[]> {
  const utterancesOf = (engine: VoiceEngine) => Promise.all(PITCHES.flatMap((pitch) => SENTENCES.map((text) => renderVoice(text, pitch, engine))));
  const byEngine = await Promise.all(engines.map(utterancesOf));
  const utterances = byEngine.flat();
  const said = await Promise.all(AGENT_SENTENCES.map((text) => renderVoice(text, 50, engines[0] ?? 'bundled')));
  const agentVoice = placeSounds(said, createRandom(9)).samples;
  const ring = cadence([440, 480], 2000, 4000, amplitudeAt(-19));
  const busy = cadence([480, 620], 500, 500, amplitudeAt(-24));
  const keys = cadence([697, 1209], 100, 100, amplitudeAt(-13));
  return [
    ...byEngine.map((own, index) => speechTrack(`speech, ${engines[index] ?? ''}`, own, 1)),
    speechTrack('speech, noise 20 dB below', utterances, 2, noise(amplitudeAt(-35), 3)),
    speechTrack('speech, soft (-30 dBFS)', utterances, 3, noise(amplitudeAt(-55), 4), 0.3),
    steadyTrack('silence', minutes, () => 0),
    steadyTrack('noise', minutes, noise(amplitudeAt(-30))),
    steadyTrack('noise that comes and goes', minutes, gated(noise(amplitudeAt(-30), 2))),
    steadyTrack('hum', minutes, mix(tone(50, amplitudeAt(-12)), tone(150, amplitudeAt(-24)))),
    steadyTrack('music', minutes, music(amplitudeAt(-10))),
    steadyTrack('soft music', minutes, music(amplitudeAt(-25))),
    steadyTrack('ring-back', minutes, ring),
    steadyTrack('busy', minutes, busy),
    steadyTrack('DTMF', minutes, keys),
    soundsTrack('coughs', minutes, 5, cough),
    soundsTrack('clicks', minutes, 6, click),
    soundsTrack('mm-hm', minutes, 7, mmHm),
    ...[-15, -25, -35].map((db) => echoTrack(db, minutes, agentVoice)),
  ];
}
