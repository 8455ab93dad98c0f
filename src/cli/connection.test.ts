import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CliError } from './cli-error.js';
import { apiKeyFor, cliApiKeyFile, serverUrlOf } from './connection.js';

describe('serverUrlOf', () => {
  it.each([
    [{}, {}, 'http://127.0.0.1:8080'],
    [{}, { PORT: '9000' }, 'http://127.0.0.1:9000'],
    [{}, { AGENT_STREAM_URL: '', PORT: '' }, 'http://127.0.0.1:8080'],
    [{}, { AGENT_STREAM_URL: 'https://calls.example/', PORT: '9000' }, 'https://calls.example'],
    [{ server: 'https://other.example:8443/proxy/' }, { AGENT_STREAM_URL: 'https://calls.example' }, 'https://other.example:8443/proxy'],
  ])('%j with %j is %s', (options, env, url) => expect(serverUrlOf(options, env)).toBe(url));

  it.each(['calls.example', 'ftp://calls.example', ''])('refuses %j as usage', (server) => {
    expect(() => serverUrlOf({ server }, {})).toThrow(CliError);
  });
});

describe('apiKeyFor', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'agent-stream-'));
  writeFileSync(join(dataDir, cliApiKeyFile), 'file-key\n', { mode: 0o600 });
  const env = { AGENT_STREAM_DATA_DIR: dataDir };

  it('prefers the environment', () => {
    expect(apiKeyFor('https://calls.example', { ...env, AGENT_STREAM_API_KEY: 'given' })).toBe('given');
  });

  it.each(['http://127.0.0.1:8080', 'http://localhost:1', 'http://[::1]:8080'])('takes the key file for %s', (url) => {
    expect(apiKeyFor(url, env)).toBe('file-key');
  });

  it.each(['https://calls.example', 'http://127.0.0.1.example.com', 'http://10.0.0.1:8080'])('never sends the file’s key to %s', (url) => {
    expect(apiKeyFor(url, env)).toBeUndefined();
  });

  it('does without where there is no file', () => {
    expect(apiKeyFor('http://127.0.0.1:8080', { AGENT_STREAM_DATA_DIR: join(dataDir, 'none') })).toBeUndefined();
  });
});
