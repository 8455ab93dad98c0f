import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import type { Config } from '../config.js';
import { energyVoiceActivity } from '../speech/energy-voice-activity.js';
import { startSilero } from '../speech/silero/silero-voice-activity.js';
import type { VoiceActivity } from '../speech/voice-activity.js';

/** A node's voice activity, to be closed with it. */
export interface OpenVoiceActivity extends VoiceActivity {
  close(): Promise<void>;
}

const light = (): OpenVoiceActivity => ({ ...energyVoiceActivity, close: () => Promise.resolve() });

/** What a machine without the model is told. */
export function whyNoSilero(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return /cannot find (module|package)/i.test(text) ? 'its optional packages are not installed' : (text.split('\n')[0] ?? text);
}

/**
 * Silero where it is wanted and loads here, else the energy detector: its lack is told to the log, once, and is no error.
 * Never rejects.
 */
export async function openVoiceActivity(
  { voiceActivity: wanted, maxCalls }: Pick<Config, 'voiceActivity' | 'maxCalls'>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<OpenVoiceActivity> {
  if (wanted === 'energy') return light();
  try {
    return await startSilero({ maxCalls, clock, log });
  } catch (error) {
    const say = wanted === 'silero' ? log.warn : log.info;
    say('Silero cannot be loaded; voice activity is found by the energy detector', { reason: whyNoSilero(error) });
    return light();
  }
}
