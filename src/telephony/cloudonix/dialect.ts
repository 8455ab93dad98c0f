import { FRAME_BYTES } from '../../audio/frame.js';
import { isRecord, type JsonRecord } from '../../base/json.js';
import type { Dialect, StreamMessage, StreamReader, StreamReaderSink, StreamStart, StreamWriter } from '../dialect.js';
import { parseJsonObject, readText } from '../wire-text.js';
import { createMediaParts, isCallerTrackName, locateMedia } from './media-fast-path.js';
import { parseStart } from './start-message.js';

/** Largest payload of one message: what a 64 KiB frame can carry. */
const MAX_PAYLOAD_BYTES = 49_152;

/** Decoded audio of the message being read. Shared by all streams: reading is synchronous. */
const scratch = Buffer.allocUnsafeSlow(MAX_PAYLOAD_BYTES);

/** A plain array on the scratch: that of a Buffer would share its memory when sliced. */
function viewScratch(length: number): Uint8Array {
  return new Uint8Array(scratch.buffer, scratch.byteOffset, length);
}

/** Audio being written, so that encoding it makes no view. */
const outgoing = Buffer.allocUnsafeSlow(MAX_PAYLOAD_BYTES);

const DTMF_DIGIT = /^[0-9*#A-D]$/;

function malformed(problem: string): StreamMessage {
  return { type: 'malformed', code: 'malformed-handshake', problem };
}

/** Bytes that a well-formed base64 text of this length decodes to; -1 where it is empty or not whole. */
function decodedLength(text: string, start: number, end: number): number {
  const length = end - start;
  if (length === 0 || length % 4 !== 0) return -1;
  const isPadded = text.charCodeAt(end - 1) === 0x3d;
  const isPaddedTwice = isPadded && text.charCodeAt(end - 2) === 0x3d;
  return (length / 4) * 3 - (isPaddedTwice ? 2 : isPadded ? 1 : 0);
}

/** A number that may be written as a string; NaN where it is neither. */
function readCount(value: unknown): number {
  if (typeof value === 'string') return /^\d{1,15}$/.test(value) ? Number(value) : NaN;
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : NaN;
}

function parseControl(message: JsonRecord): StreamMessage | null {
  switch (message['event']) {
    case 'connected':
      return { type: 'connected' };
    case 'start':
      return parseStart(message);
    case 'stop':
      return { type: 'stop' };
    case 'dtmf':
      return parseDtmf(message['dtmf']);
    case 'mark':
      return parseMark(message['mark']);
    default:
      return { type: 'unknown', name: readText(message['event'], 64) ?? '(no event)' };
  }
}

function parseDtmf(dtmf: unknown): StreamMessage | null {
  if (!isRecord(dtmf) || typeof dtmf['digit'] !== 'string') return malformed('dtmf without a digit');
  if (!isCallerTrackName(dtmf['track'])) return null;
  const digit = dtmf['digit'].toUpperCase();
  return DTMF_DIGIT.test(digit) ? { type: 'dtmf', digit } : malformed('dtmf digit is not one of 0-9 * # A-D');
}

function parseMark(mark: unknown): StreamMessage {
  const name = isRecord(mark) ? readText(mark['name']) : undefined;
  return name === undefined ? malformed('mark without a name') : { type: 'mark', name };
}

function createReader(sink: StreamReaderSink): StreamReader {
  const parts = createMediaParts();
  let view = viewScratch(FRAME_BYTES);
  /** Which count orders the media: a stream that numbers its chunks is ordered by them throughout. */
  let orderedBy: 'undecided' | 'chunk' | 'sequence-number' = 'undecided';

  /** Delivers the audio that `parts` locates in `text`. */
  function deliver(text: string): void {
    const { payloadStart, payloadEnd } = parts;
    const expected = decodedLength(text, payloadStart, payloadEnd);
    const written = expected === -1 ? 0 : scratch.write(text.slice(payloadStart, payloadEnd), 0, 'base64');
    if (written !== expected) {
      sink.onMessage(malformed('media payload is not base64 audio'));
      return;
    }
    if (orderedBy === 'undecided') orderedBy = Number.isNaN(parts.chunk) ? 'sequence-number' : 'chunk';
    if (view.length !== written) view = viewScratch(written);
    sink.onMedia(view, orderedBy === 'chunk' ? parts.chunk : parts.sequenceNumber, parts.timestampMs);
  }

  function readParsedMedia(message: JsonRecord): void {
    const media = message['media'];
    if (!isRecord(media) || typeof media['payload'] !== 'string') {
      sink.onMessage(malformed('media without a payload'));
      return;
    }
    if (!isCallerTrackName(media['track'])) return;
    const payload = media['payload'];
    parts.payloadStart = 0;
    parts.payloadEnd = payload.length;
    parts.chunk = readCount(media['chunk']);
    parts.timestampMs = readCount(media['timestamp']);
    parts.sequenceNumber = readCount(message['sequenceNumber']);
    deliver(payload);
  }

  function readParsed(text: string): void {
    const message = parseJsonObject(text);
    if (message === null) sink.onMessage(malformed('not a JSON object'));
    else if (message['event'] === 'media') readParsedMedia(message);
    else {
      const control = parseControl(message);
      if (control !== null) sink.onMessage(control);
    }
  }

  return {
    read(message, isBinary) {
      if (isBinary) {
        sink.onMessage({ type: 'malformed', code: 'wrong-frame-type', problem: 'binary frame' });
        return;
      }
      const text = message.toString('latin1');
      if (!locateMedia(text, parts)) readParsed(message.toString('utf8'));
      else if (parts.isCallerTrack) deliver(text);
    },
  };
}

function createWriter(start: StreamStart): StreamWriter {
  const streamId = JSON.stringify(start.streamId);
  const mediaOpening = `{"event":"media","streamSid":${streamId},"media":{"payload":"`;
  const clear = `{"event":"clear","streamSid":${streamId}}`;
  return {
    media(audio) {
      outgoing.set(audio);
      return `${mediaOpening}${outgoing.toString('base64', 0, audio.length)}"}}`;
    },
    mark: (name) => `{"event":"mark","streamSid":${streamId},"mark":{"name":${JSON.stringify(name)}}}`,
    clear: () => clear,
  };
}

/**
 * The Cloudonix media stream: the JSON text protocol of Twilio Media Streams with `start.session` added
 * (developers.cloudonix.com, Voice Application › Connect › Stream). Marks are not among the documented events, so an echo is a bonus.
 */
export const cloudonixDialect: Dialect = {
  capabilities: { marks: 'unreliable', clear: true, dtmfIn: true, dtmfOut: 'none', maxLeadMs: 200 },
  handshake: ['connected', 'start'],
  createReader,
  createWriter,
};
