import { sleep } from '../../base/clock.js';
import type { LanguageModel, LanguageModelPart, LanguageModelRequest, ModelUsage } from '../language-model.js';
import type { VendorContext } from '../vendor.js';
import { decideReply, type RuleReply } from './rules.js';
import type { BuiltinLlmSettings } from './settings.js';

/**
 * The builtin language model: rules over the prompt's lines and the tools' descriptions, streamed word by word as a model would.
 * Simulated; see {@link decideReply} for the rules. Usage counts words.
 */
export function createBuiltinLanguageModel(settings: BuiltinLlmSettings, context: Pick<VendorContext, 'clock'>): LanguageModel {
  const wait = async (delayMs: number, signal: AbortSignal) => {
    if (delayMs > 0) await sleep(context.clock, delayMs, signal);
    signal.throwIfAborted();
  };
  return {
    vendor: 'builtin',
    model: 'rules',
    async *stream(request) {
      await wait(settings.first_token_ms, request.signal);
      const reply = decideReply(request.messages, request.tools);
      const { parts, finish } = renderReply(reply, request);
      for (const [index, part] of parts.entries()) {
        if (index > 0) await wait(settings.token_ms, request.signal);
        yield part;
        request.signal.throwIfAborted();
      }
      yield finish;
    },
  };
}

function countWords(text: string): number {
  return text.split(/\s+/).filter((word) => word !== '').length;
}

function inputWords(request: LanguageModelRequest): number {
  return request.messages.reduce((sum, message) => sum + countWords(message.role === 'tool' ? message.result : message.text), 0);
}

function renderReply(reply: RuleReply, request: LanguageModelRequest): { parts: LanguageModelPart[]; finish: LanguageModelPart } {
  const usage = (outputTokens: number): ModelUsage => ({ inputTokens: inputWords(request), outputTokens });
  if (reply.type === 'call-tool') {
    const toolCall = { id: `builtin-${request.messages.length}`, name: reply.name, argumentsJson: JSON.stringify(reply.arguments) };
    return { parts: [{ type: 'tool-call', toolCall }], finish: { type: 'finish', reason: 'tool-calls', usage: usage(1) } };
  }
  const words = reply.text.match(/\s*\S+/g) ?? [];
  const said = words.slice(0, request.maxOutputTokens);
  const reason = said.length < words.length ? 'length' : 'stop';
  return { parts: said.map((text) => ({ type: 'text-delta', text })), finish: { type: 'finish', reason, usage: usage(said.length) } };
}
