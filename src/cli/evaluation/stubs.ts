import type { Clock } from '../../base/clock.js';
import { startMcpStub, type McpStub } from './mcp-stub.js';
import { toRegExp, type Stub } from './scenario-file.js';

/** Answers in place of the servers that tools ask. */
export interface Stubs {
  /** A fetch whose requests the stubs answer, the first one that fits; what none fits goes out as ever. */
  over(real: typeof fetch): typeof fetch;
  /** Ends the MCP servers among them. */
  close(): Promise<void>;
}

/** Prepares stubs. An MCP server begins with the first request to it, on the loopback, where `fetch` reaches it. */
export function openStubs(stubs: readonly Stub[], { clock, fetch: reach }: { readonly clock: Clock; readonly fetch: typeof fetch }): Stubs {
  const servers = new Map<Stub, Promise<McpStub>>();

  async function answer(stub: Stub, init: RequestInit | undefined): Promise<Response> {
    const { status = 200, json, text, mcp } = stub;
    if (mcp === undefined) return json === undefined ? new Response(status === 204 ? null : (text ?? ''), { status }) : Response.json(json, { status });
    const starting = servers.get(stub) ?? startMcpStub(mcp, clock);
    servers.set(stub, starting);
    return reach((await starting).url, init);
  }

  return {
    over(real) {
      if (stubs.length === 0) return real;
      return async (input, init) => {
        const url = input instanceof Request ? input.url : input.toString();
        const sent = init?.method ?? 'GET';
        const stub = stubs.find(({ method, url: pattern }) => (method === undefined || method === sent) && toRegExp(pattern)?.test(url) === true);
        return stub === undefined ? real(input, init) : answer(stub, init);
      };
    },
    async close() {
      const started = await Promise.allSettled(servers.values());
      servers.clear();
      await Promise.all(started.flatMap((result) => (result.status === 'fulfilled' ? [result.value.close()] : [])));
    },
  };
}
