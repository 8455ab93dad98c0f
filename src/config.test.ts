import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgentStreamError } from './base/errors.js';
import { environmentNames, parseConfig, privateRanges } from './config.js';

function messageOf(env: Record<string, string>, endpointNames: readonly string[] = []): string {
  try {
    parseConfig(env, endpointNames);
  } catch (error) {
    expect(error).toBeInstanceOf(AgentStreamError);
    expect((error as AgentStreamError).code).toBe('configuration-invalid');
    return (error as AgentStreamError).message;
  }
  throw new Error('the environment was accepted');
}

describe('parseConfig', () => {
  it('gives the documented defaults for an empty environment', () => {
    expect(parseConfig({})).toEqual({
      host: '127.0.0.1',
      port: 8080,
      voiceActivity: 'auto',
      publicUrl: 'http://127.0.0.1:8080',
      dataDir: './data',
      databaseUrl: null,
      secretKey: null,
      bootstrapApiKey: null,
      maxCalls: 100,
      drainTimeoutMs: 3_600_000,
      allowPrivateNetworks: false,
      trustProxy: [],
      tls: null,
      allowPlaintext: false,
      logLevel: 'info',
      env: {},
    });
  });

  it('takes every variable', () => {
    const config = parseConfig({
      HOST: '0.0.0.0',
      PORT: '443',
      AGENT_STREAM_PUBLIC_URL: 'https://calls.example.com/',
      AGENT_STREAM_DATA_DIR: '/var/lib/agent-stream',
      DATABASE_URL: 'postgres://u:p@db/agents',
      AGENT_STREAM_SECRET_KEY: 'ab'.repeat(32),
      AGENT_STREAM_BOOTSTRAP_API_KEY: 'k'.repeat(24),
      AGENT_STREAM_MAX_CALLS: '250',
      AGENT_STREAM_DRAIN_TIMEOUT_SECONDS: '30',
      AGENT_STREAM_ALLOW_PRIVATE_NETWORKS: 'true',
      AGENT_STREAM_TRUST_PROXY: '10.0.0.1, 192.168.0.0/16,fd00::/8',
      AGENT_STREAM_TLS_CERT_FILE: 'cert.pem',
      AGENT_STREAM_TLS_KEY_FILE: 'key.pem',
      LOG_LEVEL: 'debug',
      OPENAI_API_KEY: 'sk-1',
    });
    expect(config).toMatchObject({
      host: '0.0.0.0',
      port: 443,
      publicUrl: 'https://calls.example.com',
      databaseUrl: 'postgres://u:p@db/agents',
      maxCalls: 250,
      drainTimeoutMs: 30_000,
      allowPrivateNetworks: true,
      trustProxy: ['10.0.0.1', '192.168.0.0/16', 'fd00::/8'],
      tls: { certFile: 'cert.pem', keyFile: 'key.pem' },
      logLevel: 'debug',
    });
    expect(config.env['OPENAI_API_KEY']).toBe('sk-1');
  });

  it.each([
    [{ HOST: '::1' }, 'http://[::1]:8080'],
    [{ HOST: '0.0.0.0', AGENT_STREAM_ALLOW_PLAINTEXT: 'true' }, 'http://localhost:8080'],
    [{ AGENT_STREAM_TLS_CERT_FILE: 'c', AGENT_STREAM_TLS_KEY_FILE: 'k', PORT: '8443' }, 'https://127.0.0.1:8443'],
  ])('derives the public URL of %j', (env, url) => {
    expect(parseConfig(env).publicUrl).toBe(url);
  });

  it('counts an empty value as unset', () => {
    expect(parseConfig({ PORT: '', AGENT_STREAM_MAX_CALLS: '', AGENT_STREAM_TRUST_PROXY: '' })).toMatchObject({ port: 8080, maxCalls: 100 });
  });

  it('trusts private ranges where TRUST_PROXY is true', () => {
    expect(parseConfig({ AGENT_STREAM_TRUST_PROXY: 'true' }).trustProxy).toEqual(privateRanges);
  });

  it.each<[Record<string, string>, RegExp]>([
    [{ PORT: 'http' }, /^PORT="http" must be a whole number from 0 to 65535/],
    [{ PORT: '70000' }, /^PORT="70000" must be a whole number/],
    [{ PORT: '-1' }, /^PORT/],
    [{ HOST: 'http://x' }, /^HOST/],
    [{ AGENT_STREAM_MAX_CALLS: '0' }, /^AGENT_STREAM_MAX_CALLS="0" must be a whole number from 1 to 10000/],
    [{ AGENT_STREAM_MAX_CALLS: '1e3' }, /^AGENT_STREAM_MAX_CALLS/],
    [{ AGENT_STREAM_DRAIN_TIMEOUT_SECONDS: '1h' }, /^AGENT_STREAM_DRAIN_TIMEOUT_SECONDS="1h"/],
    [{ AGENT_STREAM_ALLOW_PLAINTEXT: 'yes' }, /^AGENT_STREAM_ALLOW_PLAINTEXT="yes" must be true or false/],
    [{ AGENT_STREAM_PUBLIC_URL: 'calls.example.com' }, /^AGENT_STREAM_PUBLIC_URL must be an origin/],
    [{ AGENT_STREAM_PUBLIC_URL: 'https://calls.example.com/path' }, /^AGENT_STREAM_PUBLIC_URL/],
    [{ AGENT_STREAM_TRUST_PROXY: 'everyone' }, /^AGENT_STREAM_TRUST_PROXY="everyone" must be false, true, or IP addresses/],
    [{ AGENT_STREAM_TRUST_PROXY: '10.0.0.0/33' }, /^AGENT_STREAM_TRUST_PROXY/],
    [{ DATABASE_URL: 'mysql://x' }, /^DATABASE_URL must be a postgres:/],
    [{ AGENT_STREAM_SECRET_KEY: 'short' }, /^AGENT_STREAM_SECRET_KEY must be 32 bytes/],
    [{ AGENT_STREAM_BOOTSTRAP_API_KEY: 'short' }, /^AGENT_STREAM_BOOTSTRAP_API_KEY must have at least 24/],
    [{ AGENT_STREAM_TLS_CERT_FILE: 'c' }, /^AGENT_STREAM_TLS_CERT_FILE is set without AGENT_STREAM_TLS_KEY_FILE/],
    [{ AGENT_STREAM_TLS_KEY_FILE: 'c' }, /^AGENT_STREAM_TLS_KEY_FILE is set without AGENT_STREAM_TLS_CERT_FILE/],
    [{ LOG_LEVEL: 'loud' }, /^LOG_LEVEL="loud" must be trace, debug/],
    [{ AGENT_STREAM_MAX_CALL: '5' }, /^AGENT_STREAM_MAX_CALL is not a known variable: did you mean AGENT_STREAM_MAX_CALLS\?/],
    [{ HOST: '0.0.0.0' }, /^HOST="0\.0\.0\.0" would serve calls and API keys in plain text.*AGENT_STREAM_ALLOW_PLAINTEXT=true/],
    [{ HOST: '192.0.2.1' }, /^HOST="192\.0\.2\.1"/],
    [{ HOST: 'calls.example.com' }, /^HOST/],
  ])('refuses %j in one line', (env, expected) => {
    const message = messageOf(env);
    expect(message).toMatch(expected);
    expect(message).not.toContain('\n');
  });

  it.each<[Record<string, string>]>([
    [{ HOST: '0.0.0.0', AGENT_STREAM_ALLOW_PLAINTEXT: 'true' }],
    [{ HOST: '0.0.0.0', AGENT_STREAM_TRUST_PROXY: 'true' }],
    [{ HOST: '0.0.0.0', AGENT_STREAM_TLS_CERT_FILE: 'c', AGENT_STREAM_TLS_KEY_FILE: 'k' }],
    [{ HOST: '127.0.0.2' }],
    [{ HOST: 'localhost' }],
  ])('accepts the bind of %j', (env) => {
    expect(parseConfig(env).host).toBe(env['HOST']);
  });

  it('refuses an endpoint that is no URL, and leaves other variables of that form alone', () => {
    expect(messageOf({ DEEPGRAM_BASE_URL: 'localhost:9' }, ['DEEPGRAM_BASE_URL'])).toMatch(/^DEEPGRAM_BASE_URL must be an http/);
    expect(parseConfig({ VITE_BASE_URL: '/app' }, ['DEEPGRAM_BASE_URL']).port).toBe(8080);
  });

  it('never shows the value of a secret', () => {
    const secret = 'hunter2-hunter2';
    for (const name of ['AGENT_STREAM_SECRET_KEY', 'AGENT_STREAM_BOOTSTRAP_API_KEY', 'DATABASE_URL', 'AGENT_STREAM_PUBLIC_URL']) {
      expect(messageOf({ [name]: secret })).not.toContain(secret);
    }
  });

  it('refuses every unknown AGENT_STREAM_ name and accepts every other unknown name', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Z_]{1,20}$/), fc.string(), (suffix, value) => {
        const name = `AGENT_STREAM_X_${suffix}`;
        expect(environmentNames).not.toContain(name);
        if (value !== '') expect(messageOf({ [name]: value })).toContain(name);
        expect(parseConfig({ [`UNRELATED_${suffix}`]: value }).port).toBe(8080);
      }),
    );
  });
});
