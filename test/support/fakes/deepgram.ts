import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { systemClock, type Clock, type Timer } from '../../../src/base/clock.js';
import { createRecogniser, type Recognition } from './deepgram-recogniser.js';
import { decodeCodedWords } from './speech-audio.js';
import { breakSocket, createFaultPlan, startVendorServer, type SocketFault, type UpgradeFault, type VendorServer } from './vendor-server.js';

/** What may go wrong with a connection to the recogniser. */
export type DeepgramFault =
  | { readonly upgrade: UpgradeFault }
  /** Happens once this much audio has come. */
  | { readonly socket: SocketFault; readonly afterAudioMs: number }
  /** No results at all. */
  | { readonly results: 'none' }
  /** Something that is not JSON in place of each result. */
  | { readonly results: 'garbage' }
  | { readonly results: 'late'; readonly delayMs: number };

/** How the fake behaves. */
export interface FakeDeepgramOptions {
  readonly port?: number;
  readonly clock?: Clock;
  /** Answers 401 to any other key. */
  readonly apiKey?: string;
  /** What segment n (0, 1, …) of speech says, whatever its sound. Cheap: no audio is kept. Default: {@link decodeCodedWords}. */
  readonly script?: (segment: number) => string;
  /** Hears the words in a segment of mu-law audio; ignored where there is a `script`. */
  readonly transcribe?: (audio: Buffer) => string;
  /** From the end of speech, or Finalize, to the result. Default 0. */
  readonly resultDelayMs?: number;
  /** Default: as the real one, 10 s without audio or KeepAlive. */
  readonly idleCloseMs?: number;
  /** By connection, 0 is the first. */
  readonly fault?: (connection: number) => DeepgramFault | undefined;
  /** Told of every final result as it is sent: for timing hops from outside. */
  readonly onResult?: (text: string, sentMs: number) => void;
}

/** What one client did. */
export interface DeepgramConnection {
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  /** Types of the control messages, in order. */
  readonly controls: string[];
  /** Sizes of the audio messages, in bytes. */
  readonly audioSizes: number[];
  closeCode: number | null;
}

/** A server that speaks Deepgram's streaming protocol. */
export interface FakeDeepgram extends VendorServer {
  readonly connections: readonly DeepgramConnection[];
}

function resultsMessage(recognition: Recognition, requestId: string, model: string): string {
  const words = recognition.text === '' ? [] : recognition.text.split(' ');
  const startSeconds = recognition.startMs / 1000;
  const durationSeconds = (recognition.endMs - recognition.startMs) / 1000;
  return JSON.stringify({
    type: 'Results',
    channel_index: [0, 1],
    duration: durationSeconds,
    start: startSeconds,
    is_final: recognition.isFinal,
    speech_final: recognition.isSpeechFinal,
    channel: {
      alternatives: [
        {
          transcript: recognition.text,
          confidence: words.length === 0 ? 0 : 0.99,
          words: words.map((word, index) => ({
            word: word.toLowerCase().replace(/[^\p{L}\p{N}']/gu, ''),
            start: startSeconds + (durationSeconds * index) / words.length,
            end: startSeconds + (durationSeconds * (index + 1)) / words.length,
            confidence: 0.99,
            punctuated_word: word,
          })),
        },
      ],
    },
    metadata: { request_id: requestId, model_info: { name: model, version: '2026-01-01.0', arch: 'nova-3' }, model_uuid: requestId },
    from_finalize: recognition.isFromFinalize,
  });
}

/** Starts the fake. */
export async function startFakeDeepgram(options: FakeDeepgramOptions = {}): Promise<FakeDeepgram> {
  const { clock = systemClock, resultDelayMs = 0, idleCloseMs = 10_000 } = options;
  const connections: DeepgramConnection[] = [];
  let segments = 0;
  const faults = createFaultPlan(options.fault);

  function serve(socket: WebSocket, request: IncomingMessage): void {
    const { searchParams } = new URL(request.url ?? '/', 'http://fake');
    const connection: DeepgramConnection = {
      query: searchParams,
      authorization: request.headers.authorization,
      controls: [],
      audioSizes: [],
      closeCode: null,
    };
    connections.push(connection);
    const fault = faults.of(request);
    const requestId = randomUUID();
    const model = searchParams.get('model') ?? '';
    let audioBytes = 0;
    let idleTimer: Timer | null = null;
    const timers = new Set<Timer>();

    const later = (delayMs: number, callback: () => void) => {
      if (delayMs <= 0) {
        callback();
        return;
      }
      const timer = clock.setTimer(delayMs, () => {
        timers.delete(timer);
        callback();
      });
      timers.add(timer);
    };
    const stayAwake = () => {
      idleTimer?.cancel();
      idleTimer = clock.setTimer(idleCloseMs, () => socket.close(1011, 'NET-0001'));
    };
    const report = (recognition: Recognition) => {
      if (fault && 'results' in fault && fault.results === 'none') return;
      const delayMs = fault && 'results' in fault && fault.results === 'late' ? fault.delayMs : resultDelayMs;
      later(recognition.isFinal ? delayMs : 0, () => {
        if (fault && 'results' in fault && fault.results === 'garbage') socket.send('}{ garbage');
        else socket.send(resultsMessage(recognition, requestId, model));
        if (recognition.isFinal && recognition.text !== '') options.onResult?.(recognition.text, clock.nowMs());
      });
    };
    const recogniser = createRecogniser({
      endpointingMs: Number(searchParams.get('endpointing') ?? 10),
      collectAudio: options.script === undefined,
      transcribe: (audio, segment) => options.script?.(segment) ?? (options.transcribe ?? decodeCodedWords)(audio),
      nextSegment: () => segments++,
      report,
    });
    const control = (type: unknown) => {
      connection.controls.push(String(type));
      if (type === 'Finalize') recogniser.finalize();
      else if (type === 'CloseStream') {
        recogniser.finalize();
        const duration = audioBytes / 8000;
        socket.send(JSON.stringify({ type: 'Metadata', transaction_key: 'deprecated', request_id: requestId, sha256: '', created: '', duration, channels: 1 }));
        socket.close(1000);
      }
    };

    stayAwake();
    socket.on('message', (data: Buffer, isBinary) => {
      stayAwake();
      if (!isBinary) {
        control((JSON.parse(data.toString()) as { type?: unknown }).type);
        return;
      }
      connection.audioSizes.push(data.length);
      const beforeMs = audioBytes / 8;
      audioBytes += data.length;
      recogniser.push(data);
      if (fault && 'socket' in fault && beforeMs < fault.afterAudioMs && audioBytes / 8 >= fault.afterAudioMs) breakSocket(socket, request, fault.socket);
    });
    socket.on('close', (code) => {
      connection.closeCode = code;
      idleTimer?.cancel();
      for (const timer of timers) timer.cancel();
    });
  }

  const server = await startVendorServer({
    port: options.port,
    onUpgrade(request) {
      const fault = faults.deal(request);
      if (fault !== null) return fault;
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://fake');
      if (pathname !== '/v1/listen') return { kind: 'http', status: 404 };
      if (options.apiKey !== undefined && request.headers.authorization !== `Token ${options.apiKey}`) return { kind: 'http', status: 401 };
      const isAudioKnown = searchParams.get('encoding') === 'mulaw' && searchParams.get('sample_rate') === '8000';
      return searchParams.get('model') !== null && isAudioKnown ? null : { kind: 'http', status: 400 };
    },
    onSocket: serve,
  });
  return { ...server, connections };
}
