import type { LanguageModel } from '../language-model.js';
import type { SpeechToText } from '../speech-to-text.js';
import type { TextToSpeech } from '../text-to-speech.js';
import type { VendorLeg, VendorModule } from '../vendor.js';
import { createBuiltinLanguageModel } from './language-model.js';
import {
  builtinLlmSettingsSchema,
  builtinSttSettingsSchema,
  builtinTtsSettingsSchema,
  type BuiltinLlmSettings,
  type BuiltinTtsSettings,
} from './settings.js';
import { createBuiltinSpeechToText } from './speech-to-text.js';
import { createBuiltinTextToSpeech } from './text-to-speech.js';

export { builtinVoiceName } from './voice.js';

const speechToText: VendorLeg<SpeechToText> = { settingsSchema: builtinSttSettingsSchema, create: createBuiltinSpeechToText };

const languageModel: VendorLeg<LanguageModel, BuiltinLlmSettings> = {
  settingsSchema: builtinLlmSettingsSchema,
  create: createBuiltinLanguageModel,
};

const textToSpeech: VendorLeg<TextToSpeech, BuiltinTtsSettings> = {
  settingsSchema: builtinTtsSettingsSchema,
  create: createBuiltinTextToSpeech,
};

/** Simulated vendor of all three legs: no key, no network. */
export const builtin: VendorModule = {
  name: 'builtin',
  displayName: 'Builtin (simulated)',
  isSimulated: true,
  apiKeyEnv: null,
  baseUrl: { env: null, default: '' },
  stt: speechToText,
  llm: languageModel,
  tts: textToSpeech,
};
