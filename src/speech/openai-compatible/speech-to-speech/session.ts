import type { LookupFunction } from 'node:net';
import type { Clock } from '../../../base/clock.js';
import { AgentStreamError } from '../../../base/errors.js';
import { createChangeFeed, type ChangeFeed } from '../../change-feed.js';
import type { LanguageModelRequest } from '../../language-model.js';
import { realtimeEars } from '../../realtime-ears.js';
import { openRealtimeLink, type RealtimeLink } from '../../realtime-link.js';
import { lostMemory, memoryOf, noteCall, noteSaid, recall, type RealtimeMemory } from '../../realtime-memory.js';
import type { RealtimeOptions, RealtimePart, RealtimeResponse, RealtimeSession } from '../../realtime-model.js';
import type { SpeechToTextStream } from '../../speech-to-text.js';
import { createHearing, type Hearing } from './hearing.js';
import { audioAppend, itemCreate, parseServerEvent, responseCreate, sayCreate, SESSION_EVENT_ID, sessionUpdate, type ServerEvent } from './messages.js';
import { createOpenResponse, type OpenResponse } from './response.js';
import { createResponseBook } from './responses.js';
import type { OpenaiRealtimeSettings } from './settings.js';

/** How long a response that was cancelled may take to end before the next one is asked for all the same. */
const CANCEL_LIMIT_MS = 2000;
/** How long a response waits for a connection that is being opened. */
const READY_LIMIT_MS = 4000;

/** Where and how a session is opened. */
export interface OpenaiRealtimeOptions {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly settings: OpenaiRealtimeSettings;
  readonly clock: Clock;
  readonly lookup?: LookupFunction | undefined;
}

/** Opens one call's session. */
export function openOpenaiRealtime(options: OpenaiRealtimeOptions, call: RealtimeOptions): RealtimeSession {
  return new OpenaiRealtimeSession(options, call);
}

class OpenaiRealtimeSession implements RealtimeSession {
  readonly recogniser: SpeechToTextStream;
  readonly #changes: ChangeFeed;
  readonly #call: RealtimeOptions;
  readonly #link: RealtimeLink;
  readonly #hearing: Hearing;
  readonly #responses = createResponseBook(() => this.#changes.wake());
  #memory: RealtimeMemory;
  #failure: AgentStreamError | null = null;

  constructor({ settings, clock, url, headers, lookup }: OpenaiRealtimeOptions, call: RealtimeOptions) {
    this.#changes = createChangeFeed(clock);
    this.#call = call;
    this.#memory = memoryOf(call);
    this.#hearing = createHearing(clock, (event) => {
      if (this.#failure === null && !call.signal.aborted) call.onEvent(event);
    });
    this.#link = openRealtimeLink({
      url,
      headers,
      lookup,
      clock,
      signal: call.signal,
      hasSpare: call.hasSpare,
      opening: () => sessionUpdate(settings, call.language, call.keyterms),
      onMessage: (data) => this.#onMessage(data),
      onLost: (error) => this.#onLost(error),
      onFailed: (error) => this.#onFailed(error),
    });
    this.recogniser = realtimeEars(this.#hearing, () => this.#failure !== null, () => this.close());
    call.signal.addEventListener('abort', this.#onAbort, { once: true });
    if (call.signal.aborted) this.close();
  }

  respond(request: LanguageModelRequest): RealtimeResponse {
    const response = this.#createResponse();
    return {
      parts: this.#read(response, request.signal, () => this.#ask(response, request)),
      settle: (heardMs) => response.settle(heardMs),
    };
  }

  say(text: string, signal: AbortSignal): AsyncIterable<RealtimePart> {
    const response = this.#createResponse();
    return this.#read(response, signal, () => {
      this.#send([sayCreate(this.#responses.enter(response, false), text)]);
      return Promise.resolve();
    });
  }

  noteSaid(text: string): void {
    this.#memory = noteSaid(this.#memory, text);
  }

  readonly #onAbort = (): void => this.close();

  close(): void {
    this.#call.signal.removeEventListener('abort', this.#onAbort);
    this.#link.close();
    this.#hearing.close();
    this.#failure ??= new AgentStreamError('vendor-failed', { message: 'The session is closed' });
    this.#responses.fail(this.#failure);
  }

  #createResponse(): OpenResponse {
    return createOpenResponse((message) => void this.#link.send(message));
  }

  async *#read(response: OpenResponse, signal: AbortSignal, ask: () => Promise<void>): AsyncGenerator<RealtimePart> {
    signal.throwIfAborted();
    const onAbort = () => response.giveUp(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await this.#until(() => this.#link.isReady, READY_LIMIT_MS, signal);
      if (!this.#link.isReady) throw new AgentStreamError('vendor-unreachable', { message: 'The speech-to-speech model is not connected' });
      await ask();
      yield* response.parts;
    } finally {
      signal.removeEventListener('abort', onAbort);
      response.giveUp(signal.reason);
    }
  }

  /** @throws the session's failure; the signal's reason once it aborts */
  async #until(holds: () => boolean, limitMs: number, signal: AbortSignal): Promise<void> {
    await this.#changes.until(() => this.#failure !== null || holds(), limitMs, signal);
    signal.throwIfAborted();
    if (this.#failure !== null) throw this.#failure;
  }

  /** One response at a time is part of the conversation: the vendor refuses another one until it has ended the last. */
  async #ask(response: OpenResponse, request: LanguageModelRequest): Promise<void> {
    await this.#until(() => !this.#responses.isConversing, CANCEL_LIMIT_MS, request.signal);
    const { memory, items } = recall(this.#memory, request.messages);
    this.#memory = memory;
    this.#send([...items.map(itemCreate), responseCreate(this.#responses.enter(response, true), request)]);
  }

  #send(messages: readonly string[]): void {
    if (messages.some((message) => !this.#link.send(message))) this.#link.lose(new AgentStreamError('vendor-unreachable'));
  }

  #onMessage(data: Buffer): boolean {
    const event = parseServerEvent(data);
    if (event === null) return false;
    this.#take(event);
    return true;
  }

  #take(event: ServerEvent): void {
    switch (event.type) {
      case 'session-updated':
        if (this.#link.isReady) return;
        this.#link.noteReady();
        this.#changes.wake();
        return this.#hearing.connect((audio) => this.#link.send(audioAppend(audio)));
      case 'error':
        return this.#onError(event);
      case 'response-created':
        return this.#responses.begin(event.responseId, event.key);
      case 'response-done':
        return this.#responses.finish(event.responseId, event.end);
      case 'item-added':
      case 'audio':
      case 'text':
      case 'call': {
        this.#link.noteWorking();
        const response = this.#responses.of(event.responseId);
        if (event.type === 'call') this.#memory = noteCall(this.#memory, event.id, response?.isGivenUp === false);
        response?.take(event);
        return;
      }
      case 'transcript-done':
        this.#link.noteWorking();
        return this.#hearing.take(event);
      default:
        return this.#hearing.take(event);
    }
  }

  #onError({ eventId, isFinal, error }: Extract<ServerEvent, { type: 'error' }>): void {
    if (isFinal || eventId === SESSION_EVENT_ID) return this.#link.lose(error);
    // What else is refused, such as to cancel what has just ended, changes nothing.
    if (eventId !== null) this.#responses.refuse(eventId, error);
  }

  #onLost(error: AgentStreamError): void {
    this.#memory = lostMemory;
    this.#hearing.disconnect();
    this.#responses.fail(error);
  }

  #onFailed(error: AgentStreamError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#hearing.close();
    this.#changes.wake();
    this.#call.onEvent({ type: 'stt-failed', error });
  }
}
