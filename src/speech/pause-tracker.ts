/** Tells pauses from words that go on, where a vendor reports the one and not the other. */
export interface PauseTracker {
  /** A word came; true: after a pause. */
  hear(): boolean;
  /** The silence that ends a segment came; true: it ends words. */
  end(): boolean;
}

/** Creates one that has heard nothing. */
export function createPauseTracker(): PauseTracker {
  let state: 'silent' | 'speaking' | 'paused' = 'silent';
  return {
    hear() {
      const isResumed = state === 'paused';
      state = 'speaking';
      return isResumed;
    },
    end() {
      const isPause = state === 'speaking';
      if (isPause) state = 'paused';
      return isPause;
    },
  };
}
