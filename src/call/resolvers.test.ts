import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { edge, node } from '../../test/support/workflow-call.js';
import type { CallableAgent, Store } from '../store/store.js';
import { defaultSettings } from '../workflow/settings.js';
import { createModelResolver, createWorkflowResolver } from './resolvers.js';

const workflow = { nodes: [node('start', 'startCall'), node('end', 'endCall')], edges: [edge('start', 'end')] };
const callableOf = (version: Record<string, unknown> = {}, organizationId = 'org-1') =>
  ({ agent: { organizationId }, tools: [], version: { number: 1, workflow, settings: {}, ...version } }) as unknown as CallableAgent;

describe('the workflow resolver', () => {
  it('compiles each version once', () => {
    const resolver = createWorkflowResolver();
    const callable = callableOf({ settings: { max_call_duration: 90 } });
    const first = resolver.of(callable);
    expect(first.settings.max_call_duration).toBe(90);
    expect(first.graph.startId).toBe('start');
    expect(resolver.of(callable)).toBe(first);
    expect(resolver.of(callableOf()).graph).not.toBe(first.graph);
  });

  it.each<readonly [string, Record<string, unknown>]>([
    ['document cannot run', { workflow: { nodes: [], edges: [] } }],
    ['settings are unknown', { settings: { volume: 11 } }],
  ])('refuses a draft whose %s, and says why', (_name, version) => {
    expect(() => createWorkflowResolver().of(callableOf(version))).toThrow(
      expect.objectContaining({ code: 'workflow-invalid', message: expect.stringContaining('The agent’s version cannot run: ') as string }),
    );
  });
});

/** A store of organizations that counts what it is asked. */
function setUp() {
  const clock = createVirtualClock();
  let queries = 0;
  const stored = { credentials: [] as { vendor: string; apiKey: string; baseUrl: string | null }[], defaultModels: null as unknown };
  const store = {
    accounts: {
      getOrganization: async () => {
        queries += 1;
        return { defaultModels: stored.defaultModels };
      },
    },
    vendorCredentials: { list: async () => stored.credentials },
  } as unknown as Pick<Store, 'accounts' | 'vendorCredentials'>;
  const resolver = createModelResolver({ store, env: {}, clock, fetch });
  return { clock, resolver, stored, queries: () => queries };
}

describe('the model resolver', () => {
  it('asks the database once in a while, not for every call', async () => {
    const { clock, resolver, queries } = setUp();
    for (let call = 0; call < 20; call += 1) expect((await resolver.resolve(callableOf(), defaultSettings)).choice.llm.vendor).toBe('builtin');
    expect(queries()).toBe(1);
    await resolver.resolve(callableOf({}, 'org-2'), defaultSettings);
    expect(queries()).toBe(2);
    await clock.advance(5001);
    await resolver.resolve(callableOf(), defaultSettings);
    expect(queries()).toBe(3);
  });

  it('takes up credentials and defaults that are stored meanwhile', async () => {
    const { clock, resolver, stored } = setUp();
    expect((await resolver.resolve(callableOf(), defaultSettings)).choice.llm).toMatchObject({ vendor: 'builtin', isSimulated: true });
    stored.credentials = [{ vendor: 'openai', apiKey: 'key', baseUrl: null }];
    await clock.advance(5001);
    expect((await resolver.resolve(callableOf(), defaultSettings)).choice.llm).toMatchObject({ vendor: 'openai', reason: 'credential' });
    stored.defaultModels = { llm: { vendor: 'builtin' } };
    await clock.advance(5001);
    expect((await resolver.resolve(callableOf(), defaultSettings)).choice.llm).toMatchObject({ vendor: 'builtin', reason: 'organization' });
  });

  it('lets the agent’s own choice win', async () => {
    const { resolver, stored } = setUp();
    stored.defaultModels = { llm: { vendor: 'openai' } };
    const settings = { ...defaultSettings, models: { llm: { vendor: 'builtin' } } };
    expect((await resolver.resolve(callableOf(), settings)).choice.llm).toMatchObject({ vendor: 'builtin', reason: 'agent' });
  });

  it('refuses a vendor without a key, and one that does not exist', async () => {
    const { resolver } = setUp();
    const settingsOf = (vendor: string) => ({ ...defaultSettings, models: { llm: { vendor } } });
    await expect(resolver.resolve(callableOf(), settingsOf('openai'))).rejects.toMatchObject({ code: 'vendor-unauthorized' });
    await expect(resolver.resolve(callableOf(), settingsOf('nobody'))).rejects.toMatchObject({ code: 'workflow-invalid' });
  });

  it('keeps a bounded number of organizations', async () => {
    const { resolver, queries } = setUp();
    for (let index = 0; index <= 500; index += 1) await resolver.resolve(callableOf({}, `org-${index}`), defaultSettings);
    const before = queries();
    await resolver.resolve(callableOf({}, 'org-500'), defaultSettings);
    expect(queries()).toBe(before);
    await resolver.resolve(callableOf({}, 'org-0'), defaultSettings);
    expect(queries()).toBe(before + 1);
  });
});
