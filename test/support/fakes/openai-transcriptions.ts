import type { IncomingMessage, ServerResponse } from 'node:http';
import { encodeMulaw } from '../../../src/audio/g711.js';
import { createResampler } from '../../../src/audio/resample.js';
import { parseWav } from '../../../src/audio/wav.js';
import { systemClock, type Clock } from '../../../src/base/clock.js';
import { hearBuiltinVoice } from './builtin-voice.js';
import { answerError } from './openai-voice.js';
import { startVendorServer, type VendorServer } from './vendor-server.js';

/** What may go wrong with a request. */
export type TranscriptionFault =
  | { readonly kind: 'http'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'hang' }
  | { readonly kind: 'reset' }
  /** The connection breaks in the answer. */
  | { readonly kind: 'cut' }
  /** The answer is not the API's. */
  | { readonly kind: 'garbage' }
  | { readonly kind: 'late'; readonly delayMs: number };

/** How the fake behaves. */
export interface FakeTranscriptionsOptions {
  readonly port?: number;
  readonly clock?: Clock;
  /** Answers 401 to any other key. */
  readonly apiKey?: string;
  /** Hears the words in 8 kHz mu-law. Default: those of the builtin voice. */
  readonly transcribe?: (audio: Buffer, request: number) => string;
  /** By transcription, 0 is the first. */
  readonly fault?: (request: number) => TranscriptionFault | undefined;
  /** Of the list of models, which is asked for first. */
  readonly modelsFault?: (request: number) => TranscriptionFault | undefined;
}

/** A transcription as it was asked for. */
export interface TranscriptionRequest {
  readonly fields: Readonly<Record<string, string>>;
  readonly fileName: string;
  readonly sampleRateHz: number;
  readonly durationMs: number;
  /** How the exchange ended; null while it runs. */
  outcome: 'answered' | 'aborted' | null;
}

/** A server that speaks OpenAI's transcription requests. */
export interface FakeTranscriptions extends VendorServer {
  readonly requests: readonly TranscriptionRequest[];
  /** Exchanges that are under way. */
  openRequests(): number;
}

async function readForm(request: IncomingMessage): Promise<FormData> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return new Response(Buffer.concat(parts), { headers: { 'Content-Type': request.headers['content-type'] ?? '' } }).formData();
}

/** A mono file as 8 kHz mu-law. */
function toMulaw(file: Buffer) {
  const { sampleRateHz, channels } = parseWav(file);
  const samples = channels[0]!;
  const resampler = createResampler(sampleRateHz, 8000);
  const audio = Buffer.concat([encodeMulaw(resampler.push(samples)), encodeMulaw(resampler.flush())]);
  return { audio, sampleRateHz, durationMs: (samples.length * 1000) / sampleRateHz };
}

/** Starts the fake. */
export async function startFakeTranscriptions(options: FakeTranscriptionsOptions = {}): Promise<FakeTranscriptions> {
  const { clock = systemClock, transcribe = hearBuiltinVoice } = options;
  const requests: TranscriptionRequest[] = [];
  let modelsAsked = 0;
  let open = 0;

  function send(request: IncomingMessage, response: ServerResponse, fault: TranscriptionFault | undefined, body: object): void {
    const text = JSON.stringify(body);
    const answer = () => void response.writeHead(200, { 'Content-Type': 'application/json' }).end(fault?.kind === 'garbage' ? '<html>' : text);
    if (fault?.kind === 'http') answerError(response, fault.status, fault.headers);
    else if (fault?.kind === 'reset') request.socket.resetAndDestroy();
    else if (fault?.kind === 'cut') {
      response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': String(text.length) });
      response.write(text.slice(0, 3), () => request.socket.resetAndDestroy());
    } else if (fault?.kind === 'late') {
      const timer = clock.setTimer(fault.delayMs, answer);
      response.on('close', () => timer.cancel());
    } else if (fault?.kind !== 'hang') answer();
  }

  async function hear(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = await readForm(request);
    const file = form.get('file');
    if (!(file instanceof File) || typeof form.get('model') !== 'string') {
      answerError(response, 400);
      return;
    }
    const { audio, ...measures } = toMulaw(Buffer.from(await file.arrayBuffer()));
    const fields = Object.fromEntries([...form].filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
    const entry: TranscriptionRequest = { fields, fileName: file.name, ...measures, outcome: null };
    const index = requests.length;
    requests.push(entry);
    response.on('close', () => (entry.outcome = response.writableFinished ? 'answered' : 'aborted'));
    const fault = options.fault?.(index);
    if (measures.durationMs < 100 && fault === undefined) answerError(response, 400);
    else send(request, response, fault, { text: transcribe(audio, index), usage: { type: 'duration', seconds: Math.ceil(measures.durationMs / 1000) } });
  }

  const server = await startVendorServer({
    port: options.port,
    onRequest(request, response) {
      open += 1;
      response.on('close', () => (open -= 1));
      const { authorization } = request.headers;
      if (options.apiKey !== undefined && authorization !== `Bearer ${options.apiKey}`) answerError(response, 401);
      else if (request.method === 'GET' && request.url === '/v1/models') {
        send(request, response, options.modelsFault?.(modelsAsked), { object: 'list', data: [{ id: 'whisper-1', object: 'model', created: 1_677_532_384, owned_by: 'openai-internal' }] });
        modelsAsked += 1;
      } else if (request.method === 'POST' && request.url === '/v1/audio/transcriptions') hear(request, response).catch(() => response.destroy());
      else answerError(response, 404);
    },
  });
  return { ...server, requests, openRequests: () => open };
}
