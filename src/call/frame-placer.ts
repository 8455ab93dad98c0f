/** Frames over which the least delay is looked for: one second. */
const WINDOW_FRAMES = 50;

/** Beyond this the audio is moved to where the clock says it belongs: 10 ms at 8 kHz. */
const TOLERANCE_SAMPLES = 80;

/** Finds where each frame of a live track lies on the call's clock. */
export interface FramePlacer {
  /** The first sample of a frame that arrived at `arrivalSample`. `settledSample`: what lies before is written already. */
  place(arrivalSample: number, frameSamples: number, settledSample: number): number;
  /** Where the last frame ended. */
  readonly endSample: number;
}

/**
 * Frames follow each other by count: the network delivers them late and in bursts, but none is missing. The least delay of a second says how
 * far the count is off: a stream that paused without telling, or a sender whose clock drifts, is moved by that.
 */
export function createFramePlacer(): FramePlacer {
  let endSample = 0;
  let hasBegun = false;
  let leastDelay = Infinity;
  let framesLeft = WINDOW_FRAMES;

  const moveTo = (sample: number) => {
    endSample = sample;
    leastDelay = Infinity;
    framesLeft = WINDOW_FRAMES;
  };

  return {
    get endSample() {
      return endSample;
    },
    place(arrivalSample, frameSamples, settledSample) {
      if (!hasBegun || endSample < settledSample) moveTo(Math.max(arrivalSample, settledSample));
      hasBegun = true;
      leastDelay = Math.min(leastDelay, arrivalSample - endSample);
      framesLeft -= 1;
      if (framesLeft === 0) moveTo(Math.abs(leastDelay) > TOLERANCE_SAMPLES ? Math.max(endSample + leastDelay, settledSample) : endSample);
      const startSample = endSample;
      endSample += frameSamples;
      return startSample;
    },
  };
}
