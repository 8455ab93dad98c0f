/** How one sound of the bundled voice is made. Frequencies in Hz, amplitudes 0…1. */
export interface Phoneme {
  /** First three formants of the voiced part (averages of a male voice, after Peterson and Barney, 1952). */
  readonly formantsHz: readonly [number, number, number];
  readonly voicing: number;
  readonly noise: number;
  /** Centre of the noise. */
  readonly noiseHz: number;
  readonly durationMs: number;
  /** Silence before the sound: the closure of a stop. */
  readonly closureMs: number;
}

type Formants = readonly [number, number, number];

const vowel = (formantsHz: Formants, durationMs = 105): Phoneme => ({ formantsHz, voicing: 1, noise: 0, noiseHz: 1500, durationMs, closureMs: 0 });
const sonorant = (formantsHz: Formants, voicing = 0.6): Phoneme => ({ formantsHz, voicing, noise: 0, noiseHz: 1500, durationMs: 65, closureMs: 0 });
const fricative = (noiseHz: number, noise: number, voicing = 0): Phoneme => ({ formantsHz: [300, 1500, 2400], voicing, noise, noiseHz, durationMs: 85, closureMs: 0 });
const stop = (noiseHz: number, noise: number, voicing = 0): Phoneme => ({ formantsHz: [250, 1500, 2400], voicing, noise, noiseHz, durationMs: 28, closureMs: 40 });

const pause = (durationMs: number): Phoneme => ({ formantsHz: [500, 1500, 2400], voicing: 0, noise: 0, noiseHz: 1500, durationMs, closureMs: 0 });

const phonemes = {
  iy: vowel([270, 2200, 2900]),
  ih: vowel([390, 1950, 2550], 80),
  eh: vowel([530, 1800, 2480], 90),
  ae: vowel([660, 1700, 2400]),
  aa: vowel([730, 1090, 2440]),
  ao: vowel([570, 840, 2400]),
  uh: vowel([440, 1020, 2240], 80),
  uw: vowel([300, 870, 2240]),
  ah: vowel([640, 1190, 2390], 80),
  er: vowel([490, 1350, 1690]),
  schwa: vowel([500, 1400, 2400], 60),
  m: sonorant([280, 1000, 2200], 0.4),
  n: sonorant([280, 1500, 2400], 0.4),
  l: sonorant([360, 1100, 2500]),
  r: sonorant([310, 1060, 1380]),
  w: sonorant([290, 610, 2150]),
  y: sonorant([280, 2200, 2900]),
  f: fricative(2000, 0.25),
  v: fricative(2000, 0.15, 0.4),
  th: fricative(2200, 0.2),
  s: fricative(2350, 0.5),
  z: fricative(2350, 0.3, 0.4),
  sh: fricative(2000, 0.5),
  h: fricative(1200, 0.25),
  p: stop(900, 0.5),
  b: stop(700, 0.25, 0.5),
  t: stop(2300, 0.6),
  d: stop(2200, 0.3, 0.5),
  k: stop(1700, 0.6),
  g: stop(1500, 0.3, 0.5),
  gap: pause(25),
  comma: pause(180),
  stop: pause(260),
} as const satisfies Record<string, Phoneme>;

type PhonemeName = keyof typeof phonemes;

/** Spelling to sounds, longest spelling first: a coarse English, good for a robot. */
const spellings: readonly (readonly [string, readonly PhonemeName[]])[] = (
  [
    ['tion', ['sh', 'schwa', 'n']],
    ['ough', ['ao']],
    ['eigh', ['eh', 'ih']],
    ['igh', ['aa', 'ih']],
    ['ing', ['ih', 'n', 'g']],
    ['you', ['y', 'uw']],
    ['the', ['th', 'schwa']],
    ['ch', ['t', 'sh']],
    ['ck', ['k']],
    ['sh', ['sh']],
    ['th', ['th']],
    ['ph', ['f']],
    ['wh', ['w']],
    ['qu', ['k', 'w']],
    ['ng', ['n', 'g']],
    ['kn', ['n']],
    ['ee', ['iy']],
    ['ea', ['iy']],
    ['oo', ['uw']],
    ['ou', ['aa', 'uh']],
    ['ow', ['aa', 'uh']],
    ['oa', ['ao', 'uh']],
    ['oi', ['ao', 'ih']],
    ['oy', ['ao', 'ih']],
    ['ai', ['eh', 'ih']],
    ['ay', ['eh', 'ih']],
    ['au', ['ao']],
    ['aw', ['ao']],
    ['er', ['er']],
    ['ir', ['er']],
    ['ur', ['er']],
    ['ar', ['aa', 'r']],
    ['or', ['ao', 'r']],
    ['ll', ['l']],
    ['ss', ['s']],
    ['tt', ['t']],
    ['pp', ['p']],
    ['a', ['ae']],
    ['b', ['b']],
    ['c', ['k']],
    ['d', ['d']],
    ['e', ['eh']],
    ['f', ['f']],
    ['g', ['g']],
    ['h', ['h']],
    ['i', ['ih']],
    ['j', ['d', 'sh']],
    ['k', ['k']],
    ['l', ['l']],
    ['m', ['m']],
    ['n', ['n']],
    ['o', ['ao']],
    ['p', ['p']],
    ['q', ['k']],
    ['r', ['r']],
    ['s', ['s']],
    ['t', ['t']],
    ['u', ['ah']],
    ['v', ['v']],
    ['w', ['w']],
    ['x', ['k', 's']],
    ['y', ['iy']],
    ['z', ['z']],
    ['0', ['z', 'iy', 'r', 'ao']],
    ['1', ['w', 'ah', 'n']],
    ['2', ['t', 'uw']],
    ['3', ['th', 'r', 'iy']],
    ['4', ['f', 'ao', 'r']],
    ['5', ['f', 'aa', 'ih', 'v']],
    ['6', ['s', 'ih', 'k', 's']],
    ['7', ['s', 'eh', 'v', 'schwa', 'n']],
    ['8', ['eh', 'ih', 't']],
    ['9', ['n', 'aa', 'ih', 'n']],
    [' ', ['gap']],
    [',', ['comma']],
    [';', ['comma']],
    [':', ['comma']],
    ['.', ['stop']],
    ['!', ['stop']],
    ['?', ['stop']],
  ] as const
).toSorted((a, b) => b[0].length - a[0].length);

/** Sounds of a text. A letter that the rules do not know becomes a neutral vowel, so that every script is heard. */
export function toPhonemes(text: string): readonly Phoneme[] {
  const plain = text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase().replace(/\s+/g, ' ');
  const sounds: Phoneme[] = [];
  for (let at = 0; at < plain.length; ) {
    const spelling = spellings.find(([letters]) => plain.startsWith(letters, at));
    const character = String.fromCodePoint(plain.codePointAt(at) ?? 0);
    if (spelling !== undefined) sounds.push(...spelling[1].map((name) => phonemes[name]));
    else if (/\p{L}|\p{N}/u.test(character)) sounds.push(phonemes.schwa);
    at += spelling?.[0].length ?? character.length;
  }
  return sounds;
}
