import { spawn, type ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCountingClock } from './counting-clock.js';
import { testCredential } from '../../../src/speech/credential-test.js';
import { vendors } from '../../../src/speech/registry.js';

/** The launcher as a developer runs it: every leg of every vendor answers at the address that it prints. */
let launcher: ChildProcess;
let env: Readonly<Record<string, string>> = {};

const wanted = vendors.filter(({ apiKeyEnv }) => apiKeyEnv !== null);

beforeAll(async () => {
  launcher = spawn(process.execPath, ['--import', 'tsx', 'test/support/fakes/main.ts', '--delays', '10,10,10'], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  for await (const chunk of launcher.stdout ?? []) {
    text += String(chunk);
    if (text.split('\n').length > 2 * wanted.length) break;
  }
  env = Object.fromEntries(text.trim().split('\n').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}, 30_000);
afterAll(() => launcher.kill());

describe('the launcher of fakes', () => {
  it.each(wanted.map(({ name }) => name))('serves every leg of %s', async (name) => {
    const vendor = vendors.find((each) => each.name === name)!;
    const credential = { apiKey: env[vendor.apiKeyEnv ?? ''] ?? '', baseUrl: env[vendor.baseUrl.env ?? ''] ?? '' };
    const legs = await testCredential(name, credential, { env, clock: createCountingClock(), fetch }, new AbortController().signal);
    expect(legs.map(({ leg, failure }) => [leg, failure])).toEqual(['stt', 'llm', 'tts', 'realtime'].filter((leg) => leg in vendor).map((leg) => [leg, null]));
  });
});
