import { afterAll, describe, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { energyVoiceActivity } from '../../src/speech/energy-voice-activity.js';
import { startSilero, type SileroVoiceActivity } from '../../src/speech/silero/silero-voice-activity.js';
import { silentLog } from '../../src/base/log.js';
import { describeVoiceActivity } from './voice-activity.js';

describeVoiceActivity('energy', () => Promise.resolve({ open: (options) => energyVoiceActivity.open(options), settle: () => Promise.resolve() }));

const silero = await startSilero({ maxCalls: 8, clock: systemClock, log: silentLog }).catch((error: unknown) => {
  process.stdout.write(`Silero does not load here, and is not tested: ${error instanceof Error ? error.message : String(error)}\n`);
  return null;
});

if (silero !== null) {
  afterAll(() => silero.close());
  describeVoiceActivity('silero', () => Promise.resolve({ open: (options) => silero.open(options), settle: () => untilAnswered(silero) }));
} else describe.skip('voice activity: silero', () => it('needs its optional packages', () => undefined));

/** Until the thread has answered everything, and the answers were taken. */
async function untilAnswered(thread: SileroVoiceActivity): Promise<void> {
  while (thread.waitingWindows > 0) await new Promise((resolve) => setTimeout(resolve, 1));
  await new Promise((resolve) => setImmediate(resolve));
}
