import { MULAW_SILENCE, SAMPLE_RATE_HZ } from './frame.js';
import { encodeMulaw } from './g711.js';

/** Ring-back as in North America (ITU-T E.180, supplement 2): two tones, Hz; on for two seconds, off for four. */
const TONES_HZ = [440, 480] as const;
const ON_MS = 2000;
const OFF_MS = 4000;

/** Peak of each tone, of a full scale of 1: about -19 dBm0 each, as exchanges send it. */
const PEAK = 0.078;

/** One ring and the pause after it, as 8 kHz mu-law. */
export const ringBack: Uint8Array = Buffer.concat([
  encodeMulaw(
    Int16Array.from({ length: (ON_MS * SAMPLE_RATE_HZ) / 1000 }, (_, at) =>
      TONES_HZ.reduce((sum, hz) => sum + 0x7fff * PEAK * Math.sin((2 * Math.PI * hz * at) / SAMPLE_RATE_HZ), 0),
    ),
  ),
  new Uint8Array((OFF_MS * SAMPLE_RATE_HZ) / 1000).fill(MULAW_SILENCE),
]);
