import { SAMPLE_RATE_HZ, type AudioEncoding, type AudioFormat } from '../../audio/frame.js';
import { isRecord, type JsonRecord } from '../../base/json.js';
import type { StreamMessage, StreamStart } from '../dialect.js';
import { readCustomParameters, readIdentifier, readText } from '../wire-text.js';

/** Names of the two encodings in `mediaFormat.encoding`, lower-cased. Absent means mu-law. */
const ENCODINGS: Readonly<Record<string, AudioEncoding>> = {
  'audio/x-mulaw': 'mulaw',
  'audio/mulaw': 'mulaw',
  'audio/pcmu': 'mulaw',
  pcmu: 'mulaw',
  mulaw: 'mulaw',
  ulaw: 'mulaw',
  'audio/x-alaw': 'alaw',
  'audio/alaw': 'alaw',
  'audio/pcma': 'alaw',
  pcma: 'alaw',
  alaw: 'alaw',
};

/** Tracks named in `start.tracks` at most. */
const MAX_TRACKS = 8;

function readMediaFormat(value: unknown): AudioFormat | undefined {
  if (value === undefined || value === null) return { encoding: 'mulaw', sampleRateHz: SAMPLE_RATE_HZ };
  if (!isRecord(value)) return undefined;
  const name = value['encoding'] ?? 'pcmu';
  const encoding = typeof name === 'string' && Object.hasOwn(ENCODINGS, name.toLowerCase()) ? ENCODINGS[name.toLowerCase()] : undefined;
  const isRateServed = Number(value['sampleRate'] ?? SAMPLE_RATE_HZ) === SAMPLE_RATE_HZ;
  const isMono = Number(value['channels'] ?? 1) === 1;
  return encoding !== undefined && isRateServed && isMono ? { encoding, sampleRateHz: SAMPLE_RATE_HZ } : undefined;
}

function readTracks(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, MAX_TRACKS).flatMap((track: unknown) => readText(track, 32) ?? []);
}

/** Understands a `start` message: a {@link StreamStart}, or `malformed` with the code of what is missing. */
export function parseStart(message: JsonRecord): StreamMessage {
  const start = message['start'];
  if (!isRecord(start)) return { type: 'malformed', code: 'missing-start-metadata', problem: 'start has no start object' };
  const streamId = readIdentifier(start['streamSid'] ?? message['streamSid']);
  const sessionId = readIdentifier(start['session']);
  const callId = readIdentifier(start['callSid']);
  if (streamId === undefined || sessionId === undefined || callId === undefined) {
    return { type: 'malformed', code: 'missing-stream-identifiers', problem: 'start lacks streamSid, callSid or session' };
  }
  const format = readMediaFormat(start['mediaFormat']);
  if (format === undefined) return { type: 'malformed', code: 'unsupported-media', problem: 'start.mediaFormat is not G.711 at 8 kHz' };
  return { type: 'start', start: describeStart(start, { streamId, sessionId, callId }, format) };
}

/** A domain given as `<Parameter name="Domain">`, by carriers that strip a URL's query and send no account. */
function readDomainParameter(parameters: unknown): string | undefined {
  return isRecord(parameters) ? (readText(parameters['Domain']) ?? readText(parameters['domain'])) : undefined;
}

function describeStart(
  start: JsonRecord,
  ids: { readonly streamId: string; readonly sessionId: string; readonly callId: string },
  format: AudioFormat,
): StreamStart {
  const account = readText(start['accountSid']) ?? readDomainParameter(start['customParameters']);
  const from = readText(start['from']);
  const to = readText(start['to']);
  const context = readText(start['context'], 64);
  const tracks = readTracks(start['tracks']);
  const { parameters, dropped } = readCustomParameters(start['customParameters']);
  const mediaEncoding = format.encoding === 'alaw' ? 'audio/x-alaw' : 'audio/x-mulaw';
  return {
    ...ids,
    account,
    from,
    to,
    direction: context === 'outbound-api' ? 'outbound' : 'inbound',
    tracks,
    inboundFormat: format,
    outboundFormat: format,
    customParameters: parameters,
    webhookLog: {
      domain: account ?? null,
      session: ids.sessionId,
      call_sid: ids.callId,
      stream_sid: ids.streamId,
      from: from ?? null,
      to: to ?? null,
      context: context ?? null,
      tracks,
      media_format: { encoding: mediaEncoding, sample_rate: format.sampleRateHz, channels: 1 },
      ...(dropped > 0 ? { custom_parameters_dropped: dropped } : {}),
    },
  };
}
