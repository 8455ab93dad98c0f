import { isRecord } from '../base/json.js';
import type { ToolCall } from '../workflow/engine.js';
import type { ToolRunner } from './tools/run-tool.js';

const NOTHING_DONE = 'Dry run: nothing was asked. Go on as if it had worked.';

/** True for what asks a server. */
const reachesOut = ({ tool: { kind, config } }: ToolCall): boolean => kind === 'http_api' || kind === 'mcp' || (isRecord(config) && config['source'] === 'dynamic');

/** Asks no server: a function named in `stubs` gives that text, another one that would ask says so; the rest runs as it is. */
export function createDryTools(runner: ToolRunner, stubs: Readonly<Record<string, string>>): ToolRunner {
  return {
    async run(call, context) {
      const { name } = call.tool.declaration;
      const stub = Object.hasOwn(stubs, name) ? stubs[name] : undefined;
      if (stub === undefined && !reachesOut(call)) return runner.run(call, context);
      return { toolCallId: call.id, text: stub ?? NOTHING_DONE, isError: false };
    },
    connect: runner.connect,
  };
}
