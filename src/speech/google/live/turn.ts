import type { ModelUsage } from '../../language-model.js';
import type { ServerEvent } from './messages.js';
import type { OpenResponse } from './response.js';

/** What the model is doing. One thing at a time: the vendor's messages do not say which request they answer. */
export interface ModelTurn {
  /** True while an answer may still be written. */
  readonly isBusy: boolean;
  /** True while it waits for functions. */
  readonly isCalling: boolean;
  /** True while an answer to the conversation is written. */
  readonly isConversing: boolean;
  /** True where the vendor is about to end the connection, and nothing is on its way. */
  readonly isLeaving: boolean;
  /** The function of a call that it waits for. */
  nameOf(callId: string): string | undefined;
  /** True where this is the answer that is being written. */
  isOf(response: OpenResponse): boolean;
  /** An answer was asked for. */
  begin(response: OpenResponse, isConversation: boolean): void;
  /** The vendor was told to stop. */
  cut(): void;
  take(event: ServerEvent): void;
  /** The connection is lost with all of it. */
  fail(error: unknown): void;
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'answering'; readonly response: OpenResponse; readonly isConversation: boolean }
  | { readonly kind: 'calling'; readonly names: ReadonlyMap<string, string> }
  | { readonly kind: 'stopping' };

const idle: State = { kind: 'idle' };

/** Nothing has been asked yet. */
export function createModelTurn(): ModelTurn {
  let state: State = idle;
  /** Answers that are complete, and that the vendor has not taken for heard yet. */
  let unheard = 0;
  let usage: ModelUsage | undefined;
  let isToldToGo = false;

  /** What the vendor reports after an answer's end counts with the next. */
  function takeUsage(): ModelUsage | undefined {
    const taken = usage;
    usage = undefined;
    return taken;
  }

  function onTurnComplete(): void {
    if (unheard > 0) {
      unheard -= 1;
      return;
    }
    if (state.kind === 'answering') state.response.finish([], takeUsage());
    state = idle;
  }

  return {
    get isBusy() {
      return state.kind === 'answering' || state.kind === 'stopping';
    },
    get isCalling() {
      return state.kind === 'calling';
    },
    get isConversing() {
      return state.kind === 'answering' && state.isConversation;
    },
    get isLeaving() {
      return isToldToGo && state.kind === 'idle';
    },
    nameOf: (callId) => (state.kind === 'calling' ? state.names.get(callId) : undefined),
    isOf: (response) => state.kind === 'answering' && state.response === response,
    begin(response, isConversation) {
      state = { kind: 'answering', response, isConversation };
    },
    cut() {
      state = { kind: 'stopping' };
    },
    take(event) {
      if (event.type === 'usage') {
        usage = { inputTokens: (usage?.inputTokens ?? 0) + event.usage.inputTokens, outputTokens: (usage?.outputTokens ?? 0) + event.usage.outputTokens };
        return;
      }
      if (event.type === 'turn-complete') return onTurnComplete();
      if (event.type === 'go-away') isToldToGo = true;
      if (state.kind !== 'answering') return;
      const { response } = state;
      if (event.type === 'text') response.takeText(event.text);
      else if (event.type === 'audio') response.takeAudio(event.pcm, event.rateHz);
      else if (event.type === 'calls') {
        response.finish(event.calls, takeUsage());
        state = { kind: 'calling', names: new Map(event.calls.map(({ id, name }) => [id, name])) };
      } else if (event.type === 'generation-complete') {
        response.finish([], takeUsage());
        unheard += 1;
        state = idle;
      }
    },
    fail(error) {
      if (state.kind === 'answering') state.response.fail(error);
      state = idle;
      unheard = 0;
      usage = undefined;
      isToldToGo = false;
    },
  };
}
