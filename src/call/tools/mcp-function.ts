import { AgentStreamError } from '../../base/errors.js';
import { mcpFunctionConfig } from '../../workflow/tools/tool-configs.js';
import { toolKind } from './tool-kind.js';

/** A function of an MCP server, called in the session that the call has with it. */
export const mcpFunction = toolKind({
  readConfig: (config) => mcpFunctionConfig.parse(config),
  timeoutMs: (config) => config.timeout_ms,
  async run({ config, arguments: given }, { servers, toolUuid, signal }) {
    if (servers === null || toolUuid === null) throw new AgentStreamError('tool-failed', { message: 'No server can be asked here.' });
    return servers.call(toolUuid, config.function, given, signal);
  },
});
