import { AgentStreamError } from '../base/errors.js';
import type { LanguageModel, ModelMessage, ModelToolCall } from '../speech/language-model.js';
import { streamModelPass } from '../speech/model-pass.js';
import { qaMessages, qaTool, readQaAnswer, repairMessages, type QaAnswer, type QaPass, type SpokenLine } from './qa-answer.js';

/** Longest answer asked of the model, and read from it. */
const MAX_OUTPUT_TOKENS = 2000;
const MAX_ANSWER_CHARS = 32_000;
const MAX_ANSWER_CALLS = 4;

async function readPass(model: LanguageModel, messages: readonly ModelMessage[], signal: AbortSignal): Promise<QaPass> {
  const toolCalls: ModelToolCall[] = [];
  let text = '';
  for await (const part of streamModelPass(model, { messages, tools: [qaTool], signal, maxOutputTokens: MAX_OUTPUT_TOKENS })) {
    if (part.type === 'text-delta') text += part.text;
    else if (part.type === 'tool-call') toolCalls.push(part.toolCall);
    if (text.length > MAX_ANSWER_CHARS || toolCalls.length >= MAX_ANSWER_CALLS) break;
  }
  return { text, toolCalls };
}

/**
 * Has a model judge a conversation. An answer that is not of the schema is shown to it once, to be mended.
 * @throws AgentStreamError `vendor-*`; `vendor-protocol` where the mended answer is no better; the signal's reason on abort
 */
export async function judgeCall(
  model: LanguageModel,
  call: { readonly systemPrompt: string; readonly transcript: readonly SpokenLine[] },
  signal: AbortSignal,
): Promise<QaAnswer> {
  const asked = qaMessages(call.systemPrompt, call.transcript);
  const first = await readPass(model, asked, signal);
  const read = readQaAnswer(first);
  if ('answer' in read) return read.answer;
  const mended = readQaAnswer(await readPass(model, repairMessages(asked, first, read.faults), signal));
  if ('answer' in mended) return mended.answer;
  throw new AgentStreamError('vendor-protocol', { message: 'The model gave no judgement that can be read, nor mended it.' });
}
