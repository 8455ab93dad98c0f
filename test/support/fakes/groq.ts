import { chatChunk, chatDialect, chatUsage, type ChatRequest } from './openai.js';
import { startScriptedModel, type ScriptedModel, type ScriptedModelOptions } from './scripted-model.js';

/** What Groq takes beside the chat completions API (console.groq.com/docs/api-reference). */
export interface GroqRequest extends ChatRequest {
  readonly reasoning_effort?: string;
  readonly reasoning_format?: string;
  readonly service_tier?: string;
}

/** Reasoning efforts by family of models; others take none (console.groq.com/docs/reasoning). */
function refusalOfReasoning({ model, reasoning_effort: effort, reasoning_format: format }: GroqRequest): string | null {
  const efforts = /gpt-oss/.test(model) ? ['low', 'medium', 'high'] : /qwen3/.test(model) ? ['none', 'default'] : [];
  if (effort !== undefined && efforts.length === 0) return '`reasoning_effort` is not supported with this model';
  if (effort !== undefined && !efforts.includes(effort)) return `\`reasoning_effort\` must be one of ${efforts.map((name) => `\`${name}\``).join(', ')}`;
  return format !== undefined && !/qwen3/.test(model) ? '`reasoning_format` is not supported with this model' : null;
}

const requestId = 'req_fake';

const groq = chatDialect({
  basePath: '/openai/v1',
  headExtra: { x_groq: { id: requestId } },
  // Groq counts tokens in the last chunk that has a choice, under a name of its own.
  tail: (body, finishReason) => chatChunk(body.model, {}, finishReason, { x_groq: { id: requestId, usage: { queue_time: 0.01, total_time: 0.1, ...chatUsage } } }),
  refusalOf: refusalOfReasoning,
});

/** Starts a server that speaks Groq's API. */
export const startFakeGroq = (options: ScriptedModelOptions<ChatRequest> = {}): Promise<ScriptedModel<ChatRequest>> => startScriptedModel(groq, options);
