import type { Clock } from '../base/clock.js';
import { builtinTtsSettingsSchema } from '../speech/builtin/settings.js';
import { createBuiltinSpeechToText } from '../speech/builtin/speech-to-text.js';
import { createBuiltinTextToSpeech } from '../speech/builtin/text-to-speech.js';
import { builtinVoiceName, type BuiltinVoiceName } from '../speech/builtin/voice.js';
import type { SpeechToText } from '../speech/speech-to-text.js';
import type { TextToSpeech } from '../speech/text-to-speech.js';

/** A caller's voice and ears: both real audio, both simulated vendors. */
export interface SimulatedSpeech {
  readonly voice: TextToSpeech;
  readonly recogniser: SpeechToText;
  /** What renders the words on this machine. */
  readonly voiceName: BuiltinVoiceName;
}

/** A caller that sounds higher and a little faster than the agent's default voice, so that a recording tells them apart. */
const CALLER_VOICE = { pitch: 75, words_per_minute: 190 };

/** Creates the speech of a simulated caller. */
export function createSimulatedSpeech(clock: Clock): SimulatedSpeech {
  return {
    voice: createBuiltinTextToSpeech(builtinTtsSettingsSchema.parse(CALLER_VOICE), { clock }),
    recogniser: createBuiltinSpeechToText(),
    voiceName: builtinVoiceName(),
  };
}
