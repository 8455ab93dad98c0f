import type { VendorModule } from '../vendor.js';
import { createBuiltinLanguageModel } from './language-model.js';
import { builtinLlmSettingsSchema, builtinSttSettingsSchema, builtinTtsSettingsSchema } from './settings.js';
import { createBuiltinSpeechToText } from './speech-to-text.js';
import { createBuiltinTextToSpeech } from './text-to-speech.js';

export { UNINTELLIGIBLE } from './unintelligible.js';
export { builtinVoiceName, type BuiltinVoiceName } from './voice.js';

/** Simulated vendor of all three legs: no key, no network. */
export const builtin: VendorModule = {
  name: 'builtin',
  displayName: 'Builtin (simulated)',
  isSimulated: true,
  apiKeyEnv: null,
  baseUrl: { env: null, default: '' },
  stt: { settingsSchema: builtinSttSettingsSchema, create: () => createBuiltinSpeechToText() },
  llm: {
    settingsSchema: builtinLlmSettingsSchema,
    create: (settings, context) => createBuiltinLanguageModel(builtinLlmSettingsSchema.parse(settings), context),
  },
  tts: {
    settingsSchema: builtinTtsSettingsSchema,
    create: (settings, context) => createBuiltinTextToSpeech(builtinTtsSettingsSchema.parse(settings), context),
  },
};
