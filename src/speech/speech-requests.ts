import { AgentStreamError } from '../base/errors.js';
import { vendorStatusError } from '../base/http-status.js';
import { splitText } from './split-text.js';

/** The request whose audio is being played, and the one ahead of it. */
const MAX_REQUESTS = 2;

/** The end of the last complete sentence in a text; 0: there is none. */
function endOfSentences(text: string): number {
  let end = 0;
  for (const match of text.matchAll(/[.!?…]+["'”’)\]]*\s+|[。！？]+/g)) end = match.index + match[0].length;
  return end;
}

/** How a vendor that takes one request per text is asked for speech. */
export interface SpeechRequestWire {
  /** Longest text of a request, UTF-16 units. */
  readonly maxCharacters: number;
  /** Asks for the speech of a text. Called while the one before is still being spoken. */
  ask(input: string, signal: AbortSignal): Promise<Response>;
  /** The speech of a good answer, 8 kHz mu-law. What it throws that is no AgentStreamError is `vendor-unreachable`. */
  listen(response: Response): AsyncIterable<Uint8Array>;
  /** The meaning of a bad answer; default: that of its status. Its body is cancelled afterwards. */
  readRefusal?(response: Response): Promise<AgentStreamError>;
}

/** Where the text of one reply comes from and its audio goes to. */
export interface SpeechRequestsOptions {
  readonly wire: SpeechRequestWire;
  /** 8 kHz mu-law. */
  readonly onAudio: (audio: Buffer) => void;
  /** All text so far has been spoken; more may follow. */
  readonly onDry: () => void;
  /** Once; nothing follows. */
  readonly onFailed: (error: AgentStreamError) => void;
}

/** Speaks a text that comes in pieces by one HTTP request per sentence or more, in order. */
export interface SpeechRequests {
  push(text: string): void;
  /** Ends what is under way; no callback runs afterwards. */
  abort(): void;
}

function toError(error: unknown): AgentStreamError {
  if (error instanceof AgentStreamError) return error;
  const failure = error instanceof Error ? error.name : 'unknown';
  return new AgentStreamError('vendor-unreachable', { details: { failure } });
}

async function statusErrorOf({ status, headers }: Response): Promise<AgentStreamError> {
  return vendorStatusError(status, headers.get('retry-after'));
}

/** The bytes of an answer's body, as they come. */
export async function* bytesOf({ body }: Response): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) yield read.value;
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/**
 * {@link bytesOf} an answer that is audio.
 * @throws AgentStreamError `vendor-protocol` where it is text or JSON
 */
export async function* audioBytesOf(response: Response): AsyncGenerator<Uint8Array> {
  const isText = /^(text|application)\/(html|json|plain)/.test(response.headers.get('content-type') ?? '');
  if (isText) {
    await response.body?.cancel();
    throw new AgentStreamError('vendor-protocol', { message: 'The vendor sent no audio.' });
  }
  yield* bytesOf(response);
}

/** Creates one. What is idle speaks at once; what is busy gathers whole sentences for the next request. */
export function createSpeechRequests(options: SpeechRequestsOptions): SpeechRequests {
  const { wire } = options;
  const controller = new AbortController();
  const { signal } = controller;
  const requests: Promise<Response>[] = [];
  let pending = '';

  function takeText(): string {
    const ready = requests.length === 0 ? pending : pending.slice(0, endOfSentences(pending));
    const [text] = splitText(ready, wire.maxCharacters);
    pending = pending.slice(text.length);
    return text;
  }

  function fill(): void {
    while (requests.length < MAX_REQUESTS) {
      const text = takeText();
      if (text.trim() === '') return;
      const request = wire.ask(text, signal);
      // Its failure is met when its turn comes.
      void request.catch(() => undefined);
      requests.push(request);
    }
  }

  /** The body of a request ahead is left unread: the connection holds it back. */
  async function playOne(request: Promise<Response>): Promise<void> {
    const response = await request;
    if (!response.ok) {
      const error = await (wire.readRefusal ?? statusErrorOf)(response);
      await response.body?.cancel().catch(() => undefined);
      throw error;
    }
    for await (const audio of wire.listen(response)) {
      if (audio.length > 0 && !signal.aborted) options.onAudio(Buffer.from(audio));
    }
  }

  async function play(): Promise<void> {
    try {
      for (let request = requests[0]; request !== undefined; request = requests[0]) {
        await playOne(request);
        void requests.shift();
        fill();
      }
      if (!signal.aborted) options.onDry();
    } catch (error) {
      if (signal.aborted) return;
      controller.abort();
      options.onFailed(toError(error));
    }
  }

  return {
    push(text) {
      if (signal.aborted) return;
      pending += text;
      const wasIdle = requests.length === 0;
      fill();
      if (wasIdle && requests.length > 0) void play();
    },
    abort: () => controller.abort(),
  };
}
