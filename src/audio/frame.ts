/**
 * Inside a call, audio is G.711 mu-law at 8 kHz, mono: what most carriers, recognisers and voices speak, so that nothing on the
 * media path is decoded or resampled that need not be. A dialect whose wire carries something else converts at its edge.
 */
export const SAMPLE_RATE_HZ = 8000;

/** Length of one media frame. */
export const FRAME_MS = 20;

/** Bytes of one media frame: 20 ms of 8 kHz mu-law. */
export const FRAME_BYTES = (SAMPLE_RATE_HZ * FRAME_MS) / 1000;

/** Mu-law code of digital silence (ITU-T G.711: positive zero). */
export const MULAW_SILENCE = 0xff;

/** Encodings that a carrier's stream may announce. */
export type AudioEncoding = 'mulaw' | 'alaw' | 'l16-le' | 'l16-be';

/** What one direction of a stream carries on the wire. */
export interface AudioFormat {
  readonly encoding: AudioEncoding;
  readonly sampleRateHz: number;
}

/** Milliseconds of `byteLength` bytes of 8 kHz mu-law. */
export function mulawDurationMs(byteLength: number): number {
  return (byteLength * 1000) / SAMPLE_RATE_HZ;
}
