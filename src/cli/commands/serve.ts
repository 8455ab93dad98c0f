import { readFileSync } from 'node:fs';
import { createLog } from '../../base/log.js';
import { AgentStreamError } from '../../base/errors.js';
import { parseConfig, type Config } from '../../config.js';
import { vendors } from '../../speech/registry.js';
import { providers } from '../../telephony/registry.js';
import { bannerLines } from '../banner.js';
import type { RegisterCommand } from '../command.js';
import { startNode, type NodeOptions, type RunningNode } from '../node.js';

/** A server that was started by {@link serve}. */
export type RunningServer = RunningNode;

const help = `
Configured by environment variables (docs/configuration.md). Without DATABASE_URL it starts its own PostgreSQL in the data directory.

SIGTERM or Ctrl-C: takes no new calls, waits for the live ones (AGENT_STREAM_DRAIN_TIMEOUT_SECONDS), then exits 0. Twice: at once.
`;

/** Registers `serve`. */
export const register: RegisterCommand = (command, context) => {
  command.addHelpText('after', help).action(async () => {
    const config = parseConfig(context.env, endpointNames());
    const server = await serve(config);
    for (const line of bannerLines(server, config, readVersion())) context.output.line(line);
    await untilAborted(context.signal);
    await server.drain(secondSignal());
    await server.stop();
  });
};

/** Starts a server. @throws AgentStreamError as {@link startNode} does */
export async function serve(config: Config, options: Pick<NodeOptions, 'stubTools'> = {}): Promise<RunningServer> {
  const log = createLog(config.logLevel);
  // A fault outside every boundary must not take the other calls with it; it is logged, and the call it belongs to runs into its limits.
  process.on('uncaughtException', (error) => log.error('An error was not caught', { error: error.message, stack: error.stack }));
  process.on('unhandledRejection', (reason) =>
    log.error('A rejection was not handled', { error: reason instanceof Error ? reason.message : 'unknown', stack: reason instanceof Error ? reason.stack : undefined }),
  );
  return startNode(config, { log, version: readVersion(), ...options });
}

/** Variables of providers and vendors that hold a URL. */
export function endpointNames(): string[] {
  const ofProviders = Object.values(providers).map(({ apiBaseUrl }) => apiBaseUrl.env);
  return [...ofProviders, ...vendors.flatMap(({ baseUrl }) => (baseUrl.env === null ? [] : [baseUrl.env]))];
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest && typeof manifest.version === 'string') return manifest.version;
  throw new AgentStreamError('internal-error', { message: 'package.json has no version' });
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Aborts on the next SIGINT or SIGTERM: the operator does not want to wait. */
function secondSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort());
  return controller.signal;
}
