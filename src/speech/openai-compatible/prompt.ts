import type { LanguageModelV3FunctionTool, LanguageModelV3Message } from '@ai-sdk/provider';
import type { ModelMessage, ModelTool, ModelToolCall } from '../language-model.js';

/** Arguments are sent as the very text the model wrote; what is not JSON is sent quoted, since servers refuse anything else. */
function toToolCallPart(call: ModelToolCall) {
  return { type: 'tool-call' as const, toolCallId: call.id, toolName: call.name, input: call.argumentsJson };
}

/** One message of the conversation as the AI SDK's providers take it. */
export function toProviderMessage(message: ModelMessage): LanguageModelV3Message {
  switch (message.role) {
    case 'system':
      return { role: 'system', content: message.text };
    case 'user':
      return { role: 'user', content: [{ type: 'text', text: message.text }] };
    case 'assistant':
      return {
        role: 'assistant',
        content: [{ type: 'text', text: message.text }, ...(message.toolCalls ?? []).map(toToolCallPart)],
      };
    case 'tool': {
      const { toolCallId, toolName } = message;
      const output = { type: 'text' as const, value: message.result };
      return { role: 'tool', content: [{ type: 'tool-result', toolCallId, toolName, output }] };
    }
  }
}

/** A tool as the AI SDK's providers take it. */
export function toProviderTool(tool: ModelTool): LanguageModelV3FunctionTool {
  return { type: 'function', name: tool.name, description: tool.description, inputSchema: tool.parameters };
}
