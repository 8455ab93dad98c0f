import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { AgentStreamError } from '../base/errors.js';
import { createGuardedEgress } from '../base/guarded-fetch.js';
import { compileModels, defaultVendorOf, problemsOfModels, resolveModels, type ModelSources, type VendorCredentials } from './models.js';
import { findVendor, vendors } from './registry.js';
import type { VendorModule } from './vendor.js';

const allKeys = { DEEPGRAM_API_KEY: 'd', OPENAI_API_KEY: 'o', CARTESIA_API_KEY: 'c' };

const noNetwork: typeof fetch = () => Promise.reject(new Error('no network in this test'));

const sources = (changes: Partial<ModelSources> = {}): ModelSources => ({
  agentModels: undefined,
  organizationModels: undefined,
  env: {},
  clock: createVirtualClock(),
  fetch: noNetwork,
  ...changes,
});

const resolve = (changes: Partial<ModelSources & { credentials: VendorCredentials }> = {}) =>
  resolveModels({ ...sources(changes), credentials: changes.credentials ?? {} });

const choices = (changes: Partial<ModelSources & { credentials: VendorCredentials }>) => {
  const { choice } = resolve(changes);
  return [choice.stt, choice.llm, choice.tts].map((chosen) => `${chosen?.vendor}:${chosen?.reason}`);
};

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'nothing thrown';
  } catch (error) {
    return error instanceof AgentStreamError ? `${error.code}: ${error.message}` : 'another error';
  }
}

describe('the registry', () => {
  it('has builtin last, for every leg, without a key', () => {
    const last = vendors.at(-1);
    expect(last).toMatchObject({ name: 'builtin', isSimulated: true, apiKeyEnv: null });
    expect([last?.stt, last?.llm, last?.tts].every((leg) => leg !== undefined)).toBe(true);
  });

  it('finds vendors by name, and names no two alike', () => {
    expect(findVendor('openai')?.apiKeyEnv).toBe('OPENAI_API_KEY');
    expect(findVendor('nobody')).toBeUndefined();
    expect(new Set(vendors.map((vendor: VendorModule) => vendor.name)).size).toBe(vendors.length);
  });
});

describe('the models an agent gets', () => {
  it('are simulated where there is no key', () => {
    const { choice } = resolve();
    expect(choice.stt).toEqual({ vendor: 'builtin', model: 'data-signal', reason: 'builtin', isSimulated: true });
    expect(choice.llm).toMatchObject({ vendor: 'builtin', isSimulated: true });
    expect(choice.tts).toMatchObject({ vendor: 'builtin', isSimulated: true });
    expect(defaultVendorOf('llm', {})).toBe('builtin');
  });

  it('are the vendors that have a key, in the environment or stored; an empty one is none', () => {
    expect(choices({ env: allKeys })).toEqual(['deepgram:environment', 'openai:environment', 'cartesia:environment']);
    expect(choices({ env: { OPENAI_API_KEY: 'o', DEEPGRAM_API_KEY: '' } })).toEqual(['openai:environment', 'openai:environment', 'openai:environment']);
    expect(choices({ env: { OPENAI_API_KEY: 'o', SONIOX_API_KEY: 's' } })).toEqual(['soniox:environment', 'openai:environment', 'openai:environment']);
    expect(choices({ credentials: { deepgram: { apiKey: 'x' } } })).toEqual(['deepgram:credential', 'builtin:builtin', 'deepgram:credential']);
    expect(defaultVendorOf('stt', allKeys)).toBe('deepgram');
  });

  it('are the agent’s before the organization’s before those with a key, leg by leg', () => {
    const agentModels = { tts: { vendor: 'builtin' } };
    const organizationModels = { llm: { vendor: 'builtin' }, tts: { vendor: 'cartesia' } };
    expect(choices({ env: allKeys, agentModels, organizationModels })).toEqual(['deepgram:environment', 'builtin:organization', 'builtin:agent']);
  });

  it('get their options, and the defaults of those left out', () => {
    const { tts, choice } = resolve({ agentModels: { tts: { vendor: 'builtin', engine: 'bundled', voice: 'en-gb' } } });
    expect(tts).toMatchObject({ vendor: 'builtin', model: 'bundled', voice: 'en-gb' });
    expect(choice.tts?.model).toBe('bundled');
  });

  it('need a key: the message says which', () => {
    const create = compileModels(sources({ agentModels: { stt: { vendor: 'deepgram' } } }));
    expect(codeOf(() => create({}))).toMatch(/^vendor-unauthorized: .*DEEPGRAM_API_KEY/);
    expect(codeOf(() => create({ deepgram: { apiKey: 'k' } }))).toBe('nothing thrown');
  });

  it('use the stored credential and its origin before the environment’s', () => {
    const seen: unknown[] = [];
    const recording: typeof fetch = (input) => {
      seen.push(input instanceof Request ? input.url : input.toString());
      return Promise.reject(new Error('recorded'));
    };
    const prewarm = (credentials: VendorCredentials) =>
      resolve({ env: { OPENAI_API_KEY: 'k', OPENAI_BASE_URL: 'https://env.test' }, credentials, fetch: recording }).llm.prewarm?.();
    prewarm({});
    prewarm({ openai: { apiKey: 'stored', baseUrl: 'https://stored.test' } });
    expect(seen).toEqual([expect.stringContaining('https://env.test/'), expect.stringContaining('https://stored.test/')]);
  });

  it('are refused where their choice is not valid', () => {
    expect(codeOf(() => compileModels(sources({ agentModels: { stt: { vendor: 'nobody' } } })))).toMatch(/^workflow-invalid: The agent’s models.*stt\.vendor/);
    expect(codeOf(() => compileModels(sources({ organizationModels: 7 })))).toMatch(/^workflow-invalid: The organization’s models/);
  });
});

describe('problems of a models value', () => {
  const pathsOf = (models: unknown) => problemsOfModels(models).map((problem) => problem.path);

  it('are none where nothing, or something valid, is chosen', () => {
    for (const models of [undefined, null, {}, { stt: { vendor: 'deepgram' }, llm: { vendor: 'openai', model: 'm' } }]) expect(pathsOf(models)).toEqual([]);
  });

  it.each([
    [{ speech: {} }, 'speech'],
    [{ stt: { vendor: 'cartesia' } }, 'stt.vendor'],
    [{ stt: {} }, 'stt.vendor'],
    [{ llm: { vendor: 'openai', temperatur: 1 } }, 'llm.temperatur'],
    [{ tts: { vendor: 'builtin', words_per_minute: 'fast' } }, 'tts.words_per_minute'],
    [{ stt: 'deepgram' }, 'stt'],
    ['builtin', ''],
  ])('%j', (models, path) => expect(pathsOf(models)).toEqual([path]));

  it('name a speech-to-speech model that is none, fallbacks that are none, and ears beside it', () => {
    expect(problemsOfModels({ realtime: { vendor: 'x' } })).toEqual([{ path: 'realtime.vendor', message: 'vendor must be one of: openai, google, ultravox' }]);
    expect(pathsOf({ realtime: { vendor: 'openai', fallbacks: [{ vendor: 'google' }, { vendor: 'ultravox', voice: 'Mark' }] } })).toEqual([]);
    expect(pathsOf({ realtime: { vendor: 'openai', fallbacks: [{ vendor: 'deepgram' }] } })).toEqual(['realtime.fallbacks.0.vendor']);
    expect(problemsOfModels({ realtime: { vendor: 'openai' }, stt: { vendor: 'builtin' } })).toEqual([
      { path: 'stt', message: 'a speech-to-speech model (realtime) hears by itself: remove stt' },
    ]);
    expect(problemsOfModels({ realtime: { vendor: 'openai', voice: 'cedar' }, tts: { vendor: 'builtin' }, llm: { vendor: 'builtin' } })).toEqual([]);
  });

  it('name a hedge that is out of bounds, of a fallback, of another leg, or too late beside fallbacks', () => {
    const llm = (settings: object) => problemsOfModels({ llm: { vendor: 'openai', ...settings } }).map(({ path, message }) => `${path}: ${message}`);
    const fallbacks = [{ vendor: 'builtin' }];
    expect(llm({ hedge_after_ms: 100 })).toEqual([]);
    expect(llm({ hedge_after_ms: 5000 })).toEqual([]);
    expect(llm({ hedge_after_ms: 1999, fallbacks })).toEqual([]);
    expect(llm({ hedge_after_ms: 99 })).toEqual([expect.stringMatching(/^llm\.hedge_after_ms: /)]);
    expect(llm({ hedge_after_ms: 5001 })).toEqual([expect.stringMatching(/^llm\.hedge_after_ms: /)]);
    expect(llm({ hedge_after_ms: 2000, fallbacks })).toEqual([
      'llm.hedge_after_ms: must be less than 2000 beside fallbacks: a model that is silent for so long is left for the next one',
    ]);
    expect(llm({ fallbacks: [{ vendor: 'openai', hedge_after_ms: 700 }] })).toEqual([
      'llm.fallbacks.0.hedge_after_ms: a fallback has no hedge_after_ms of its own: set it on llm',
    ]);
    expect(problemsOfModels({ stt: { vendor: 'builtin', hedge_after_ms: 700 } })).toEqual([{ path: 'stt.hedge_after_ms', message: 'unknown option' }]);
  });

  it('are none for an ordered list of fallbacks, each with the options of its vendor', () => {
    const llm = { vendor: 'openai', model: 'a', fallbacks: [{ vendor: 'openai', model: 'b', temperature: 0 }, { vendor: 'builtin' }] };
    expect(problemsOfModels({ llm, tts: { vendor: 'cartesia', fallbacks: [] } })).toEqual([]);
  });

  it.each([
    [[{ vendor: 'nobody' }], 'llm.fallbacks.0.vendor', /^vendor must be one of: .*builtin$/],
    [[{ vendor: 'builtin' }, { vendor: 'deepgram' }], 'llm.fallbacks.1.vendor', /^vendor must be one of/],
    [[{ vendor: 'openai', temperatur: 1 }], 'llm.fallbacks.0.temperatur', /^unknown option$/],
    [[{ vendor: 'builtin', fallbacks: [{ vendor: 'builtin' }] }], 'llm.fallbacks.0.fallbacks', /no fallbacks of its own/],
    [Array.from({ length: 5 }, () => ({ vendor: 'builtin' })), 'llm.fallbacks', /^at most 4 fallbacks$/],
    [{ vendor: 'builtin' }, 'llm.fallbacks', /array/],
  ])('%j as fallbacks: %s', (fallbacks, path, message) => {
    const [problem, ...others] = problemsOfModels({ llm: { vendor: 'openai', fallbacks } });
    expect([problem?.path, others]).toEqual([path, []]);
    expect(problem?.message).toMatch(message);
  });

  it('name the vendors there are', () => {
    expect(problemsOfModels({ tts: { vendor: 'nobody' } })[0]?.message).toMatch(/^vendor must be one of: .*cartesia, .*builtin$/);
  });
});

describe('where a base URL may lead', () => {
  const stored = { openai: { apiKey: 'o', baseUrl: 'https://proxy.example/v1' }, deepgram: { apiKey: 'd', baseUrl: 'ws://10.0.0.1' } };

  /** Asks the language model to connect, and tells which fetch it does it with. */
  function connecting(changes: Parameters<typeof resolve>[0]) {
    const asked: string[] = [];
    const fetching = (name: string): typeof fetch => (input) => {
      asked.push(`${name} ${input instanceof Request ? input.url : String(input)}`);
      return Promise.reject(new Error('no network in this test'));
    };
    const egress = { ...createGuardedEgress(), fetch: fetching('guarded') };
    resolve({ ...changes, agentModels: { stt: { vendor: 'builtin' } }, fetch: fetching('free'), egress }).llm.prewarm?.();
    return asked;
  }

  it('is checked for a stored credential, and is the operator’s business in the environment', () => {
    expect(connecting({ credentials: { openai: stored.openai } })).toEqual(['guarded https://proxy.example/v1/models']);
    expect(connecting({ credentials: { openai: { apiKey: 'o' } } })).toEqual(['free https://api.openai.com/v1/models']);
    expect(connecting({ env: { OPENAI_API_KEY: 'o', OPENAI_BASE_URL: 'http://127.0.0.1:1' } })).toEqual(['free http://127.0.0.1:1/v1/models']);
  });

  it('is refused at once where it is an internal address, unless private networks are allowed', () => {
    const changes = { credentials: stored, agentModels: { llm: { vendor: 'builtin' } } };
    expect(codeOf(() => resolve({ ...changes, egress: createGuardedEgress() }))).toMatch(/^egress-refused/);
    expect(resolve(changes).choice.stt?.vendor).toBe('deepgram');
  });
});

describe('fallbacks', () => {
  const llm = { vendor: 'openai', model: 'a', fallbacks: [{ vendor: 'openai', model: 'b' }, { vendor: 'builtin' }] };
  const request = (signal = new AbortController().signal) => ({
    messages: [{ role: 'user', text: 'Hello' } as const],
    tools: [],
    maxOutputTokens: 50,
    signal,
  });
  const listen = ({ fallovers }: ReturnType<typeof resolve>) => {
    const seen: string[] = [];
    fallovers.listen(({ leg, from, to, code }) => seen.push(`${leg} ${from.vendor}/${from.model} -> ${to.vendor}/${to.model}: ${code}`));
    return seen;
  };
  const refusing: typeof fetch = () => Promise.resolve(new Response('{}', { status: 401 }));

  it.each([
    ['the agent', { agentModels: { llm } }, 'agent'],
    ['the organization', { organizationModels: { llm } }, 'organization'],
  ])('chosen by %s stand in, and the choice tells which one is in use', async (_name, changes, reason) => {
    const models = resolve({ ...changes, env: { OPENAI_API_KEY: 'o' }, fetch: refusing });
    expect(models.choice.llm).toEqual({ vendor: 'openai', model: 'a', reason, isSimulated: false });
    const parts = [];
    for await (const part of models.llm.stream(request())) parts.push(part.type);
    expect(parts.at(-1)).toBe('finish');
    expect(models.choice.llm).toMatchObject({ vendor: 'builtin', reason, isSimulated: true });
    // Told to whoever listens, though that is later.
    expect(listen(models)).toEqual(['llm openai/a -> openai/b: vendor-unauthorized', expect.stringMatching(/^llm openai\/b -> builtin\/.*: vendor-unauthorized$/)]);
  });

  it('take over from a vendor of choice without a key, and are left out where they have none themselves', () => {
    const stt = { vendor: 'deepgram', fallbacks: [{ vendor: 'builtin' }] };
    const models = resolve({ agentModels: { stt } });
    expect(models.choice.stt?.vendor).toBe('builtin');
    expect(listen(models)).toEqual(['stt deepgram/nova-3 -> builtin/data-signal: vendor-unauthorized']);
    const spare = { vendor: 'builtin', fallbacks: [{ vendor: 'deepgram' }] };
    expect(resolve({ agentModels: { stt: spare } }).choice.stt?.vendor).toBe('builtin');
    expect(codeOf(() => resolve({ agentModels: { stt: { vendor: 'deepgram', fallbacks: [{ vendor: 'deepgram' }] } } }))).toMatch(/^vendor-unauthorized/);
  });

  it('are what calls begin with while the vendor of choice is known to fail', async () => {
    const create = compileModels(sources({ agentModels: { llm }, env: { OPENAI_API_KEY: 'o' }, fetch: refusing }));
    for (let call = 0; call < 3; call += 1) for await (const part of create({}).llm.stream(request())) expect(part).toBeDefined();
    const models = create({});
    expect(models.choice.llm.vendor).toBe('builtin');
    expect(listen(models)).toEqual([expect.stringMatching(/^llm openai\/a -> builtin\/.*: vendor-unauthorized$/)]);
    // Another key is another account.
    expect(create({ openai: { apiKey: 'other' } }).choice.llm.vendor).toBe('openai');
  });
});

describe('a speech-to-speech model', () => {
  const realtime = { vendor: 'openai' };
  const env = { OPENAI_API_KEY: 'key' };

  it('takes the place of the legs; a language model stays for what is not said', () => {
    const models = resolve({ agentModels: { realtime }, env });
    expect(models).toMatchObject({ kind: 'speech-to-speech', realtime: { vendor: 'openai', model: 'gpt-realtime', voice: 'marin' }, tts: null });
    expect(models.choice).toEqual({
      realtime: { vendor: 'openai', model: 'gpt-realtime', reason: 'agent', isSimulated: false },
      llm: { vendor: 'openai', model: 'gpt-4.1-mini', reason: 'environment', isSimulated: false },
    });
  });

  it('has a voice for fixed words beside it where one is named', () => {
    const models = resolve({ agentModels: { realtime, tts: { vendor: 'builtin' } }, env });
    expect(models.choice.tts).toMatchObject({ vendor: 'builtin', reason: 'agent' });
  });

  it('is the organization’s where the agent names no leg', () => {
    const organizationModels = { realtime };
    expect(resolve({ organizationModels, env }).choice.realtime).toMatchObject({ reason: 'organization' });
    expect(resolve({ organizationModels, agentModels: { llm: { vendor: 'builtin' } }, env }).kind).toBe('cascaded');
  });

  it('has others behind it, as far as they have keys', () => {
    const fallbacks = [{ vendor: 'ultravox' }, { vendor: 'google' }];
    const models = resolve({ agentModels: { realtime: { ...realtime, fallbacks } }, env: { ...env, GOOGLE_GENERATIVE_AI_API_KEY: 'key' } });
    expect(models).toMatchObject({ realtime: { vendor: 'openai', capabilities: { turnEvents: false } } });
    const withoutFirst = resolve({ agentModels: { realtime: { ...realtime, fallbacks } }, env: { ULTRAVOX_API_KEY: 'key' } });
    expect(withoutFirst.choice.realtime).toMatchObject({ vendor: 'ultravox', reason: 'agent' });
  });

  it('needs a key', () => {
    expect(codeOf(() => resolve({ agentModels: { realtime } }))).toMatch(/^vendor-unauthorized/);
  });
});
