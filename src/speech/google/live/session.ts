import type { LookupFunction } from 'node:net';
import type { Clock } from '../../../base/clock.js';
import { AgentStreamError } from '../../../base/errors.js';
import { createChangeFeed, type ChangeFeed } from '../../change-feed.js';
import type { LanguageModelRequest } from '../../language-model.js';
import { realtimeEars } from '../../realtime-ears.js';
import { openRealtimeLink, type RealtimeLink } from '../../realtime-link.js';
import { memoryOf, type MemoryItem } from '../../realtime-memory.js';
import type { RealtimeOptions, RealtimePart, RealtimeResponse, RealtimeSession } from '../../realtime-model.js';
import type { SpeechToTextStream } from '../../speech-to-text.js';
import { createLiveConversation, type LiveConversation } from './conversation.js';
import { createHearing, type Hearing } from './hearing.js';
import { clientContent, closeError, parseServerMessage, sayItem, setupMessage, toolResponse, type ServerEvent, type ToolResult } from './messages.js';
import { createOpenResponse, type OpenResponse } from './response.js';
import type { GeminiLiveSettings } from './settings.js';
import { createModelTurn, type ModelTurn } from './turn.js';

/** How long a response that was cut off may take to end: later than this the connection is given up. */
const CUT_LIMIT_MS = 2000;
/** How long a response waits for a connection that is being opened. */
const READY_LIMIT_MS = 4000;

/** Where and how a session is opened. */
export interface GeminiLiveOptions {
  readonly url: string;
  readonly settings: GeminiLiveSettings;
  readonly clock: Clock;
  readonly lookup?: LookupFunction | undefined;
}

/** Opens one call's session. */
export function openGeminiLive(options: GeminiLiveOptions, call: RealtimeOptions): RealtimeSession {
  return new GeminiLiveSession(options, call);
}

const isResult = (item: MemoryItem): item is ToolResult => item.type === 'tool-result';

class GeminiLiveSession implements RealtimeSession {
  readonly recogniser: SpeechToTextStream;
  readonly #changes: ChangeFeed;
  readonly #call: RealtimeOptions;
  readonly #link: RealtimeLink;
  readonly #hearing: Hearing;
  readonly #turn: ModelTurn = createModelTurn();
  readonly #conversation: LiveConversation;
  #failure: AgentStreamError | null = null;

  constructor({ settings, clock, url, lookup }: GeminiLiveOptions, call: RealtimeOptions) {
    this.#changes = createChangeFeed(clock);
    this.#call = call;
    this.#conversation = createLiveConversation(memoryOf(call));
    this.#hearing = createHearing(clock, (event) => {
      if (this.#failure === null && !call.signal.aborted) call.onEvent(event);
    });
    this.#link = openRealtimeLink({
      url,
      headers: {},
      lookup,
      clock,
      signal: call.signal,
      hasSpare: call.hasSpare,
      opening: () => setupMessage(settings),
      onMessage: (data) => this.#onMessage(data),
      onLost: (error) => this.#onLost(error),
      onFailed: (error) => this.#onFailed(error),
      closeError,
    });
    this.recogniser = realtimeEars(this.#hearing, () => this.#failure !== null, () => this.close());
    call.signal.addEventListener('abort', this.#onAbort, { once: true });
    if (call.signal.aborted) this.close();
  }

  respond(request: LanguageModelRequest): RealtimeResponse {
    const response = createOpenResponse();
    return {
      parts: this.#read(response, request.signal, () => this.#ask(response, request)),
      settle: (heardMs) => {
        const note = response.unheard(heardMs);
        // Its memory cannot be cut: it is told before the next answer.
        if (note !== null) this.#conversation.note(note);
      },
    };
  }

  say(text: string, signal: AbortSignal): AsyncIterable<RealtimePart> {
    const response = createOpenResponse();
    return this.#read(response, signal, async () => {
      await this.#settleTurn(signal);
      this.#conversation.noteSpoken(text);
      this.#turn.begin(response, false);
      this.#send(clientContent([sayItem(text)], true));
    });
  }

  noteSaid(text: string): void {
    this.#conversation.noteSaid(text);
  }

  readonly #onAbort = (): void => this.close();

  close(): void {
    this.#call.signal.removeEventListener('abort', this.#onAbort);
    this.#link.close();
    this.#hearing.close();
    this.#failure ??= new AgentStreamError('vendor-failed', { message: 'The session is closed' });
    this.#turn.fail(this.#failure);
    this.#changes.wake();
  }

  async *#read(response: OpenResponse, signal: AbortSignal, ask: () => Promise<void>): AsyncGenerator<RealtimePart> {
    signal.throwIfAborted();
    const giveUp = () => {
      response.fail(signal.reason);
      if (this.#turn.isOf(response)) this.#cut();
    };
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      await this.#until(() => this.#link.isReady, READY_LIMIT_MS, signal);
      if (!this.#link.isReady) throw new AgentStreamError('vendor-unreachable', { message: 'The speech-to-speech model is not connected' });
      await ask();
      yield* response.parts;
    } finally {
      signal.removeEventListener('abort', giveUp);
      giveUp();
    }
  }

  /** @throws the session's failure; the signal's reason once it aborts */
  async #until(holds: () => boolean, limitMs: number, signal: AbortSignal): Promise<void> {
    await this.#changes.until(() => this.#failure !== null || holds(), limitMs, signal);
    signal.throwIfAborted();
    if (this.#failure !== null) throw this.#failure;
  }

  /** Waits until the vendor writes to nothing. @throws AgentStreamError `vendor-unreachable` where it does not stop. */
  async #settleTurn(signal: AbortSignal): Promise<void> {
    await this.#until(() => !this.#turn.isBusy, CUT_LIMIT_MS, signal);
    if (!this.#turn.isBusy && this.#link.isReady) return;
    const error = new AgentStreamError('vendor-unreachable', { message: 'The speech-to-speech model did not stop' });
    this.#link.lose(error);
    throw error;
  }

  /** Stops the answer that is on its way, or that waits for a function. */
  #cut(): void {
    this.#turn.cut();
    this.#send(clientContent([{ type: 'note', text: '[Your answer was cut off.]' }], false));
  }

  async #ask(response: OpenResponse, request: LanguageModelRequest): Promise<void> {
    await this.#settleTurn(request.signal);
    // The caller went on while a function ran: what it returned is told, and the answer is to what was said last.
    if (this.#turn.isCalling && this.#hearing.hasWords) {
      this.#cut();
      await this.#settleTurn(request.signal);
    }
    const all = this.#conversation.recall(request.messages);
    const { isCalling, nameOf } = this.#turn;
    const results = all.filter(isResult).filter(({ toolCallId }) => nameOf(toolCallId) !== undefined);
    const others = all.filter((item) => !isResult(item) || !results.includes(item));
    // What has not changed is not sent: the vendor would have to read everything anew.
    const context = this.#conversation.updateContext(request);
    const answer = isCalling && results.length > 0 ? toolResponse(results, others, (id) => nameOf(id) ?? '') : null;
    this.#turn.begin(response, true);
    if (context !== null) this.#send(context);
    if (answer !== null) return this.#send(answer);
    if (!this.#hearing.hasActivity) return this.#send(clientContent(all, true));
    if (all.length > 0) this.#send(clientContent(all, false));
    if (!this.#hearing.endActivity()) this.#link.lose(new AgentStreamError('vendor-unreachable'));
  }

  #send(message: string): void {
    if (!this.#link.send(message)) this.#link.lose(new AgentStreamError('vendor-unreachable'));
  }

  #onMessage(data: Buffer): boolean {
    const events = parseServerMessage(data);
    if (events === null) return false;
    for (const event of events) this.#take(event);
    return true;
  }

  #take(event: ServerEvent): void {
    switch (event.type) {
      case 'setup-complete':
        if (this.#link.isReady) return;
        this.#link.noteReady();
        this.#changes.wake();
        return this.#hearing.connect((message) => this.#link.send(message));
      case 'caller-text':
        this.#link.noteWorking();
        return this.#hearing.take(event.text, event.isFinished);
      case 'calls':
        for (const { id } of event.calls) this.#conversation.noteCall(id, this.#turn.isConversing);
        this.#turn.take(event);
        return this.#changes.wake();
      default:
        // A vendor that only ends its connections is given up.
        if (event.type !== 'go-away') this.#link.noteWorking();
        this.#turn.take(event);
        if (event.type === 'turn-complete' || event.type === 'generation-complete') this.#changes.wake();
        if (this.#turn.isLeaving) this.#link.lose(new AgentStreamError('vendor-unreachable', { message: 'The vendor ends the connection' }));
    }
  }

  #onLost(error: AgentStreamError): void {
    this.#conversation.lose();
    this.#hearing.disconnect();
    this.#turn.fail(error);
    this.#changes.wake();
  }

  #onFailed(error: AgentStreamError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#hearing.close();
    this.#changes.wake();
    this.#call.onEvent({ type: 'stt-failed', error });
  }
}
