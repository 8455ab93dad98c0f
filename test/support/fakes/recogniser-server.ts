import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { systemClock, type Clock, type Timer } from '../../../src/base/clock.js';
import { nextDelayMs, type FakeDelay } from './delay.js';
import { createRecogniser, type Recogniser, type Recognition } from './segment-recogniser.js';
import { decodeCodedWords } from './speech-audio.js';
import { breakSocket, createFaultPlan, startVendorServer, type SocketFault, type UpgradeFault, type VendorServer } from './vendor-server.js';

/** What may go wrong with a connection to a recogniser. */
export type RecogniserFault =
  | { readonly upgrade: UpgradeFault }
  /** Happens once this much audio has come. */
  | { readonly socket: SocketFault; readonly afterAudioMs: number }
  /** No results at all. */
  | { readonly results: 'none' }
  /** Something that is not JSON in place of each result. */
  | { readonly results: 'garbage' }
  | { readonly results: 'late'; readonly delayMs: number };

/** How a fake recogniser behaves. */
export interface FakeRecogniserOptions {
  readonly port?: number;
  readonly clock?: Clock;
  /** Refuses any other key. */
  readonly apiKey?: string;
  /** What segment n (0, 1, …) of speech says, whatever its sound. Cheap: no audio is kept. Default: {@link decodeCodedWords}. */
  readonly script?: (segment: number) => string;
  /** Hears the words in a segment of mu-law audio; ignored where there is a `script`. */
  readonly transcribe?: (audio: Buffer) => string;
  /** From the end of speech, or a request to finalize, to the result. Default 0. */
  readonly resultDelayMs?: FakeDelay;
  /** Closes a connection without audio or message. Default: 10 s. */
  readonly idleCloseMs?: number;
  /** By connection, 0 is the first. */
  readonly fault?: (connection: number) => RecogniserFault | undefined;
  /** Told of every final result as it is sent: for timing hops from outside. */
  readonly onResult?: (text: string, sentMs: number) => void;
}

/** What one client did. */
export interface RecogniserConnection {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  /** Names of the control messages, in order. */
  readonly controls: string[];
  /** The control messages themselves. */
  readonly messages: Record<string, unknown>[];
  /** Sizes of the audio messages, in bytes. */
  readonly audioSizes: number[];
  closeCode: number | null;
}

/** A server that speaks one vendor's protocol. */
export interface FakeRecogniser extends VendorServer {
  readonly connections: readonly RecogniserConnection[];
}

/** One client's connection, as its protocol sees it. */
export interface RecogniserSession {
  readonly connection: RecogniserConnection;
  /** Seconds of audio so far. */
  audioSeconds(): number;
  /** Sends a message at once, as JSON. */
  send(message: object): void;
  /** After the result delay, unless results fail. */
  sendResult(message: object, recognition: Recognition): void;
  /** Behind the results that are delayed; never, where there are none. */
  afterResults(act: () => void): void;
  close(code: number, reason?: string): void;
  /** Takes audio that did not come as a binary frame. */
  hear(audio: Buffer): void;
  /** A recogniser of this session's audio; the last one made is fed. */
  listen(options: { readonly endpointingMs: number; readonly silenceReportMs?: number; readonly interimMs?: number; readonly report: (recognition: Recognition) => void }): Recogniser;
}

/** A vendor's protocol. */
export interface RecogniserProtocol {
  /** What is wrong with a request; null: nothing. */
  refuse(request: { readonly url: URL; readonly headers: IncomingMessage['headers'] }, apiKey: string | undefined): UpgradeFault | null;
  /** The code and reason of the close frame for a silent client. */
  readonly idleClose: { readonly code: number; readonly reason: string };
  /** Audio messages that break them close the connection. */
  readonly audioLimits?: { readonly minBytes: number; readonly maxBytes: number; readonly code: number; readonly reason: string };
  /** Answers each binary frame of audio, the first being number 1. */
  readonly acknowledge?: (count: number) => object;
  /** Serves one client; the result takes its text messages. */
  serve(session: RecogniserSession, apiKey: string | undefined): (message: Record<string, unknown>) => void;
}

/** True where what is expected is what was given, or nothing is expected. */
export const isKey = (given: unknown, expected: string | undefined): boolean => expected === undefined || given === expected;

/** Starts a fake of `protocol`. */
export async function startFakeRecogniser(protocol: RecogniserProtocol, options: FakeRecogniserOptions = {}): Promise<FakeRecogniser> {
  const { clock = systemClock, resultDelayMs = 0, idleCloseMs = 10_000 } = options;
  const connections: RecogniserConnection[] = [];
  const faults = createFaultPlan(options.fault);
  let segments = 0;

  function serve(socket: WebSocket, request: IncomingMessage): void {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://fake');
    const connection: RecogniserConnection = { path: pathname, query: searchParams, headers: request.headers, controls: [], messages: [], audioSizes: [], closeCode: null };
    connections.push(connection);
    const fault = faults.of(request);
    const results = fault !== undefined && 'results' in fault ? fault : null;
    const delay = results?.results === 'late' ? results.delayMs : resultDelayMs;
    const timers = new Set<Timer>();
    let audioBytes = 0;
    let idleTimer: Timer | null = null;
    let recogniser: Recogniser | null = null;
    /** No result overtakes another. */
    let sentUntilMs = 0;

    const later = (act: () => void) => {
      const delayMs = nextDelayMs(delay);
      if (delayMs <= 0) {
        act();
        return;
      }
      sentUntilMs = Math.max(sentUntilMs, clock.nowMs() + delayMs);
      const timer = clock.setTimer(sentUntilMs - clock.nowMs(), () => {
        timers.delete(timer);
        act();
      });
      timers.add(timer);
    };
    const stayAwake = () => {
      idleTimer?.cancel();
      idleTimer = clock.setTimer(idleCloseMs, () => socket.close(protocol.idleClose.code, protocol.idleClose.reason));
    };
    const session: RecogniserSession = {
      connection,
      audioSeconds: () => audioBytes / 8000,
      send: (message) => socket.send(JSON.stringify(message)),
      sendResult(message, recognition) {
        if (results?.results === 'none') return;
        const send = () => {
          socket.send(results?.results === 'garbage' ? '}{ garbage' : JSON.stringify(message));
          if (recognition.isFinal && recognition.text !== '') options.onResult?.(recognition.text, clock.nowMs());
        };
        if (recognition.isFinal) later(send);
        else send();
      },
      afterResults(act) {
        if (results?.results !== 'none') later(act);
      },
      close: (code, reason) => socket.close(code, reason ?? ''),
      hear(audio) {
        connection.audioSizes.push(audio.length);
        const limits = protocol.audioLimits;
        if (limits && (audio.length < limits.minBytes || audio.length > limits.maxBytes)) {
          socket.close(limits.code, limits.reason);
          return;
        }
        const beforeMs = audioBytes / 8;
        audioBytes += audio.length;
        recogniser?.push(audio);
        if (fault && 'socket' in fault && beforeMs < fault.afterAudioMs && audioBytes / 8 >= fault.afterAudioMs) breakSocket(socket, request, fault.socket);
      },
      listen(listening) {
        recogniser = createRecogniser({
          ...listening,
          collectAudio: options.script === undefined,
          transcribe: (audio, segment) => options.script?.(segment) ?? (options.transcribe ?? decodeCodedWords)(audio),
          nextSegment: () => segments++,
        });
        return recogniser;
      },
    };

    const onMessage = protocol.serve(session, options.apiKey);
    stayAwake();
    socket.on('message', (data: Buffer, isBinary) => {
      stayAwake();
      if (isBinary) {
        session.hear(data);
        if (protocol.acknowledge) session.send(protocol.acknowledge(connection.audioSizes.length));
        return;
      }
      const message = data.length === 0 ? {} : (JSON.parse(data.toString()) as Record<string, unknown>);
      onMessage(message);
    });
    socket.on('close', (code) => {
      connection.closeCode = code;
      idleTimer?.cancel();
      for (const timer of timers) timer.cancel();
    });
  }

  const server = await startVendorServer({
    port: options.port,
    onUpgrade: (request) =>
      faults.deal(request) ?? protocol.refuse({ url: new URL(request.url ?? '/', 'http://fake'), headers: request.headers }, options.apiKey),
    onSocket: serve,
  });
  return { ...server, connections };
}
