/**
 * What docs/vendors.md says of a leg that no schema and no capability tells, by {@link titleOf} its row. `npm run docs` refuses a row without
 * facts, facts without a row, an option that is not there, and an SDK that no test uses.
 */
export interface VendorFacts {
  /** What becomes of 8 kHz mu-law on the way to the vendor and back; absent: the leg has no sound. */
  readonly audio?: string;
  /** How text reaches a voice. */
  readonly text?: 'streamed' | 'by sentence';
  /** Options with which the vendor ends turns, and one that has it say earlier that a turn may be over. */
  readonly endsTurnsWith?: Readonly<Record<string, unknown>>;
  readonly pausesWith?: string;
  /** Times of a recogniser's words; those of a voice are a capability. */
  readonly times?: string;
  /** Words to expect, where no option of the leg tells. */
  readonly keyterms?: 'yes' | 'no';
  /** What decides the language, where no option of the leg does. */
  readonly language?: string;
  /** What becomes of an answer that is interrupted. */
  readonly interruption?: string;
  /** The title of the test in test/support/fakes in which the vendor's SDK, its first word, talks with the fake; or why there is none. */
  readonly fake: { readonly test: string } | { readonly untested: string };
}

const native = 'native';
const requestEnded = 'request ended';
const modelLanguage = 'any that the model knows';

/** By row of test/contracts/vendor-legs.ts. */
export const vendorFacts: Readonly<Record<string, VendorFacts>> = {
  'deepgram stt (nova)': { audio: native, times: 'per segment', fake: { test: '@deepgram/sdk: two turns' } },
  'deepgram stt (flux)': { audio: native, endsTurnsWith: {}, pausesWith: 'eager_eot_threshold', times: 'per turn, from its words', fake: { test: '@deepgram/sdk: turns of Flux' } },
  'assemblyai stt': { audio: native, times: 'per segment, from its words', language: 'detected, or the model’s', fake: { test: 'assemblyai: a turn' } },
  'soniox stt': { audio: native, times: 'per segment, from its tokens', fake: { untested: 'its SDK was not tried' } },
  'speechmatics stt': { audio: native, endsTurnsWith: { ends_turns: true }, times: 'per sentence, from its words', fake: { test: '@speechmatics/real-time-client: an utterance' } },
  'elevenlabs stt': { audio: native, endsTurnsWith: { ends_turns: true }, times: 'per commit; per turn, from its words, with `ends_turns`', fake: { test: '@elevenlabs/elevenlabs-js: segments' } },
  'openai stt (realtime)': { audio: native, endsTurnsWith: { turn_detection: 'semantic_vad' }, times: 'per segment', fake: { test: 'openai: a transcription session' } },
  'openai stt (segments)': { audio: 'resampled to PCM of 16 kHz', times: 'per segment', fake: { test: 'openai: the text of a file' } },
  'openai llm': { language: modelLanguage, interruption: requestEnded, fake: { test: 'openai: a stream' } },
  'anthropic llm': { language: modelLanguage, interruption: requestEnded, fake: { test: '@anthropic-ai/sdk: a stream' } },
  'google llm': { language: modelLanguage, interruption: requestEnded, fake: { test: '@google/genai: a stream' } },
  'groq llm': { language: modelLanguage, interruption: requestEnded, fake: { test: 'groq-sdk: a stream' } },
  'cartesia tts': { audio: native, text: 'streamed', interruption: 'its context is cancelled', fake: { test: '@cartesia/cartesia-js: a context' } },
  'elevenlabs tts': { audio: native, text: 'streamed', interruption: 'its context is closed', fake: { test: '@elevenlabs/elevenlabs-js: contexts' } },
  'deepgram tts': { audio: native, text: 'streamed', language: 'the voice’s', interruption: '`Clear`', fake: { test: '@deepgram/sdk: texts' } },
  'rime tts': { audio: native, text: 'streamed', interruption: '`clear`', fake: { untested: 'there is no SDK' } },
  'openai tts': { audio: 'resampled from PCM', text: 'by sentence', language: 'the text’s', interruption: requestEnded, fake: { test: 'openai: speech as PCM' } },
  'azure tts': { audio: native, text: 'by sentence', interruption: requestEnded, fake: { untested: 'its SDK does not speak the REST that is used here' } },
  'google-cloud tts': { audio: 'native, in a WAV file', text: 'by sentence', language: 'the voice’s', interruption: requestEnded, fake: { untested: 'its SDK was not tried' } },
  'openai realtime': { audio: native, endsTurnsWith: {}, keyterms: 'yes', language: 'the agent’s, as a hint', interruption: 'cancelled, its memory cut to what was heard', fake: { test: 'openai: a realtime session' } },
  'google realtime': {
    audio: 'converted to PCM of 8 kHz; resampled from 24 kHz',
    keyterms: 'no',
    language: 'the speech’s',
    interruption: 'cut off, told in a note what was heard',
    fake: { test: '@google/genai: a turn' },
  },
  'ultravox realtime': {
    audio: 'converted to PCM of 8 kHz, both ways',
    endsTurnsWith: {},
    keyterms: 'no',
    language: 'the agent’s, as a hint',
    interruption: 'by the vendor, which cuts its memory',
    fake: { untested: 'its SDK joins calls over WebRTC, not over a WebSocket' },
  },
};
