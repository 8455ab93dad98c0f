import { FRAME_BYTES, FRAME_MS } from '../audio/frame.js';
import { asRecord, parseJsonRecord } from '../base/json.js';

/** Media formats that Cloudonix announces in `start`; mu-law unless the far end negotiated A-law. */
export type CarrierMediaFormat = 'mulaw' | 'alaw';

/** The identity of one simulated call, as its `start` message states it. */
export interface CarrierCall {
  readonly domain: string;
  /** The session token: what the REST API knows the call by. */
  readonly session: string;
  readonly callSid: string;
  readonly streamSid: string;
  readonly from: string;
  readonly to: string;
  readonly customParameters: Readonly<Record<string, string>>;
  readonly mediaFormat: CarrierMediaFormat;
}

/** What the server may send on a stream, and what a carrier would make of anything else. */
export type AgentMessage =
  | { readonly type: 'media'; readonly audio: Uint8Array }
  | { readonly type: 'clear' }
  | { readonly type: 'mark'; readonly name: string }
  /** A message no carrier understands; `problem` says why. */
  | { readonly type: 'violation'; readonly problem: string };

/** The first frame of a stream. */
export function serializeConnected(): string {
  return JSON.stringify({ event: 'connected', protocol: 'Call', version: '1.0.0' });
}

/** The second frame. Cloudonix developer documentation, verb Stream, event `start`. */
export function serializeStart(call: CarrierCall): string {
  return JSON.stringify({
    event: 'start',
    sequenceNumber: '1',
    streamSid: call.streamSid,
    start: {
      streamSid: call.streamSid,
      session: call.session,
      callSid: call.callSid,
      accountSid: call.domain,
      from: call.from,
      to: call.to,
      context: 'inbound',
      tracks: ['inbound'],
      customParameters: call.customParameters,
      mediaFormat: { encoding: call.mediaFormat === 'alaw' ? 'audio/x-alaw' : 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
    },
  });
}

/** One 20 ms frame of the caller, the `index`th of its stream. */
export function serializeMedia(streamSid: string, sequence: number, index: number, audio: Uint8Array): string {
  const payload = Buffer.from(audio.buffer, audio.byteOffset, audio.byteLength).toString('base64');
  return JSON.stringify({
    event: 'media',
    sequenceNumber: String(sequence),
    streamSid,
    media: { track: 'inbound', chunk: index + 1, timestamp: String(index * FRAME_MS), payload },
  });
}

/** A key press. */
export function serializeDtmf(streamSid: string, sequence: number, digit: string): string {
  return JSON.stringify({ event: 'dtmf', sequenceNumber: String(sequence), streamSid, dtmf: { track: 'inbound', digit } });
}

/** The echo of a mark whose audio was played. */
export function serializeMark(streamSid: string, sequence: number, name: string): string {
  return JSON.stringify({ event: 'mark', sequenceNumber: String(sequence), streamSid, mark: { name } });
}

/** The end of a stream; the socket closes after it. */
export function serializeStop(call: CarrierCall, sequence: number): string {
  return JSON.stringify({
    event: 'stop',
    sequenceNumber: String(sequence),
    streamSid: call.streamSid,
    stop: { session: call.session, callSid: call.callSid },
  });
}

/** A message no carrier understands. */
export const violation = (problem: string): AgentMessage => ({ type: 'violation', problem });

/** Understands one frame from the server as strictly as a carrier may: wrong stream, odd media and unknown events are violations. */
export function parseAgentMessage(text: string, streamSid: string): AgentMessage {
  const message = parseJsonRecord(text);
  if (message === null) return violation('not a JSON object');
  if (message['streamSid'] !== streamSid) return violation('streamSid differs from the stream’s');
  switch (message['event']) {
    case 'clear':
      return { type: 'clear' };
    case 'mark': {
      const { name } = asRecord(message['mark']);
      return typeof name === 'string' && name !== '' ? { type: 'mark', name } : violation('mark without a name');
    }
    case 'media': {
      const { payload } = asRecord(message['media']);
      if (typeof payload !== 'string') return violation('media without a payload');
      const audio = Buffer.from(payload, 'base64');
      if (audio.length === 0) return violation('media with an empty payload');
      return audio.length % FRAME_BYTES === 0 ? { type: 'media', audio } : violation('media that is not whole 20 ms frames');
    }
    default:
      return violation('unknown event');
  }
}
