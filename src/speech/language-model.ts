/** A message of the conversation as a language model sees it. */
export type ModelMessage =
  | { readonly role: 'system'; readonly text: string }
  | { readonly role: 'user'; readonly text: string }
  | { readonly role: 'assistant'; readonly text: string; readonly toolCalls?: readonly ModelToolCall[] }
  | { readonly role: 'tool'; readonly toolCallId: string; readonly toolName: string; readonly result: string };

/** A function call as the model asked for it. */
export interface ModelToolCall {
  readonly id: string;
  readonly name: string;
  /** JSON text as the model wrote it; may be malformed. */
  readonly argumentsJson: string;
}

/** A function the model may call. Workflow edges and tools become these. */
export interface ModelTool {
  readonly name: string;
  readonly description: string;
  /** JSON Schema (draft 2020-12) of the arguments; an object schema. */
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** Token counts as the vendor reports them. */
export interface ModelUsage {
  /** Those from the vendor's cache included. */
  readonly inputTokens: number;
  /** Of them, those that the vendor had in its cache; absent where it does not tell. */
  readonly cachedInputTokens?: number;
  readonly outputTokens: number;
}

/** What a language model streams. Ends with exactly one `finish`, or the iteration throws. */
export type LanguageModelPart =
  | { readonly type: 'text-delta'; readonly text: string }
  | { readonly type: 'tool-call'; readonly toolCall: ModelToolCall }
  | { readonly type: 'finish'; readonly reason: 'stop' | 'length' | 'tool-calls' | 'other'; readonly usage: ModelUsage | undefined };

/** One request. */
export interface LanguageModelRequest {
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ModelTool[];
  /** Cancels the request at the vendor. */
  readonly signal: AbortSignal;
  readonly maxOutputTokens: number;
  /** Another vendor is asked where this one fails: one that limits requests is left at once, not asked again. Default: false. */
  readonly hasSpare?: boolean;
  /** Given where somebody waits for the answer: only then may the request be hedged. Told of it once, within the signal's abort at the latest. */
  readonly onHedged?: (hedge: Hedge) => void;
}

/** A request that was sent a second time because the first had brought nothing. */
export interface Hedge {
  readonly from: { readonly vendor: string; readonly model: string };
  /** Who was asked besides; it may be the same. */
  readonly to: { readonly vendor: string; readonly model: string };
  /** From the first request to the second. */
  readonly afterMs: number;
  /** Whose answer was taken; `none`: both failed, or the request was given up before. */
  readonly winner: 'first' | 'second' | 'none';
}

/** A language-model vendor with its settings. */
export interface LanguageModel {
  readonly vendor: string;
  readonly model: string;
  /**
   * Streams a reply.
   * @throws AgentStreamError `vendor-*` from the iteration; the signal's reason on abort.
   */
  stream(request: LanguageModelRequest): AsyncIterable<LanguageModelPart>;
  /** Opens a connection in the background so that the next request finds it open. Where absent there is nothing to open. Never throws. */
  prewarm?(): void;
}
