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
 * Has a model judge a conversation. An answer that is not of the schema is shown to it once, to be mended; null where the mended one is no
 * better: asked again, the model would answer alike.
 * @throws AgentStreamError `vendor-*`; the signal's reason on abort
 */
export async function judgeCall(
  model: LanguageModel,
  call: { readonly systemPrompt: string; readonly transcript: readonly SpokenLine[] },
  signal: AbortSignal,
): Promise<QaAnswer | null> {
  const asked = qaMessages(call.systemPrompt, call.transcript);
  const first = await readPass(model, asked, signal);
  const read = readQaAnswer(first);
  if ('answer' in read) return read.answer;
  const mended = readQaAnswer(await readPass(model, repairMessages(asked, first, read.faults), signal));
  return 'answer' in mended ? mended.answer : null;
}
