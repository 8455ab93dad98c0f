import { createDecoder } from '../../audio/convert.js';
import { SAMPLE_RATE_HZ } from '../../audio/frame.js';
import { AgentStreamError } from '../../base/errors.js';
import { asRecord, parseJson, type JsonRecord } from '../../base/json.js';
import { createChangeFeed, type ChangeFeed } from '../change-feed.js';
import type { LanguageModelRequest } from '../language-model.js';
import { realtimeEars } from '../realtime-ears.js';
import { openRealtimeLink, type RealtimeLink } from '../realtime-link.js';
import { lostMemory, memoryOf, noteCall, noteSaid, recall, type MemoryItem, type RealtimeMemory } from '../realtime-memory.js';
import type { RealtimeOptions, RealtimePart, RealtimeResponse, RealtimeSession } from '../realtime-model.js';
import type { SpeechToTextStream } from '../speech-to-text.js';
import type { VendorContext } from '../vendor.js';
import { createAnswerBook, type Answer } from './answers.js';
import { createUltravoxCall } from './create-call.js';
import { createHearing, type Hearing } from './hearing.js';
import { callBody, forceStage, forceWords, hangUp, parseServerMessage, STAGE_TOOL, stageOf, stageResult, tell, toolResult, type UltravoxEvent } from './messages.js';
import type { UltravoxSettings } from './settings.js';

/** How long a response waits for a connection that is being opened. */
const READY_LIMIT_MS = 4000;
/** Fixed words that the vendor is known to remember; the oldest go first. */
const MAX_SAID = 64;
/** What a call of a function is answered with that nobody waits for. */
const INTERRUPTED = '{"status":"interrupted"}';

type ToolResult = Extract<MemoryItem, { type: 'tool-result' }>;

/** What the vendor was told on one connection. */
interface Told {
  memory: RealtimeMemory;
  /** The stage that the call is in, as JSON; null: none that was asked for. */
  stage: string | null;
  /** Fixed words that it said and remembers itself. */
  readonly said: string[];
  /** The agent's utterance and how much of its text has come. */
  utterance: { ordinal: number; length: number };
}

const nothingTold = (memory: RealtimeMemory): Told => ({ memory, stage: null, said: [], utterance: { ordinal: -1, length: 0 } });

/** Opens one call's session. */
export function openUltravoxSession(settings: UltravoxSettings, context: VendorContext, call: RealtimeOptions): RealtimeSession {
  return new UltravoxSession(settings, context, call);
}

/**
 * The vendor ends turns and answers them by itself, and cuts its memory where the caller interrupts it. A response is the answer that is
 * under way where that knows everything; else the call is brought into a stage of the response's prompt and functions, and answers anew.
 */
class UltravoxSession implements RealtimeSession {
  readonly recogniser: SpeechToTextStream;
  readonly #call: RealtimeOptions;
  readonly #link: RealtimeLink;
  readonly #hearing: Hearing;
  readonly #changes: ChangeFeed;
  readonly #answers = createAnswerBook();
  readonly #toMulaw = createDecoder({ encoding: 'l16-le', sampleRateHz: SAMPLE_RATE_HZ });
  #told: Told;
  #failure: AgentStreamError | null = null;

  constructor(settings: UltravoxSettings, context: VendorContext, call: RealtimeOptions) {
    const { clock, lookup } = context;
    this.#call = call;
    this.#told = nothingTold(memoryOf(call));
    this.#changes = createChangeFeed(clock);
    this.#hearing = createHearing(clock, (event) => {
      if (this.#failure === null && !call.signal.aborted) call.onEvent(event);
    });
    this.#link = openRealtimeLink({
      url: (signal) => createUltravoxCall(context, callBody(settings, call.language), signal),
      headers: {},
      lookup,
      clock,
      signal: call.signal,
      hasSpare: call.hasSpare,
      onMessage: (data, isBinary) => this.#onMessage(data, isBinary),
      onLost: (error) => this.#onLost(error),
      onFailed: (error) => this.#onFailed(error),
    });
    this.recogniser = realtimeEars(this.#hearing, () => this.#failure !== null, () => this.close());
    call.signal.addEventListener('abort', this.#onAbort, { once: true });
    if (call.signal.aborted) this.close();
  }

  respond(request: LanguageModelRequest): RealtimeResponse {
    // The vendor itself forgets what was not heard, where it was the caller's speech that interrupted it.
    return { parts: this.#read(request.signal, () => this.#ask(request)), settle: () => undefined };
  }

  say(text: string, signal: AbortSignal): AsyncIterable<RealtimePart> {
    return this.#read(signal, () => {
      const answer = this.#answers.expect();
      this.#told.said.push(text);
      if (this.#told.said.length > MAX_SAID) this.#told.said.shift();
      this.#send([forceWords(text)]);
      return answer;
    });
  }

  noteSaid(text: string): void {
    const isKnown = this.#told.said.some((said) => said.startsWith(text));
    if (!isKnown) this.#told.memory = noteSaid(this.#told.memory, text);
  }

  readonly #onAbort = (): void => this.close();

  close(): void {
    this.#call.signal.removeEventListener('abort', this.#onAbort);
    this.#link.send(hangUp());
    this.#link.close();
    this.#hearing.close();
    this.#failure ??= new AgentStreamError('vendor-failed', { message: 'The session is closed' });
    this.#answers.fail(this.#failure);
    this.#changes.wake();
  }

  async *#read(signal: AbortSignal, ask: () => Answer): AsyncGenerator<RealtimePart> {
    signal.throwIfAborted();
    await this.#changes.until(() => this.#failure !== null || this.#link.isReady, READY_LIMIT_MS, signal);
    signal.throwIfAborted();
    if (this.#failure !== null) throw this.#failure;
    if (!this.#link.isReady) throw new AgentStreamError('vendor-unreachable', { message: 'The speech-to-speech model is not connected' });
    const answer = ask();
    const onAbort = () => answer.giveUp(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      yield* answer.parts;
    } finally {
      signal.removeEventListener('abort', onAbort);
      answer.giveUp(signal.reason);
    }
  }

  /** Results of functions are waited for: with them the vendor goes on. Else it is interrupted, unless its own answer will do. */
  #ask(request: LanguageModelRequest): Answer {
    const { memory, items } = recall(this.#told.memory, request.messages);
    this.#told.memory = memory;
    const stage = stageOf(request);
    const isNewStage = JSON.stringify(stage) !== this.#told.stage;
    const results = items.filter((item) => item.type === 'tool-result');
    const news = items.flatMap((item) => (item.type === 'tool-result' ? [] : [tell(item)]));
    this.#told.stage = JSON.stringify(stage);
    if (results.length > 0) {
      const answer = this.#answers.expect();
      this.#send([...news, ...results.map((result, index) => this.#resultOf(result, index === results.length - 1, isNewStage ? stage : null))]);
      return answer;
    }
    const own = isNewStage || news.length > 0 ? null : this.#answers.claim();
    if (own !== null) return own;
    // A stage that is on its way already becomes this one.
    const messages = this.#answers.isEntering ? news : [...news, forceStage()];
    const answer = this.#answers.expectStage();
    this.#send(messages);
    return answer;
  }

  #resultOf({ toolCallId, text }: ToolResult, isLast: boolean, stage: JsonRecord | null): string {
    return isLast && stage !== null ? stageResult(toolCallId, stage, text) : toolResult(toolCallId, text, isLast);
  }

  #send(messages: readonly string[]): void {
    if (messages.some((message) => !this.#link.send(message))) this.#link.lose(new AgentStreamError('vendor-unreachable'));
  }

  #onMessage(data: Buffer, isBinary: boolean): boolean {
    if (isBinary) {
      this.#link.noteWorking();
      // The converter's output is its own only until it is called again.
      this.#answers.audio(Buffer.from(this.#toMulaw(data)));
      return true;
    }
    const event = parseServerMessage(data);
    if (event !== null) this.#take(event);
    return event !== null;
  }

  #take(event: UltravoxEvent): void {
    switch (event.type) {
      case 'call-started':
        if (this.#link.isReady) return;
        this.#link.noteReady();
        this.#changes.wake();
        return this.#hearing.connect((pcm) => this.#link.send(pcm));
      case 'state':
        return this.#answers.state(event.state);
      case 'caller-words':
        this.#link.noteWorking();
        return this.#hearing.takeTurn(event.text);
      case 'agent-words':
        return this.#takeWords(event);
      case 'invocation':
        return this.#takeCall(event);
      case 'clear':
        return this.#answers.clear();
      case 'other':
    }
  }

  #takeWords({ text, isWhole, ordinal }: Extract<UltravoxEvent, { type: 'agent-words' }>): void {
    this.#link.noteWorking();
    const { utterance } = this.#told;
    const length = utterance.ordinal === ordinal ? utterance.length : 0;
    const fresh = isWhole ? text.slice(length) : text;
    this.#told.utterance = { ordinal, length: length + fresh.length };
    if (fresh !== '') this.#answers.text(fresh);
  }

  #takeCall({ id, name, argumentsJson }: Extract<UltravoxEvent, { type: 'invocation' }>): void {
    this.#link.noteWorking();
    if (name === STAGE_TOOL) {
      const { stage } = this.#told;
      const isAwaited = this.#answers.enterStage() && stage !== null;
      if (!isAwaited) this.#told.stage = null;
      this.#send([isAwaited ? stageResult(id, asRecord(parseJson(stage)), 'Go on.') : toolResult(id, INTERRUPTED, false)]);
    } else if (this.#answers.call(id, name, argumentsJson)) this.#told.memory = noteCall(this.#told.memory, id, true);
    // The vendor hears nobody until the function has a result.
    else this.#send([toolResult(id, INTERRUPTED, false)]);
  }

  #onLost(error: AgentStreamError): void {
    this.#told = nothingTold(lostMemory);
    this.#hearing.disconnect();
    this.#answers.fail(error);
  }

  #onFailed(error: AgentStreamError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#hearing.close();
    this.#changes.wake();
    this.#call.onEvent({ type: 'stt-failed', error });
  }
}
