import { MULAW_SILENCE, SAMPLE_RATE_HZ } from './frame.js';
import { encodeMulaw } from './g711.js';

/** Frequencies of the rows and columns of a phone's keys, Hz (ITU-T Q.23). */
const ROWS_HZ = [697, 770, 852, 941] as const;
const COLUMNS_HZ = [1209, 1336, 1477, 1633] as const;
const KEYS = '123A456B789C*0#D';

/** Receivers take tones and pauses of 40 ms and more (ITU-T Q.24); networks that compress speech want longer ones. */
const TONE_MS = 100;
const GAP_MS = 100;
/** What a comma stands for. */
const PAUSE_MS = 500;

/** Peak of each of the two tones, of a full scale of 1: about -9 and -7 dBm0. The higher one is the louder, as lines weaken it more (Q.24). */
const ROW_PEAK = 0.24;
const COLUMN_PEAK = 0.3;

const silence = (durationMs: number): Uint8Array => new Uint8Array((durationMs * SAMPLE_RATE_HZ) / 1000).fill(MULAW_SILENCE);

function toneOf(key: string): Uint8Array {
  const index = KEYS.indexOf(key);
  const [rowHz = 0, columnHz = 0] = [ROWS_HZ[index >> 2], COLUMNS_HZ[index & 3]];
  const samples = Int16Array.from({ length: (TONE_MS * SAMPLE_RATE_HZ) / 1000 }, (_, at) => {
    const turn = (2 * Math.PI * at) / SAMPLE_RATE_HZ;
    return 0x7fff * (ROW_PEAK * Math.sin(turn * rowHz) + COLUMN_PEAK * Math.sin(turn * columnHz));
  });
  return encodeMulaw(samples);
}

/** Every key's tone with the gap after it, made once. */
const soundOf: ReadonlyMap<string, Uint8Array> = new Map([
  ...[...KEYS].map((key) => [key, Buffer.concat([toneOf(key), silence(GAP_MS)])] as const),
  [',', silence(PAUSE_MS)],
]);

/** The tones of keys (`0-9*#A-D`), one after the other, as 8 kHz mu-law; a comma is a pause of half a second. Other characters are left out. */
export function keyTones(digits: string): Uint8Array {
  return Buffer.concat([...digits].flatMap((key) => soundOf.get(key) ?? []));
}
