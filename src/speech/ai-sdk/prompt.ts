import type { LanguageModelV3FunctionTool, LanguageModelV3Message, SharedV3ProviderOptions } from '@ai-sdk/provider';
import { parseJsonRecord } from '../../base/json.js';
import type { ModelMessage, ModelTool, ModelToolCall } from '../language-model.js';

/** How a vendor wants the conversation, beyond what all of them want. */
export interface PromptStyle {
  /**
   * `text`: arguments are sent as the very text the model wrote; what is not JSON goes quoted. `object`: the API takes nothing but a JSON
   * object; what is none goes as `{ "malformed": text }`.
   */
  readonly argumentsAs: 'text' | 'object';
  /** Sent with the system prompt. */
  readonly systemOptions?: SharedV3ProviderOptions;
  /** The name that the vendor takes for a tool's; default: the tool's own. */
  readonly nameOfTool?: (name: string) => string;
  /** What the vendor gave with a tool call and wants back with it. */
  readonly optionsOfCall?: (toolCallId: string) => SharedV3ProviderOptions | undefined;
}

/** The name by which the vendor knows a tool. */
export const vendorNameOf = (name: string, style: PromptStyle): string => style.nameOfTool?.(name) ?? name;

type AssistantMessage = Extract<ModelMessage, { role: 'assistant' }>;
type ToolMessage = Extract<ModelMessage, { role: 'tool' }>;

/** The user's first words where the agent speaks first: several APIs want the user to begin. */
const OPENING = '[The call begins.]';
/** The result of a call that has none: every API refuses a call without one. */
const NO_RESULT = 'No result: the function was not carried out.';

function toToolCallPart(call: ModelToolCall, style: PromptStyle) {
  const { id, name, argumentsJson } = call;
  const input = style.argumentsAs === 'text' ? argumentsJson : (parseJsonRecord(argumentsJson) ?? { malformed: argumentsJson });
  const providerOptions = style.optionsOfCall?.(id);
  return { type: 'tool-call' as const, toolCallId: id, toolName: vendorNameOf(name, style), input, ...(providerOptions === undefined ? {} : { providerOptions }) };
}

const textPart = (text: string) => ({ type: 'text' as const, text });

function toAssistantMessage(message: AssistantMessage, style: PromptStyle): LanguageModelV3Message {
  const text = message.text.trim() === '' ? [] : [textPart(message.text)];
  return { role: 'assistant', content: [...text, ...(message.toolCalls ?? []).map((call) => toToolCallPart(call, style))] };
}

/** One message with a result for each call, in the order of the calls. */
function toResultsMessage(calls: readonly ModelToolCall[], results: readonly ToolMessage[], style: PromptStyle): LanguageModelV3Message {
  const content = calls.map(({ id, name }) => {
    const value = results.find((result) => result.toolCallId === id)?.result ?? NO_RESULT;
    return { type: 'tool-result' as const, toolCallId: id, toolName: vendorNameOf(name, style), output: { type: 'text' as const, value } };
  });
  return { role: 'tool', content };
}

const callsOf = (message: ModelMessage | undefined): readonly ModelToolCall[] => (message?.role === 'assistant' ? (message.toolCalls ?? []) : []);

/** What one side said, with the results of its calls. */
interface Turn {
  readonly message: Exclude<ModelMessage, { role: 'system' | 'tool' }>;
  readonly results: readonly ToolMessage[];
}

/** The results that came after the message at `index` and before the next message with calls. */
function resultsAfter(messages: readonly ModelMessage[], index: number): readonly ToolMessage[] {
  const results: ToolMessage[] = [];
  for (const message of messages.slice(index + 1)) {
    if (callsOf(message).length > 0) break;
    if (message.role === 'tool') results.push(message);
  }
  return results;
}

/** The turns that say anything: APIs refuse text that is blank. */
function turnsOf(messages: readonly ModelMessage[]): readonly Turn[] {
  return messages.flatMap((message, index) => {
    if (message.role === 'system' || message.role === 'tool') return [];
    if (callsOf(message).length > 0) return [{ message, results: resultsAfter(messages, index) }];
    return message.text.trim() === '' ? [] : [{ message, results: [] }];
  });
}

/** Neighbours of one role become one turn, unless calls part them. */
function merged(turns: readonly Turn[]): readonly Turn[] {
  const result: Turn[] = [];
  for (const turn of turns) {
    const last = result.at(-1)?.message;
    const { message, results } = turn;
    if (last?.role === 'user' && message.role === 'user') result[result.length - 1] = { message: { role: 'user', text: `${last.text}\n${message.text}` }, results };
    else if (last?.role === 'assistant' && message.role === 'assistant' && callsOf(last).length === 0)
      result[result.length - 1] = { message: { ...message, text: `${last.text} ${message.text}`.trim() }, results };
    else result.push(turn);
  }
  return result;
}

function toMessages({ message, results }: Turn, style: PromptStyle): LanguageModelV3Message[] {
  if (message.role === 'user') return [{ role: 'user', content: [textPart(message.text)] }];
  const calls = callsOf(message);
  return [toAssistantMessage(message, style), ...(calls.length === 0 ? [] : [toResultsMessage(calls, results, style)])];
}

/**
 * The conversation as the AI SDK's providers take it, in a form that every vendor's API takes: one system prompt at the start, the user
 * first, no blank text, and behind each tool call at once its result, all results of a message together. A result without a call is left out.
 */
export function toProviderPrompt(messages: readonly ModelMessage[], style: PromptStyle): LanguageModelV3Message[] {
  const system = messages.flatMap((message) => (message.role === 'system' && message.text.trim() !== '' ? [message.text] : [])).join('\n\n');
  const turns = merged(turnsOf(messages)).flatMap((turn) => toMessages(turn, style));
  if (turns[0]?.role !== 'user') turns.unshift({ role: 'user', content: [textPart(OPENING)] });
  if (system === '') return turns;
  const { systemOptions } = style;
  return [{ role: 'system', content: system, ...(systemOptions === undefined ? {} : { providerOptions: systemOptions }) }, ...turns];
}

/** A tool as the AI SDK's providers take it. */
export function toProviderTool(tool: ModelTool, style: PromptStyle): LanguageModelV3FunctionTool {
  return { type: 'function', name: vendorNameOf(tool.name, style), description: tool.description, inputSchema: tool.parameters };
}
