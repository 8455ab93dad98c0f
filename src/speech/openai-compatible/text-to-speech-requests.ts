import { createDecoder } from '../../audio/convert.js';
import { AgentStreamError } from '../../base/errors.js';
import { vendorStatusError } from '../../base/http-status.js';
import { splitText } from '../split-text.js';

/** Longest `input` of a request (platform.openai.com/docs/api-reference/audio/createSpeech). */
const MAX_CHARACTERS = 4096;
/** The request whose audio is being played, and the one ahead of it. */
const MAX_REQUESTS = 2;
/** Silence that pushes the last samples of a sentence out of the resampler, ms; more than it ever holds. */
const RESAMPLER_TAIL_MS = 4;

/** The end of the last complete sentence in a text; 0: there is none. */
function endOfSentences(text: string): number {
  let end = 0;
  for (const match of text.matchAll(/[.!?…]+["'”’)\]]*\s+|[。！？]+/g)) end = match.index + match[0].length;
  return end;
}

/** Where text comes from and audio goes to. */
export interface SpeechRequestsOptions {
  /** Asks for the speech of a text; the answer's body is raw 16-bit little-endian PCM. */
  readonly ask: (input: string, signal: AbortSignal) => Promise<Response>;
  readonly sampleRateHz: number;
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

async function bodyOf(response: Response): Promise<ReadableStreamDefaultReader<Uint8Array>> {
  const { body, status, headers } = response;
  const isText = /^(text|application)\/(html|json|plain)/.test(headers.get('content-type') ?? '');
  if (response.ok && !isText && body !== null) return body.getReader();
  await body?.cancel();
  throw response.ok ? new AgentStreamError('vendor-protocol', { message: 'The vendor sent no audio.' }) : vendorStatusError(status, headers.get('retry-after'));
}

/** Creates one. What is idle speaks at once; what is busy gathers whole sentences for the next request. */
export function createSpeechRequests(options: SpeechRequestsOptions): SpeechRequests {
  const { ask, sampleRateHz } = options;
  const controller = new AbortController();
  const { signal } = controller;
  const requests: Promise<Response>[] = [];
  let pending = '';

  function takeText(): string {
    const ready = requests.length === 0 ? pending : pending.slice(0, endOfSentences(pending));
    const [text] = splitText(ready, MAX_CHARACTERS);
    pending = pending.slice(text.length);
    return text;
  }

  function fill(): void {
    while (requests.length < MAX_REQUESTS) {
      const text = takeText();
      if (text.trim() === '') return;
      const request = ask(text, signal);
      // Its failure is met when its turn comes.
      void request.catch(() => undefined);
      requests.push(request);
    }
  }

  /** The body of a request ahead is left unread: the connection holds it back. */
  async function playOne(request: Promise<Response>): Promise<void> {
    const reader = await bodyOf(await request);
    const decode = createDecoder({ encoding: 'l16-le', sampleRateHz });
    const emit = (samples: Uint8Array) => {
      const audio = decode(samples);
      if (audio.length > 0 && !signal.aborted) options.onAudio(Buffer.from(audio));
    };
    let sizeBytes = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      sizeBytes += value.length;
      emit(value);
    }
    if (sizeBytes > 0) emit(new Uint8Array(2 * Math.ceil((sampleRateHz * RESAMPLER_TAIL_MS) / 1000)));
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
