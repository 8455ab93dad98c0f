import { mulawDurationMs } from '../audio/frame.js';
import { keyTones } from '../audio/key-tones.js';
import type { Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { Hedge, ModelToolCall, ModelUsage } from '../speech/language-model.js';
import type { WorkflowAction } from '../workflow/engine.js';
import { createDeadAirWatch, type DeadAirWatch } from './dead-air.js';
import { createFillerWatch, type FillerWatch } from './filler-watch.js';
import { heardText } from './heard-text.js';
import type { Answer, Responder } from './responder.js';
import { createSentenceSplitter } from './sentences.js';
import { createSpeaker, type Speaker, type Voice } from './speaker.js';
import { waitForTools } from './tool-wait.js';

/** What one pass of the model may come to, in a call and in writing. */
export const passLimits = {
  /** Longest answer asked for: about two minutes of speech. */
  outputTokens: 600,
  /** A model that goes on beyond that is cut: what the playout holds is about as much. */
  chars: 1600,
  /** So is one that calls functions without end. */
  toolCalls: 16,
} as const;

/** Actions that are heard. */
export type SpeechAction = Extract<WorkflowAction, { type: 'say' | 'ask-model' | 'await-tools' | 'play-tones' }>;

type AskModel = Extract<SpeechAction, { type: 'ask-model' }>;
type AwaitTools = Extract<SpeechAction, { type: 'await-tools' }>;

/** When the parts of a reply happened, on the clock's monotonic time; undefined where they did not. */
export interface ReplyTimings {
  readonly requestedAtMs: number;
  modelRequestedAtMs?: number;
  firstTokenAtMs?: number;
  voiceRequestedAtMs?: number;
  firstByteAtMs?: number;
  firstFrameAtMs?: number;
  /** The first request to the model was sent twice. */
  isHedged?: boolean;
  /** A filler was said while the model was waited for. */
  hasFiller?: boolean;
}

/** What a model pass came to. */
export interface ModelPass {
  readonly text: string;
  readonly toolCalls: readonly ModelToolCall[];
  readonly usage: ModelUsage | undefined;
  /** Set where the pass broke off; what came before it stands. */
  readonly failure: AgentStreamError | null;
}

/** What the reply reports. Callbacks are synchronous; none comes before {@link startReply} has returned, or after `cancel`. */
export interface ReplyListener {
  /** Audio for the playout. */
  onAudio(audio: Uint8Array): void;
  /** A model pass is over; returns what follows in the same reply, or a promise of it that settles with the reply's end at the latest. */
  onPassEnded(pass: ModelPass): readonly SpeechAction[] | Promise<readonly SpeechAction[]>;
  /** A request to the model was sent twice. May come within `cancel`. */
  onHedged(hedge: Hedge): void;
  /** A filler is said. */
  onFillerSaid(): void;
  /** The reply waits for tools: resolves with what follows in it. */
  onToolsAwaited(): Promise<readonly SpeechAction[]>;
  /** All audio was handed over. `hasAudio` false: there is nothing to hear. */
  onComplete(hasAudio: boolean): void;
  /** The voice failed; nothing more will come. */
  onVoiceFailed(error: AgentStreamError): void;
  /** Something broke that is no vendor's word: a fault of this program. Must not throw. */
  onFault(error: unknown): void;
}

/** One agent turn: fixed words and model passes, spoken in order. */
export interface Reply {
  readonly id: string;
  readonly timings: ReplyTimings;
  /** Characters the voice's vendor was given. */
  readonly vendorChars: number;
  /** True once the voice's vendor gave audio: cached phrases prove nothing of it. */
  readonly hasSpoken: boolean;
  /** A caller who has spoken waits for it from now on: a filler may be said. */
  beginWait(): void;
  /** The reply is over, and `heardMs` of its audio were heard: returns the words, and a model that spoke them remembers no more. */
  settle(heardMs: number): string;
  /** Stops model and voice at once. */
  cancel(): void;
}

/** What a reply is made with. */
export interface ReplyOptions {
  readonly id: string;
  readonly clock: Clock;
  readonly responder: Responder;
  readonly voice: Voice;
  /** When the caller began to wait for it, on the clock's monotonic time. */
  readonly waitingSinceMs: number;
  /** The call's signal. */
  readonly signal: AbortSignal;
}

/** Starts speaking `actions`. */
export function startReply(actions: readonly SpeechAction[], options: ReplyOptions, listener: ReplyListener): Reply {
  return new SpokenReply(actions, options, listener);
}

class SpokenReply implements Reply {
  readonly timings: ReplyTimings;
  readonly #options: ReplyOptions;
  readonly #listener: ReplyListener;
  readonly #controller = new AbortController();
  readonly #watch: DeadAirWatch;
  readonly #speaker: Speaker;
  readonly #filler: FillerWatch;
  /** The model pass being read. */
  #pass: AbortController | null = null;
  #hasAudio = false;

  constructor(actions: readonly SpeechAction[], options: ReplyOptions, listener: ReplyListener) {
    const { clock, waitingSinceMs } = options;
    this.#options = options;
    this.#listener = listener;
    this.timings = { requestedAtMs: clock.nowMs() };
    this.#filler = createFillerWatch(clock);
    this.#watch = createDeadAirWatch({ clock, waitingSinceMs, onDeadAir: () => this.#giveUpSilentLeg() });
    this.#speaker = this.#createSpeaker();
    this.#signal.addEventListener('abort', () => this.#stop(), { once: true });
    options.signal.addEventListener('abort', this.#onCallEnded, { once: true });
    if (options.signal.aborted) this.#onCallEnded();
    // Not at once: the owner must know the reply before it hears of it.
    void Promise.resolve()
      .then(() => this.#run([...actions]))
      .catch((error: unknown) => this.#onBroken(error))
      .catch((error: unknown) => listener.onFault(error))
      .finally(() => options.signal.removeEventListener('abort', this.#onCallEnded));
  }

  get id(): string {
    return this.#options.id;
  }

  get vendorChars(): number {
    return this.#speaker.vendorChars;
  }

  get hasSpoken(): boolean {
    return this.#speaker.hasSpoken;
  }

  beginWait(): void {
    this.#filler.beginWait();
  }

  settle(heardMs: number): string {
    this.#options.responder.settle(this.#speaker, heardMs);
    return heardText(this.#speaker.segments, heardMs);
  }

  cancel(): void {
    this.#controller.abort(new AgentStreamError('vendor-failed', { message: 'The reply was cancelled' }));
  }

  get #signal(): AbortSignal {
    return this.#controller.signal;
  }

  readonly #onCallEnded = (): void => this.#controller.abort(this.#options.signal.reason);

  #createSpeaker(): Speaker {
    const { timings } = this;
    const { clock, voice } = this.#options;
    return createSpeaker(voice, {
      append: (audio) => {
        this.#hasAudio = true;
        this.#watch.noteAudio(mulawDurationMs(audio.length));
        this.#listener.onAudio(audio);
      },
      // The dead-air watch does not learn of it: a filler buys the model no time.
      appendFiller: (audio) => {
        this.#hasAudio = true;
        timings.hasFiller = true;
        this.#listener.onFillerSaid();
        this.#listener.onAudio(audio);
      },
      onVoiceRequested: () => {
        timings.voiceRequestedAtMs ??= clock.nowMs();
        this.#watch.expect('tts');
      },
      onFirstByte: () => {
        timings.firstByteAtMs ??= clock.nowMs();
      },
    });
  }

  async #run(queue: SpeechAction[]): Promise<void> {
    for (let action = queue.shift(); action !== undefined && !this.#signal.aborted; action = queue.shift()) {
      if (action.type === 'say') await this.#speaker.say(action.text, action.clipId);
      else if (action.type === 'play-tones') this.#speaker.play(keyTones(action.digits));
      else queue.push(...(await (action.type === 'ask-model' ? this.#askModel(action) : this.#awaitTools(action))));
    }
    this.#watch.cancel();
    if (!this.#signal.aborted) this.#listener.onComplete(this.#hasAudio);
  }

  async #askModel(action: AskModel): Promise<readonly SpeechAction[]> {
    const reading = new AbortController();
    const { messages, tools, filler } = action;
    const onHedged = (hedge: Hedge) => this.#onHedged(hedge);
    const request = { messages, tools, signal: reading.signal, maxOutputTokens: passLimits.outputTokens, onHedged };
    const answer = this.#options.responder.answer(request, this.#speaker);
    this.#pass = reading;
    // A model that speaks itself cannot say fixed words while it is asked.
    if (filler !== null && !this.#hasAudio && !answer.isSpoken) this.#filler.cover(filler, (text, signal) => this.#fill(text, signal));
    const pass = await this.#readPass(answer, reading);
    this.#signal.throwIfAborted();
    const audio = answer.segment.end(pass.failure !== null);
    // Should the next line throw, nobody waits for the audio any more.
    audio.catch(() => undefined);
    const following = await this.#listener.onPassEnded(pass);
    await audio;
    return following;
  }

  #onHedged(hedge: Hedge): void {
    if (this.timings.firstTokenAtMs === undefined) this.timings.isHedged = true;
    this.#listener.onHedged(hedge);
  }

  #fill(text: string, signal: AbortSignal): void {
    this.#speaker.fill(text, signal).catch((error: unknown) => this.#listener.onFault(error));
  }

  /** While tools run neither leg is waited for: their own limits bound them. */
  #awaitTools(action: AwaitTools): Promise<readonly SpeechAction[]> {
    this.#watch.cancel();
    return waitForTools(action, this.#listener.onToolsAwaited(), {
      clock: this.#options.clock,
      signal: this.#signal,
      hasAudio: this.#hasAudio,
      say: (text) => this.#speaker.say(text).finally(() => this.#watch.cancel()),
    });
  }

  /** Reads one pass; its text is spoken as it comes. */
  async #readPass({ parts, segment, isSpoken }: Answer, reading: AbortController): Promise<ModelPass> {
    const { clock } = this.#options;
    const { timings } = this;
    const splitter = createSentenceSplitter();
    const toolCalls: ModelToolCall[] = [];
    let text = '';
    let isHeard = !isSpoken;
    let usage: ModelUsage | undefined;
    let failure: AgentStreamError | null = null;
    this.#watch.expect('llm');
    timings.modelRequestedAtMs ??= clock.nowMs();
    try {
      for await (const part of parts) {
        timings.firstTokenAtMs ??= clock.nowMs();
        if (part.type === 'text-delta') {
          if (part.text.trim() !== '') this.#filler.end();
          text += part.text;
          for (const piece of isSpoken ? [part.text] : splitter.push(part.text)) segment.push(piece);
        } else if (part.type === 'audio') {
          isHeard = true;
          segment.append(part.audio);
        } else if (part.type === 'tool-call') toolCalls.push(part.toolCall);
        else usage = part.usage;
        if (text.length >= passLimits.chars || toolCalls.length >= passLimits.toolCalls) break;
      }
    } catch (error) {
      if (this.#signal.aborted || !(error instanceof AgentStreamError)) throw error;
      failure = error;
    } finally {
      this.#pass = null;
      this.#filler.uncover();
      reading.abort();
    }
    for (const piece of splitter.flush()) segment.push(piece);
    // Words that came without their speech are nothing the caller could hear.
    return { text: isHeard ? text : '', toolCalls, usage, failure };
  }

  /** A model that is silent for too long has said what it had to say; then it is up to the voice. */
  #giveUpSilentLeg(): void {
    const silent = new AgentStreamError('vendor-unreachable', { message: 'The vendor stayed silent for too long' });
    this.#watch.expect('tts');
    if (this.#pass === null) this.#speaker.fail(silent);
    else this.#pass.abort(silent);
  }

  #stop(): void {
    this.#watch.cancel();
    try {
      this.#filler.end();
      this.#pass?.abort(this.#signal.reason);
      this.#speaker.cancel();
    } catch (error) {
      this.#listener.onFault(error);
    }
  }

  #onBroken(error: unknown): void {
    this.#watch.cancel();
    if (this.#signal.aborted) return;
    if (error instanceof AgentStreamError && error.code !== 'internal-error') this.#listener.onVoiceFailed(error);
    else this.#listener.onFault(error);
  }
}
