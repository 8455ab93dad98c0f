import { deadlineSignal, type Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { vendorStatusError } from '../base/http-status.js';
import { parseJsonRecord, type JsonRecord } from '../base/json.js';
import { retry, type RetryPolicy } from '../base/retry.js';

/** How long one answer may take. */
export const EMBEDDING_TIMEOUT_MS = 15_000;
/** Largest answer that is read: eight vectors of 8192 numbers, written out. */
const MAX_ANSWER_BYTES = 2 * 1024 * 1024;
/** Largest error that is read. */
const MAX_ERROR_BYTES = 16 * 1024;
/** Most numbers of a vector. */
const MAX_DIMENSIONS = 8192;
/** One more try, for a kept-alive connection that the server has just closed. */
const RETRY: RetryPolicy = { attempts: 2, baseDelayMs: 50, maxDelayMs: 300 };

/** One request for vectors, and how its answer is read. */
export interface EmbeddingRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
  /** Vectors that are asked for. */
  readonly count: number;
  /** The list of vectors in a good answer; undefined where it has none. */
  readVectors(answer: JsonRecord): unknown;
  /** What only this vendor's errors say; undefined: nothing beside the status. */
  readError?(status: number, body: string): AgentStreamError | undefined;
}

const protocolError = (message: string) => new AgentStreamError('vendor-protocol', { message });

/** The body as text. @throws AgentStreamError `vendor-protocol` where it is larger than `maxBytes` */
async function readBounded({ body }: Response, maxBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  if (body === null) return '';
  const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      size += read.value.length;
      if (size > maxBytes) throw protocolError(`The vendor’s answer is larger than ${maxBytes} bytes.`);
      parts.push(read.value);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
  return Buffer.concat(parts).toString();
}

/** The vector at length 1: cosines are then plain products. */
function toUnitVector(numbers: unknown): Float32Array {
  if (!Array.isArray(numbers) || numbers.length === 0 || numbers.length > MAX_DIMENSIONS || !numbers.every(Number.isFinite)) {
    throw protocolError('The vendor sent something that is no vector.');
  }
  const vector = Float32Array.from(numbers as readonly number[]);
  const length = Math.hypot(...vector);
  if (length === 0) throw protocolError('The vendor sent a vector of zeros.');
  return vector.map((value) => value / length);
}

function toVectors(list: unknown, count: number): readonly Float32Array[] {
  if (!Array.isArray(list) || list.length !== count) throw protocolError(`The vendor did not send the ${count} vectors it was asked for.`);
  const vectors = list.map(toUnitVector);
  if (vectors.some(({ length }) => length !== vectors[0]?.length)) throw protocolError('The vendor sent vectors of different lengths.');
  return vectors;
}

async function ask(request: EmbeddingRequest, signal: AbortSignal, fetch: typeof globalThis.fetch): Promise<readonly Float32Array[]> {
  const { url, headers, body, count } = request;
  const response = await fetch(url, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body), signal });
  if (!response.ok) {
    const error = await readBounded(response, MAX_ERROR_BYTES).catch(() => '');
    throw request.readError?.(response.status, error) ?? vendorStatusError(response.status, response.headers.get('retry-after'));
  }
  const answer = parseJsonRecord(await readBounded(response, MAX_ANSWER_BYTES));
  if (answer === null) throw protocolError('The vendor’s answer is no JSON object.');
  return toVectors(request.readVectors(answer), count);
}

/**
 * Asks for vectors, with one more try. Takes {@link EMBEDDING_TIMEOUT_MS} at most, both tries together.
 * @throws AgentStreamError `vendor-*`, without the request, which holds the text; the signal's reason on abort
 */
export async function requestVectors(request: EmbeddingRequest, parent: AbortSignal, context: { readonly clock: Clock; readonly fetch: typeof fetch }): Promise<readonly Float32Array[]> {
  const { clock } = context;
  const late = () => new AgentStreamError('vendor-unreachable', { message: `The vendor did not answer within ${EMBEDDING_TIMEOUT_MS / 1000} s.` });
  const deadline = deadlineSignal(clock, EMBEDDING_TIMEOUT_MS, parent, late);
  const { signal } = deadline;
  const attempt = async () => {
    try {
      return await ask(request, signal, context.fetch);
    } catch (error) {
      if (error instanceof AgentStreamError) throw error;
      throw new AgentStreamError('vendor-unreachable', { details: { failure: error instanceof Error ? error.name : 'unknown' } });
    }
  };
  try {
    return await retry(attempt, { ...RETRY, clock, signal });
  } finally {
    deadline.dispose();
  }
}
