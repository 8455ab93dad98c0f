import type { Clock } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { LanguageModel, ModelToolCall, ModelUsage } from '../speech/language-model.js';
import type { WorkflowAction } from '../workflow/engine.js';
import { heardText } from './heard-text.js';
import { createSentenceSplitter } from './sentences.js';
import { createSpeaker, type Voice } from './speaker.js';

/** A caller must hear something within this time of a reply's start, or the reply counts as failed. */
const DEAD_AIR_LIMIT_MS = 10_000;

/** Longest answer asked of a model: about two minutes of speech. */
const MAX_OUTPUT_TOKENS = 600;

/** Actions that are heard. */
export type SpeechAction = Extract<WorkflowAction, { type: 'say' | 'ask-model' }>;

/** When the parts of a reply happened, on the clock's monotonic time; undefined where they did not. */
export interface ReplyTimings {
  readonly requestedAtMs: number;
  modelRequestedAtMs?: number;
  firstTokenAtMs?: number;
  voiceRequestedAtMs?: number;
  firstByteAtMs?: number;
  firstFrameAtMs?: number;
}

/** What the reply reports. Callbacks are synchronous; none comes after `cancel`. */
export interface ReplyListener {
  /** Audio for the playout. */
  onAudio(audio: Uint8Array): void;
  /** A model pass is over; returns what follows in the same reply. */
  onModelFinished(text: string, toolCalls: readonly ModelToolCall[], usage: ModelUsage | undefined): readonly SpeechAction[];
  /** A model pass failed; returns what is said instead. */
  onModelFailed(error: AgentStreamError): readonly SpeechAction[];
  /** All audio was handed over. `hasAudio` false: there is nothing to hear. */
  onComplete(hasAudio: boolean): void;
  /** The voice failed; nothing more will come. */
  onVoiceFailed(error: AgentStreamError): void;
}

/** One agent turn: fixed words and model passes, spoken in order. */
export interface Reply {
  readonly id: string;
  readonly timings: ReplyTimings;
  readonly vendorChars: () => number;
  /** The words heard by `heardMs` of the reply's audio. */
  heardText(heardMs: number): string;
  /** Stops model and voice at once. */
  cancel(): void;
}

/** What a reply is made with. */
export interface ReplyOptions {
  readonly id: string;
  readonly clock: Clock;
  readonly model: LanguageModel;
  readonly voice: Voice;
  /** The call's signal. */
  readonly signal: AbortSignal;
}

/** Starts speaking `actions`. */
export function startReply(actions: readonly SpeechAction[], options: ReplyOptions, listener: ReplyListener): Reply {
  const { clock } = options;
  const timings: ReplyTimings = { requestedAtMs: clock.nowMs() };
  const controller = new AbortController();
  const onCallEnded = () => controller.abort(options.signal.reason);
  options.signal.addEventListener('abort', onCallEnded, { once: true });
  const { signal } = controller;
  const queue: SpeechAction[] = [...actions];
  let pass: AbortController | null = null;
  let hasAudio = false;

  const speaker = createSpeaker(options.voice, {
    append(audio) {
      if (signal.aborted) return;
      hasAudio = true;
      deadAir.cancel();
      listener.onAudio(audio);
    },
    onVoiceRequested() {
      timings.voiceRequestedAtMs ??= clock.nowMs();
    },
    onFirstByte() {
      timings.firstByteAtMs ??= clock.nowMs();
    },
  });
  const stop = (reason: unknown) => {
    pass?.abort(reason);
    speaker.cancel();
  };
  signal.addEventListener('abort', () => stop(signal.reason), { once: true });
  const deadAir = clock.setTimer(DEAD_AIR_LIMIT_MS, () => stop(new AgentStreamError('vendor-unreachable')));

  const askModel = async (action: Extract<SpeechAction, { type: 'ask-model' }>): Promise<readonly SpeechAction[]> => {
    const splitter = createSentenceSplitter();
    const segment = speaker.stream();
    const toolCalls: ModelToolCall[] = [];
    let text = '';
    let usage: ModelUsage | undefined;
    pass = new AbortController();
    timings.modelRequestedAtMs ??= clock.nowMs();
    try {
      const request = { messages: action.messages, tools: action.tools, signal: pass.signal, maxOutputTokens: MAX_OUTPUT_TOKENS };
      for await (const part of options.model.stream(request)) {
        timings.firstTokenAtMs ??= clock.nowMs();
        if (part.type === 'text-delta') {
          text += part.text;
          for (const piece of splitter.push(part.text)) segment.push(piece);
        } else if (part.type === 'tool-call') toolCalls.push(part.toolCall);
        else usage = part.usage;
      }
    } catch (error) {
      if (signal.aborted) throw error;
      // What was already said stands; the rest of the pass is lost.
      for (const piece of splitter.flush()) segment.push(piece);
      await segment.end();
      return text.trim() === '' ? listener.onModelFailed(toAgentStreamError(error, 'vendor-failed')) : listener.onModelFinished(text, toolCalls, usage);
    }
    for (const piece of splitter.flush()) segment.push(piece);
    const audio = segment.end();
    const following = listener.onModelFinished(text, toolCalls, usage);
    await audio;
    return following;
  };

  const run = async () => {
    for (let action = queue.shift(); action !== undefined; action = queue.shift()) {
      if (action.type === 'say') await speaker.say(action.text);
      else queue.push(...(await askModel(action)));
      if (signal.aborted) return;
    }
    listener.onComplete(hasAudio);
  };

  run()
    .catch((error: unknown) => {
      if (!signal.aborted) listener.onVoiceFailed(toAgentStreamError(error, 'vendor-failed'));
    })
    .finally(() => {
      deadAir.cancel();
      options.signal.removeEventListener('abort', onCallEnded);
    });

  return {
    id: options.id,
    timings,
    vendorChars: () => speaker.vendorChars,
    heardText: (heardMs) => heardText(speaker.segments, heardMs),
    cancel: () => controller.abort(new AgentStreamError('vendor-failed', { message: 'The reply was cancelled' })),
  };
}
