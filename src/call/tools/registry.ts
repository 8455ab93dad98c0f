import { SEARCH_KIND } from '../../workflow/attach-documents.js';
import { SERVER_KIND } from '../../workflow/tools/callable-tool.js';
import { knowledgeKind } from './knowledge.js';
import { calculator } from './calculator.js';
import { endCall } from './end-call.js';
import { httpApi } from './http-api.js';
import { mcpFunction } from './mcp-function.js';
import { sendDigits } from './send-digits.js';
import type { ToolKind } from './tool-kind.js';
import { transferCall } from './transfer-call.js';

/** Every kind of tool, by the name that stored tools and graphs have for it. */
export const toolKinds: Readonly<Record<string, ToolKind>> = {
  http_api: httpApi,
  end_call: endCall,
  transfer_call: transferCall,
  calculator,
  send_digits: sendDigits,
  [SERVER_KIND]: mcpFunction,
  [SEARCH_KIND]: knowledgeKind,
};
