import type { z } from 'zod';
import { isRecord, type JsonRecord } from '../../base/json.js';
import type { DroppedReport } from './dropped.js';
import type { ExportEnvelope } from './envelope.js';
import { prune } from './prune.js';

type Settings = Record<string, unknown>;
type Drop = (path: readonly string[], value: unknown, why: string) => void;

/** Below this length a call has no room for the warning that comes 15 s before its end. */
const SHORTEST_WARNED_CALL_SECONDS = 16;

const modelsElsewhere = 'vendors and keys are this server’s: choose them in settings.models';

/** Configurations of Dograh that have no setting here, with the reason. */
const withoutSetting: Readonly<Record<string, string>> = {
  model_overrides: modelsElsewhere,
  model_configuration_v2_override: modelsElsewhere,
  user_turn_stop_timeout: 'turns end by words and silence: settings.turn.endpointing',
  provisional_vad_pause_secs: 'used with turn_start_strategy provisional_vad only',
  turn_start_min_words: 'used with turn_start_strategy min_words only',
  smart_turn_stop_secs: 'used with turn_stop_strategy turn_analyzer only',
  transcript_configuration: 'every line of a transcript has its beginning and its end',
  external_pbx_field_mappings: 'this server writes to no external PBX',
  external_pbx_lead_headers: 'this server writes to no external PBX',
};

/** Configurations that mean nothing while they are switched off. */
const isOff = (value: unknown): boolean => value === false || value === null || value === '' || (isRecord(value) && value['enabled'] === false);

const secondsToMs = (seconds: unknown): number | undefined => {
  const number = typeof seconds === 'string' ? Number(seconds) : seconds;
  return typeof number === 'number' && Number.isFinite(number) ? Math.round(number * 1000) : undefined;
};

/** A list of words, where Dograh has them in one text between commas. */
const wordsOf = (value: unknown): unknown =>
  typeof value === 'string'
    ? value
        .split(/[,\n]/)
        .map((word) => word.trim())
        .filter((word) => word !== '')
    : value;

function turnOf(given: Settings, drop: Drop): Settings {
  const { turn_start_strategy: start, turn_stop_strategy: stop } = given;
  const interruption: Settings = {};
  const endpointing: Settings = {};
  const used = new Set(['turn_start_strategy', 'turn_stop_strategy']);
  if (start === 'min_words') {
    interruption['min_words'] = given['turn_start_min_words'] ?? 3;
    used.add('turn_start_min_words');
  } else if (start === 'provisional_vad') {
    interruption['false_interruption_timeout_ms'] = secondsToMs(given['provisional_vad_pause_secs'] ?? 1.5);
    used.add('provisional_vad_pause_secs');
  } else if (start !== undefined && start !== 'default') drop(['turn_start_strategy'], start, 'is no known strategy');
  if (stop === 'turn_analyzer') {
    endpointing['max_delay_ms'] = secondsToMs(given['smart_turn_stop_secs'] ?? 2);
    used.add('smart_turn_stop_secs');
  } else if (stop !== undefined && stop !== 'transcription') drop(['turn_stop_strategy'], stop, 'is no known strategy');
  for (const key of used) Reflect.deleteProperty(given, key);
  const groups = Object.entries({ interruption, endpointing }).filter(([, group]) => Object.values(group).some((value) => value !== undefined));
  return groups.length === 0 ? {} : { turn: Object.fromEntries(groups) };
}

/** Dograh's detector asks a model; ours goes by rules, so that only its switch and its time limit have a meaning here. */
function voicemailOf(given: Settings, drop: Drop): Settings {
  const detection = given['voicemail_detection'];
  Reflect.deleteProperty(given, 'voicemail_detection');
  if (!isRecord(detection) || detection['enabled'] !== true) return {};
  const { enabled, long_speech_timeout: longSpeechSeconds, ...others } = detection;
  for (const [key, value] of Object.entries(others)) if (value !== null) drop(['voicemail_detection', key], value, 'voicemail is found by rules, not by a model');
  return { voicemail_detection: { enabled, action: 'hang_up', ...(longSpeechSeconds === undefined || longSpeechSeconds === null ? {} : { long_speech_seconds: longSpeechSeconds }) } };
}

/** Dograh's configurations in the names, types and units of our settings; what has no setting is reported. */
function translateConfigurations(configurations: JsonRecord, drop: Drop): Settings {
  const given: Settings = { ...configurations };
  const settings: Settings = { ...turnOf(given, drop), ...voicemailOf(given, drop) };
  for (const [key, value] of Object.entries(given)) {
    if (isOff(value)) continue;
    if (key === 'dictionary') settings['dictionary'] = wordsOf(value);
    else if (key === 'ambient_noise_configuration') settings['ambient_noise'] = value;
    else if (Object.hasOwn(withoutSetting, key)) drop([key], value, withoutSetting[key] ?? '');
    else settings[key] = value;
  }
  const { max_call_duration: duration } = settings;
  if (typeof duration === 'number' && duration < SHORTEST_WARNED_CALL_SECONDS) settings['max_duration_warning_seconds'] = 0;
  return settings;
}

/** The settings of an imported agent: ours as they are, Dograh's translated, both without what this version does not have. */
export function importSettings(envelope: ExportEnvelope, schema: z.ZodType, report: DroppedReport): unknown {
  const { settings, configurations } = envelope;
  const prefix = configurations === null ? 'settings' : 'workflow_configurations';
  const drop: Drop = (path, value, why) => report.add([prefix, ...path], value, why);
  const translated = configurations === null ? {} : translateConfigurations(configurations, drop);
  const merged = { ...translated, ...settings };
  return prune(schema, merged, (path, value, why) => report.add([prefix, ...path], value, why));
}
