import { silentLog } from '../../base/log.js';
import { startSilero } from '../../speech/silero/silero-voice-activity.js';
import { whyNoSilero } from '../open-voice-activity.js';
import { note, ok, skipped, type Check } from './finding.js';

/** What will find the callers' voices: loads the model as `serve` does. */
export const voiceActivityCheck: Check = {
  title: 'Voice activity',
  async run({ config, clock }) {
    if (config === null) return [skipped('needs a valid configuration')];
    if (config.voiceActivity === 'energy') return [ok('energy, as AGENT_STREAM_VOICE_ACTIVITY says')];
    try {
      const silero = await startSilero({ maxCalls: 1, clock, log: silentLog });
      await silero.close();
      return [ok('Silero loads')];
    } catch (error) {
      const cure = 'Run npm ci without --omit=optional for fewer false interruptions, or set AGENT_STREAM_VOICE_ACTIVITY=energy.';
      return [note(`the energy detector serves, Silero does not load: ${whyNoSilero(error)}`, cure)];
    }
  },
};
