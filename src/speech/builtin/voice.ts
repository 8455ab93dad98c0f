import type { Clock } from '../../base/clock.js';
import { AgentStreamError } from '../../base/errors.js';
import { renderBundled } from './bundled-voice.js';
import { findEspeak, renderWithEspeak } from './espeak.js';
import type { BuiltinTtsSettings } from './settings.js';
import { runInSlices } from './slices.js';
import { shapeSpeech } from './speech-shaping.js';

/** What speaks for the builtin vendor. */
export type BuiltinVoiceName = 'espeak-ng' | 'bundled';

/** Voice that is tried where espeak-ng has none for the asked language. */
const DEFAULT_VOICE = 'en-us';

/** Rendered clauses kept, over all calls of this process: about 17 minutes of speech. */
const MAX_CACHED_BYTES = 16 * 1024 * 1024;

/** Which voice the builtin vendor speaks with on this machine, for banners. */
export function builtinVoiceName(): BuiltinVoiceName {
  return findEspeak() === null ? 'bundled' : 'espeak-ng';
}

/** How a clause is to be spoken. */
export interface ClauseOptions {
  readonly settings: BuiltinTtsSettings;
  readonly language: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The voice that these settings choose on this machine. */
export function chooseVoice(settings: BuiltinTtsSettings): BuiltinVoiceName {
  return settings.engine === 'auto' ? builtinVoiceName() : settings.engine;
}

/** espeak-ng's name for a BCP 47 tag; `multi` and malformed tags are English. */
export function espeakVoice(settings: BuiltinTtsSettings, language: string): string {
  if (settings.voice !== undefined) return settings.voice.toLowerCase();
  const tag = language.toLowerCase();
  if (tag === 'en' || tag === 'multi' || !/^[a-z]{2,3}(-[a-z0-9]{1,8}){0,3}$/.test(tag)) return DEFAULT_VOICE;
  return tag;
}

const cache = new Map<string, Int16Array>();
let cachedBytes = 0;

function remember(key: string, speech: Int16Array): void {
  cachedBytes += speech.byteLength - (cache.get(key)?.byteLength ?? 0);
  cache.delete(key);
  cache.set(key, speech);
  for (const [oldestKey, oldest] of cache) {
    if (cachedBytes <= MAX_CACHED_BYTES) break;
    cache.delete(oldestKey);
    cachedBytes -= oldest.byteLength;
  }
}

/** Voices to try in turn: the one asked for, its language, English. */
function espeakVoices(settings: BuiltinTtsSettings, language: string): readonly string[] {
  const voice = espeakVoice(settings, language);
  return [...new Set([voice, voice.split(/[-+]/)[0] ?? voice, DEFAULT_VOICE])];
}

async function renderEspeak(text: string, options: ClauseOptions): Promise<Int16Array | null> {
  const { settings, language, clock, signal } = options;
  for (const voice of espeakVoices(settings, language)) {
    try {
      return await renderWithEspeak(text, { voice, wordsPerMinute: settings.words_per_minute, pitch: settings.pitch, clock, signal });
    } catch (error) {
      if (signal.aborted || !(error instanceof AgentStreamError)) throw error;
    }
  }
  return null;
}

function renderWithBundled(text: string, { settings, signal }: ClauseOptions): Promise<Int16Array> {
  return runInSlices(renderBundled(text, { wordsPerMinute: settings.words_per_minute, pitch: settings.pitch }), signal);
}

/**
 * Renders one clause as shaped 8 kHz speech, from the cache where it was rendered before. Where espeak-ng fails, the bundled
 * voice takes the clause, so that the caller hears something. The result is shared: do not write to it.
 * @throws the signal's reason on abort.
 */
export async function renderClause(text: string, options: ClauseOptions): Promise<Int16Array> {
  const { settings, language } = options;
  const name = chooseVoice(settings);
  const key = JSON.stringify([name, name === 'bundled' ? '' : espeakVoice(settings, language), settings.words_per_minute, settings.pitch, text]);
  const known = cache.get(key);
  if (known !== undefined) {
    remember(key, known);
    return known;
  }
  const rendered = name === 'espeak-ng' ? await renderEspeak(text, options) : null;
  const speech = await runInSlices(shapeSpeech(rendered ?? (await renderWithBundled(text, options))), options.signal);
  // A clause that the wrong voice had to take is not kept.
  if (rendered !== null || name === 'bundled') remember(key, speech);
  return speech;
}
