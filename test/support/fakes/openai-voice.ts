import type { IncomingMessage, ServerResponse } from 'node:http';
import { decodeMulaw } from '../../../src/audio/g711.js';
import { createResampler } from '../../../src/audio/resample.js';
import { audioFaultOf, createSpeechQueue, type VoiceFault, type VoicePace } from './speech-queue.js';
import { startVendorServer, type VendorServer } from './vendor-server.js';

const BYTES_PER_MS = 8;

/** How the fake behaves. */
export interface FakeOpenaiVoiceOptions extends VoicePace {
  readonly port?: number;
  /** Answers 401 to any other key. */
  readonly apiKey?: string;
  /** By request, 0 is the first. */
  readonly fault?: (request: number) => VoiceFault | undefined;
}

/** A request as it came. */
export interface OpenaiVoiceRequest {
  readonly body: Readonly<Record<string, unknown>>;
  /** How the exchange ended; null while it runs. */
  outcome: 'answered' | 'aborted' | null;
}

/** A server that speaks OpenAI's speech API with 24 kHz PCM. */
export interface FakeOpenaiVoice extends VendorServer {
  readonly requests: readonly OpenaiVoiceRequest[];
}

const readJson = async (request: IncomingMessage): Promise<Record<string, unknown>> => {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString()) as Record<string, unknown>;
};

/** Refuses a request as the API does. */
export function answerError(response: ServerResponse, status: number, headers: Readonly<Record<string, string>> = {}): void {
  const error = { message: 'Scripted failure', type: 'invalid_request_error', param: null, code: null };
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify({ error }));
}

/** Streams the speech of a text as PCM. */
function speak(input: string, response: ServerResponse, fault: VoiceFault | undefined, options: FakeOpenaiVoiceOptions): void {
  if (audioFaultOf(fault) === 'garbage') {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"ok":true}');
    return;
  }
  response.writeHead(200, { 'Content-Type': 'application/octet-stream' });
  response.flushHeaders();
  const resampler = createResampler(8000, 24_000);
  const write = (samples: Int16Array) => void response.write(Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength));
  let sentMs = 0;
  const queue = createSpeechQueue(options, fault, ({ audio }) => {
    const pcm = resampler.push(decodeMulaw(audio));
    write(pcm);
    sentMs += audio.length / BYTES_PER_MS;
    if (fault && 'socket' in fault && sentMs >= fault.afterAudioMs) {
      queue.clear();
      response.destroy();
    }
  });
  queue.say(input);
  queue.mark(() => {
    if (audioFaultOf(fault) !== 'empty') write(resampler.flush());
    response.end();
  });
  response.on('close', () => queue.clear());
}

/** Starts the fake. */
export async function startFakeOpenaiVoice(options: FakeOpenaiVoiceOptions = {}): Promise<FakeOpenaiVoice> {
  const requests: OpenaiVoiceRequest[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readJson(request);
    const entry: OpenaiVoiceRequest = { body, outcome: null };
    const fault = options.fault?.(requests.length);
    requests.push(entry);
    response.on('close', () => (entry.outcome ??= response.writableFinished ? 'answered' : 'aborted'));
    if (fault && 'upgrade' in fault) {
      if (fault.upgrade.kind === 'reset') request.socket.resetAndDestroy();
      else if (fault.upgrade.kind === 'http') answerError(response, fault.upgrade.status, fault.upgrade.headers);
      return;
    }
    const { model, voice, input } = body;
    const isValid = typeof model === 'string' && typeof voice === 'string' && typeof input === 'string' && input.length <= 4096;
    if (!isValid || body['response_format'] !== 'pcm') answerError(response, 400);
    else speak(input, response, fault, options);
  }

  const server = await startVendorServer({
    port: options.port,
    onUpgrade: () => ({ kind: 'http', status: 404 }),
    onRequest(request, response) {
      if (options.apiKey !== undefined && request.headers.authorization !== `Bearer ${options.apiKey}`) answerError(response, 401);
      else if (request.method === 'POST' && request.url === '/v1/audio/speech') answer(request, response).catch(() => response.destroy());
      else response.writeHead(404).end();
    },
  });
  return { ...server, requests };
}
