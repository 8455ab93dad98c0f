import type { IncomingMessage, ServerResponse } from 'node:http';
import { asRecord } from '../../../src/base/json.js';
import { startVendorServer, type VendorServer } from './vendor-server.js';

/** What may go wrong with a request. */
export type EmbeddingFault =
  | { readonly kind: 'http'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** TCP reset before an answer. */
  | { readonly kind: 'reset' }
  /** TCP reset in the middle of the answer. */
  | { readonly kind: 'cut' }
  /** Never answered. */
  | { readonly kind: 'hang' }
  /** An answer that is no JSON. */
  | { readonly kind: 'garbage' }
  /** A well-formed answer with other vectors than asked for. */
  | { readonly kind: 'vectors'; readonly vectors: readonly (readonly unknown[])[] }
  /** An answer without end. */
  | { readonly kind: 'endless' };

/** How a fake behaves. */
export interface FakeEmbeddingsOptions {
  readonly port?: number;
  /** Refuses any other key. */
  readonly apiKey?: string;
  /** By request, 0 is the first. */
  readonly fault?: (request: number) => EmbeddingFault | undefined;
  /** Default: {@link meaningOf}. */
  readonly vectorOf?: (text: string) => readonly number[];
}

/** One request for vectors. */
export interface EmbeddingRequestSeen {
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly texts: readonly string[];
  /** How the exchange ended; null while it runs. */
  outcome: 'answered' | 'aborted' | null;
}

/** A running fake. */
export interface FakeEmbeddings extends VendorServer {
  /** Requests that were understood; those refused are not among them. */
  readonly requests: readonly EmbeddingRequestSeen[];
}

/** Words of one meaning: what an embedding model knows and a search by words does not. */
const meanings: readonly (readonly string[])[] = [
  ['bicycle', 'bike', 'fahrrad'],
  ['return', 'returned', 'refund', 'money', 'back', 'zurückgeben'],
  ['open', 'opening', 'hours', 'shut', 'closed'],
  ['repair', 'repaired', 'mend', 'puncture', 'punctures', 'flat', 'tyre'],
  ['parking', 'car', 'park'],
];

/** How many numbers the model's own vectors have. */
export const FAKE_DIMENSIONS = 64;

/** A vector that is close to those of texts with words of the same meanings; texts of no meaning lie apart from all others. */
export function meaningOf(text: string, dimensions = FAKE_DIMENSIONS): readonly number[] {
  const words = new Set(text.toLowerCase().match(/\p{L}+/gu) ?? []);
  const counts = meanings.map((meaning) => meaning.filter((word) => words.has(word)).length);
  const vector = Array.from({ length: dimensions }, (_, at) => Math.min(1, counts[at] ?? 0));
  if (!vector.some((value) => value > 0)) vector[meanings.length + (text.length % (dimensions - meanings.length))] = 1;
  return vector;
}

/** One vendor's way of asking and answering. */
interface EmbeddingDialect {
  isEmbedding(path: string): boolean;
  keyOf(headers: IncomingMessage['headers']): string | undefined;
  readonly unauthorized: { readonly status: number; readonly body: unknown };
  errorBody(status: number, message: string): unknown;
  /** The texts and how long their vectors are to be; a text says why the API refuses the request. */
  read(body: Readonly<Record<string, unknown>>, path: string): { readonly texts: readonly string[]; readonly dimensions: number | undefined } | string;
  answer(vectors: readonly (readonly unknown[])[], body: Readonly<Record<string, unknown>>, path: string): unknown;
}

const writeJson = (response: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(JSON.stringify(body));

async function bodyOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return asRecord(JSON.parse(Buffer.concat(parts).toString()));
}

async function streamEndlessly(response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'Content-Type': 'application/json' });
  while (!response.destroyed) {
    response.write('[0.125,'.repeat(2000));
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function fail(request: IncomingMessage, response: ServerResponse, fault: Exclude<EmbeddingFault, { kind: 'vectors' }>, dialect: EmbeddingDialect): void {
  if (fault.kind === 'http') writeJson(response, fault.status, dialect.errorBody(fault.status, 'Scripted failure'), fault.headers);
  else if (fault.kind === 'reset') request.socket.resetAndDestroy();
  else if (fault.kind === 'garbage') response.writeHead(200, { 'Content-Type': 'application/json' }).end('}{ garbage');
  else if (fault.kind === 'endless') void streamEndlessly(response);
  else if (fault.kind === 'cut') {
    response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': '5000' }).write('{"data":[');
    // A reset overtakes what was written just before it.
    setTimeout(() => request.socket.resetAndDestroy(), 20);
  }
}

async function startFake(dialect: EmbeddingDialect, options: FakeEmbeddingsOptions): Promise<FakeEmbeddings> {
  const requests: EmbeddingRequestSeen[] = [];

  async function answer(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const body = await bodyOf(request);
    const read = dialect.read(body, path);
    if (typeof read === 'string') return void writeJson(response, 400, dialect.errorBody(400, read));
    const entry: EmbeddingRequestSeen = { path, body, texts: read.texts, outcome: null };
    const fault = options.fault?.(requests.length);
    requests.push(entry);
    response.on('close', () => (entry.outcome ??= response.writableFinished ? 'answered' : 'aborted'));
    if (fault !== undefined && fault.kind !== 'vectors') return fail(request, response, fault, dialect);
    const vectors = fault?.vectors ?? read.texts.map((text) => options.vectorOf?.(text) ?? meaningOf(text, read.dimensions));
    writeJson(response, 200, dialect.answer(vectors, body, path));
  }

  const server = await startVendorServer({
    port: options.port,
    onRequest(request, response) {
      const path = (request.url ?? '').split('?')[0] ?? '';
      if (options.apiKey !== undefined && dialect.keyOf(request.headers) !== options.apiKey) writeJson(response, dialect.unauthorized.status, dialect.unauthorized.body);
      else if (request.method === 'POST' && dialect.isEmbedding(path)) answer(request, response, path).catch(() => response.destroy());
      else writeJson(response, 404, dialect.errorBody(404, 'Not found'));
    },
  });
  return { ...server, requests };
}

const isTexts = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every((text) => typeof text === 'string' && text !== '');
const strangerIn = (body: object, fields: readonly string[]) => Object.keys(body).find((field) => !fields.includes(field));

/** A vector as base64 of float32, which the API gives where it is asked to. */
const toBase64 = (vector: readonly unknown[]) => Buffer.from(Float32Array.from(vector as readonly number[]).buffer).toString('base64');

const openaiFields = ['model', 'input', 'encoding_format', 'dimensions', 'user'];

const openaiDialect: EmbeddingDialect = {
  isEmbedding: (path) => path === '/v1/embeddings',
  keyOf: (headers) => /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1],
  unauthorized: { status: 401, body: { error: { message: 'Incorrect API key provided.', type: 'invalid_request_error', param: null, code: 'invalid_api_key' } } },
  errorBody: (status, message) => ({ error: { message, type: status === 429 ? 'rate_limit_error' : 'server_error', param: null, code: null } }),
  read(body) {
    const { model, input, dimensions, encoding_format: format = 'float' } = body;
    const texts = typeof input === 'string' ? [input] : input;
    const stranger = strangerIn(body, openaiFields);
    if (stranger !== undefined) return `Unrecognized request argument supplied: ${stranger}`;
    if (typeof model !== 'string') return 'you must provide a model parameter';
    if (!isTexts(texts) || texts.length === 0 || texts.length > 2048) return "'$.input' is invalid.";
    if (format !== 'float' && format !== 'base64') return 'Invalid value for encoding_format.';
    if (dimensions !== undefined && (typeof dimensions !== 'number' || model === 'text-embedding-ada-002')) return 'This model does not support specifying dimensions.';
    return { texts, dimensions };
  },
  answer(vectors, { model, encoding_format: format }) {
    const data = vectors.map((vector, index) => ({ object: 'embedding', index, embedding: format === 'base64' ? toBase64(vector) : vector }));
    // The order is not promised: `index` tells.
    return { object: 'list', data: data.toReversed(), model, usage: { prompt_tokens: 5, total_tokens: 5 } };
  },
};

const googlePath = /^\/v1beta\/models\/([^:/]+):batchEmbedContents$/;
const googleRequestFields = ['model', 'content', 'taskType', 'title', 'outputDimensionality'];

/** What one of a batch's requests asks for, or why the API refuses it. */
function readGoogleRequest(entry: unknown, model: string): { readonly text: string; readonly dimensions: number | undefined } | string {
  const request = asRecord(entry);
  const stranger = strangerIn(request, googleRequestFields);
  if (stranger !== undefined) return `Invalid JSON payload received. Unknown name "${stranger}" at 'requests[0]': Cannot find field.`;
  if (request['model'] !== `models/${model}`) return '* BatchEmbedContentsRequest.requests[0].model: model must match the path.';
  const { parts } = asRecord(request['content']);
  const text = Array.isArray(parts) ? parts.map((part) => asRecord(part)['text']).filter((each) => typeof each === 'string').join('') : '';
  if (text === '') return '* BatchEmbedContentsRequest.requests[0].content: contents is not specified';
  const { outputDimensionality: dimensions } = request;
  return { text, dimensions: typeof dimensions === 'number' ? dimensions : undefined };
}

const googleDialect: EmbeddingDialect = {
  isEmbedding: (path) => googlePath.test(path),
  keyOf: (headers) => headers['x-goog-api-key']?.toString(),
  // Not 401: to this API a wrong key is an invalid argument.
  unauthorized: {
    status: 400,
    body: { error: { code: 400, message: 'API key not valid.', status: 'INVALID_ARGUMENT', details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' }] } },
  },
  errorBody: (code, message) => ({ error: { code, message, status: code === 400 ? 'INVALID_ARGUMENT' : 'UNKNOWN' } }),
  read({ requests }, path) {
    const model = decodeURIComponent(googlePath.exec(path)?.[1] ?? '');
    if (!Array.isArray(requests) || requests.length === 0 || requests.length > 100) return '* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch';
    const read = requests.map((entry) => readGoogleRequest(entry, model));
    const refusal = read.find((each) => typeof each === 'string');
    if (refusal !== undefined) return refusal;
    const good = read.filter((each) => typeof each !== 'string');
    return { texts: good.map(({ text }) => text), dimensions: good[0]?.dimensions };
  },
  answer: (vectors) => ({ embeddings: vectors.map((values) => ({ values })) }),
};

/** Starts a fake of OpenAI's `/v1/embeddings` (platform.openai.com/docs/api-reference/embeddings/create). */
export const startFakeOpenaiEmbeddings = (options: FakeEmbeddingsOptions = {}): Promise<FakeEmbeddings> => startFake(openaiDialect, options);

/** Starts a fake of Google's `batchEmbedContents` (ai.google.dev/api/embeddings). */
export const startFakeGoogleEmbeddings = (options: FakeEmbeddingsOptions = {}): Promise<FakeEmbeddings> => startFake(googleDialect, options);
