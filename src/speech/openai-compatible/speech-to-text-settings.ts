import { z } from 'zod';
import { AgentStreamError } from '../../base/errors.js';

const MAX_KEYTERMS = 100;
/** Where sessions over a WebSocket are offered without being asked for by `mode`. */
const OWN_HOST = 'api.openai.com';

/** Options of the speech-to-text leg. */
export const openaiSpeechToTextSchema = z.strictObject({
  mode: z
    .enum(['realtime', 'segments'])
    .optional()
    .describe('realtime: one session over a WebSocket; segments: one request per stretch of speech. Default: realtime at api.openai.com, else segments.'),
  model: z
    .string()
    .min(1)
    .max(200)
    .optional()
    .describe('Model name as the server knows it. Default: gpt-live-transcribe for realtime, gpt-transcribe where the vendor detects turns, whisper-1 for segments.'),
  language: z.string().min(2).max(20).optional().describe('BCP 47 tag, or multi for none. Default: the language of the agent.'),
  keyterms: z
    .array(z.string().min(1).max(100))
    .max(MAX_KEYTERMS)
    .default([])
    .describe('Names and words to expect, besides those of the agent.'),
  prompt: z.string().min(1).max(1000).optional().describe('What the conversation is about, in words; gpt-realtime-whisper takes none.'),
  turn_detection: z
    .enum(['none', 'server_vad', 'semantic_vad'])
    .optional()
    .describe('Realtime: who cuts segments. semantic_vad also ends turns. Default: none for gpt-live-transcribe and gpt-realtime-whisper, which take no other, else server_vad.'),
  eagerness: z.enum(['auto', 'low', 'medium', 'high']).default('auto').describe('Realtime: how soon semantic_vad ends a turn.'),
  silence_ms: z.int().min(100).max(5000).default(500).describe('Silence after which a segment is settled: by server_vad, or cut here.'),
  max_segment_ms: z.int().min(2000).max(30_000).default(15_000).describe('Segments: longer speech is cut.'),
  interim_every_ms: z
    .int()
    .min(300)
    .max(10_000)
    .optional()
    .describe('Segments: how often speech that goes on is sent so far, for its interim text. Each time is a request. Default: never.'),
  request_timeout_ms: z.int().min(500).max(60_000).default(6000).describe('Segments: how long a text may take, other tries included.'),
});

/** Parsed options of the speech-to-text leg. */
export type OpenaiSpeechToTextSettings = z.infer<typeof openaiSpeechToTextSchema>;

/** How a session over a WebSocket is held. */
export interface RealtimeChoice {
  readonly mode: 'realtime';
  readonly model: string;
  readonly turnDetection: 'none' | 'server_vad' | 'semantic_vad';
}

/** What the settings come to at one server. */
export type SpeechToTextChoice = RealtimeChoice | { readonly mode: 'segments'; readonly model: string };

/** Models that write while they listen, and take no turn detection (developers.openai.com/api/docs/guides/realtime-transcription). */
export const isStreamingModel = (model: string): boolean => /^gpt-(live-transcribe|realtime-whisper)/.test(model);
/** Models that take words to expect and languages as lists. */
const takesLists = (model: string): boolean => /^gpt-(live-)?transcribe/.test(model);

/**
 * Fills in what depends on the server and on other options.
 * @throws AgentStreamError `configuration-invalid` where the model cannot detect turns
 */
export function chooseSpeechToText(settings: OpenaiSpeechToTextSettings, baseUrl: string): SpeechToTextChoice {
  const isOwn = URL.canParse(baseUrl) && new URL(baseUrl).hostname === OWN_HOST;
  const mode = settings.mode ?? (isOwn ? 'realtime' : 'segments');
  if (mode === 'segments') return { mode, model: settings.model ?? 'whisper-1' };
  const isDetecting = settings.turn_detection !== undefined && settings.turn_detection !== 'none';
  const model = settings.model ?? (isDetecting ? 'gpt-transcribe' : 'gpt-live-transcribe');
  if (isDetecting && isStreamingModel(model)) {
    throw new AgentStreamError('configuration-invalid', {
      message: `${model} takes no turn_detection: leave it out, or choose another model, such as gpt-transcribe.`,
    });
  }
  return { mode, model, turnDetection: settings.turn_detection ?? (isStreamingModel(model) ? 'none' : 'server_vad') };
}

/** What one call expects to hear. */
interface Expected {
  readonly language: string;
  readonly keyterms: readonly string[];
}

function termsOf(settings: OpenaiSpeechToTextSettings, call: Expected): readonly string[] {
  return [...new Set([...settings.keyterms, ...call.keyterms])].slice(0, MAX_KEYTERMS);
}

/** ISO 639-1 code; undefined where the model shall find out. */
function languageOf(settings: OpenaiSpeechToTextSettings, call: Expected): string | undefined {
  const language = settings.language ?? call.language;
  return language === 'multi' ? undefined : language.split('-')[0];
}

/** Context and words to expect as one text: what models know that take no lists. */
function promptOf(settings: OpenaiSpeechToTextSettings, call: Expected): string | undefined {
  const terms = termsOf(settings, call).join(', ');
  const parts = [settings.prompt, terms].filter((part) => part !== undefined && part !== '');
  return parts.length === 0 ? undefined : parts.join(' ');
}

/** The form fields that go with the audio of a segment (platform.openai.com/docs/api-reference/audio/createTranscription). */
export function requestFields(settings: OpenaiSpeechToTextSettings, model: string, call: Expected): Readonly<Record<string, string>> {
  const prompt = promptOf(settings, call);
  // gpt-transcribe takes no single language; it finds out.
  const language = takesLists(model) ? undefined : languageOf(settings, call);
  return { model, response_format: 'json', ...(language === undefined ? {} : { language }), ...(prompt === undefined ? {} : { prompt }) };
}

function transcriptionOf(settings: OpenaiSpeechToTextSettings, model: string, call: Expected) {
  const language = languageOf(settings, call);
  if (takesLists(model)) {
    const keywords = termsOf(settings, call);
    return { model, languages: language === undefined ? undefined : [language], keywords: keywords.length === 0 ? undefined : keywords, prompt: settings.prompt };
  }
  return { model, language, prompt: model.startsWith('gpt-realtime-whisper') ? undefined : promptOf(settings, call) };
}

function turnDetectionOf(settings: OpenaiSpeechToTextSettings, { turnDetection }: RealtimeChoice) {
  if (turnDetection === 'none') return null;
  if (turnDetection === 'server_vad') return { type: turnDetection, silence_duration_ms: settings.silence_ms };
  return { type: turnDetection, eagerness: settings.eagerness };
}

/** The first message of a session of 8 kHz mono mu-law (developers.openai.com/api/reference/resources/realtime/client-events). */
export function sessionUpdateMessage(settings: OpenaiSpeechToTextSettings, choice: RealtimeChoice, call: Expected): string {
  const input = {
    format: { type: 'audio/pcmu' },
    transcription: transcriptionOf(settings, choice.model, call),
    turn_detection: turnDetectionOf(settings, choice),
  };
  return JSON.stringify({ type: 'session.update', session: { type: 'transcription', audio: { input } } });
}
