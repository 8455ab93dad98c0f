import type { IncomingMessage, ServerResponse } from 'node:http';
import { audioFaultOf, createSpeechQueue, type VoiceFault, type VoicePace } from './speech-queue.js';
import { startVendorServer, type VendorServer } from './vendor-server.js';

const BYTES_PER_MS = 8;

/** How a fake behaves that speaks one text per request. */
export interface FakeRequestVoiceOptions extends VoicePace {
  readonly port?: number;
  /** Refuses any other key. */
  readonly apiKey?: string;
  /** By request, 0 is the first. */
  readonly fault?: (request: number) => VoiceFault | undefined;
}

/** A request as it came. */
export interface VoiceRequest {
  /** The text that is to be spoken; null: the request is not valid. */
  readonly text: string | null;
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
  /** How the exchange ended; null while it runs. */
  outcome: 'answered' | 'aborted' | null;
}

/** A running fake. */
export interface FakeRequestVoice extends VendorServer {
  readonly requests: readonly VoiceRequest[];
}

/** One vendor's way of asking and answering. */
export interface RequestVoiceProtocol {
  readonly path: string;
  isKey(headers: IncomingMessage['headers'], apiKey: string): boolean;
  /** Answers with the vendor's error of this status. */
  refuse(response: ServerResponse, status: number, headers?: Readonly<Record<string, string>>): void;
  /** Answers a key that is not right. */
  refuseKey(response: ServerResponse): void;
  /** The text to speak; null: the request is not as the vendor documents it. */
  textOf(body: string, headers: IncomingMessage['headers']): string | null;
  /** The vendor's answer, in 8 kHz mu-law that comes in chunks. */
  begin(response: ServerResponse): { write(audio: Buffer): void; end(): void };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

/** Speaks a text, or fails to. */
function speak(text: string, response: ServerResponse, fault: VoiceFault | undefined, { protocol, options }: { protocol: RequestVoiceProtocol; options: FakeRequestVoiceOptions }): void {
  if (audioFaultOf(fault) === 'garbage') {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"ok":true}');
    return;
  }
  const answer = protocol.begin(response);
  let sentMs = 0;
  const queue = createSpeechQueue(options, fault, ({ audio }) => {
    answer.write(audio);
    sentMs += audio.length / BYTES_PER_MS;
    if (fault && 'socket' in fault && sentMs >= fault.afterAudioMs) {
      queue.clear();
      response.destroy();
    }
  });
  queue.say(text);
  queue.mark(() => answer.end());
  response.on('close', () => queue.clear());
}

/** Starts a fake of `protocol`. */
export async function startFakeRequestVoice(protocol: RequestVoiceProtocol, options: FakeRequestVoiceOptions = {}): Promise<FakeRequestVoice> {
  const requests: VoiceRequest[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request);
    const entry: VoiceRequest = { text: protocol.textOf(body, request.headers), body, headers: request.headers, outcome: null };
    const fault = options.fault?.(requests.length);
    requests.push(entry);
    response.on('close', () => (entry.outcome ??= response.writableFinished ? 'answered' : 'aborted'));
    if (fault && 'upgrade' in fault) {
      if (fault.upgrade.kind === 'reset') request.socket.resetAndDestroy();
      else if (fault.upgrade.kind === 'http') protocol.refuse(response, fault.upgrade.status, fault.upgrade.headers);
    } else if (entry.text === null) protocol.refuse(response, 400);
    else speak(entry.text, response, fault, { protocol, options });
  }

  const server = await startVendorServer({
    port: options.port,
    onRequest(request, response) {
      if (options.apiKey !== undefined && !protocol.isKey(request.headers, options.apiKey)) protocol.refuseKey(response);
      else if (request.method === 'POST' && request.url === protocol.path) answer(request, response).catch(() => response.destroy());
      else response.writeHead(404).end();
    },
  });
  return { ...server, requests };
}
