import { createRequire } from 'node:module';
import { createSileroDetector, type SileroDetector } from '../../src/speech/silero/silero-detector.js';
import { loadSileroModel, type OnnxRuntime, type SileroModel } from '../../src/speech/silero/silero-model.js';
import { findSileroPackages } from '../../src/speech/silero/silero-voice-activity.js';
import { allocateRing, WindowRing } from '../../src/speech/silero/window-ring.js';
import type { VoiceActivity } from '../../src/speech/voice-activity.js';

/** The model in the test's own thread, so that virtual time can wait for its answers. */
export interface SteppedSilero {
  readonly ring: WindowRing;
  readonly model: SileroModel;
  /** Detectors whose lateness is told by `nowMs`. */
  voiceActivity(nowMs: () => number): VoiceActivity;
  /** Answers everything that was asked. */
  step(): Promise<void>;
}

/** Loads the model for up to `slots` calls; null, and a line on the output, where it does not load here. */
export async function loadSteppedSilero(slots: number): Promise<SteppedSilero | null> {
  try {
    const { runtimePath, modelPath } = findSileroPackages();
    const ring = new WindowRing(allocateRing(slots));
    const model = await loadSileroModel(createRequire(import.meta.url)(runtimePath) as OnnxRuntime, modelPath, ring);
    const detectors: SileroDetector[] = [];
    return {
      ring,
      model,
      voiceActivity: (nowMs) => ({
        name: 'silero',
        open(options) {
          const place = { ring, slot: detectors.length, nowMs, isAlive: () => true, onLate: () => undefined, onClose: () => undefined };
          const detector = createSileroDetector(place, options);
          detectors.push(detector);
          return detector;
        },
      }),
      async step() {
        while ((await model.scoreWaiting()) > 0) continue;
        for (const detector of detectors) detector.takeAnswers();
      },
    };
  } catch (error) {
    process.stdout.write(`Silero does not load here, and is not tested: ${String(error)}\n`);
    return null;
  }
}
