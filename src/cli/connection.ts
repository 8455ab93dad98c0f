import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { createApiClient, type ApiClient } from './api-client.js';
import { CliError } from './cli-error.js';
import type { CliContext } from './command.js';
import { exitCodes } from './exit-codes.js';

/** File in the data directory in which a server leaves an API key for commands on its own machine; mode 0600. */
export const cliApiKeyFile = 'cli-api-key';

/** Options shared by all commands that talk to a server. */
export interface ConnectionOptions {
  readonly server?: string;
}

/** Adds `--server`. */
export function withServerOption(command: Command): Command {
  return command.option('--server <url>', 'server to talk to (default AGENT_STREAM_URL, else http://127.0.0.1:8080)');
}

/** Address of the server: the option, else AGENT_STREAM_URL, else this machine at PORT. No trailing slash. */
export function serverUrlOf(options: ConnectionOptions, env: CliContext['env']): string {
  const text = options.server ?? present(env.AGENT_STREAM_URL) ?? `http://127.0.0.1:${present(env.PORT) ?? '8080'}`;
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new CliError(exitCodes.usage, `not a server address: ${text}`, { cure: 'Give an http:// or https:// URL.' });
  }
  return url.href.replace(/\/+$/, '');
}

/**
 * The API key: AGENT_STREAM_API_KEY, else the key file of the data directory. The file's key belongs to a server on this machine
 * and is never sent anywhere else. Undefined where there is none.
 */
export function apiKeyFor(serverUrl: string, env: CliContext['env']): string | undefined {
  const key = present(env.AGENT_STREAM_API_KEY);
  if (key !== undefined) return key;
  if (!isLoopback(new URL(serverUrl).hostname)) return undefined;
  try {
    return readFileSync(join(present(env.AGENT_STREAM_DATA_DIR) ?? 'data', cliApiKeyFile), 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EACCES')) return undefined;
    throw error;
  }
}

/** An empty variable counts as unset, as it does for the server. */
function present(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname);
}

/** A client for the server that the options and the environment name. */
export function connect(options: ConnectionOptions, context: CliContext): ApiClient {
  const serverUrl = serverUrlOf(options, context.env);
  const { fetch, clock, signal } = context;
  return createApiClient({ serverUrl, apiKey: apiKeyFor(serverUrl, context.env), fetch, clock, signal });
}
