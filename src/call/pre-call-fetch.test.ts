import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { AgentStreamError } from '../base/errors.js';
import { fetchBeforeCall, PRE_CALL_FETCH_LIMIT_MS } from './pre-call-fetch.js';

const plan = { mode: 'always', url: 'https://example.com/who', credentialUuid: null } as const;
const facts = { runId: 'r', initialContext: { direction: 'inbound' }, gatheredContext: {} };
const credentialOf = () => Promise.resolve(null);
/** Never answers, whatever becomes of the signal. */
const deaf: typeof fetch = () => new Promise(() => undefined);

describe('fetching before a call', () => {
  it('waits for ten seconds and no longer', async () => {
    const clock = createVirtualClock();
    const result = fetchBeforeCall(plan, facts, { clock, fetch: deaf, signal: new AbortController().signal, credentialOf });
    await clock.advance(PRE_CALL_FETCH_LIMIT_MS);
    expect(await result).toEqual({ tookMs: 10_000, failure: 'the call ended, or there was no answer in time' });
  });

  it('ends with the call', async () => {
    const clock = createVirtualClock();
    const call = new AbortController();
    const result = fetchBeforeCall(plan, facts, { clock, fetch: deaf, signal: call.signal, credentialOf });
    await clock.advance(700);
    call.abort(new Error('The stream ended'));
    expect(await result).toMatchObject({ tookMs: 700, failure: expect.stringContaining('the call ended') as string });
    expect(await fetchBeforeCall(plan, facts, { clock, fetch: deaf, signal: call.signal, credentialOf })).toMatchObject({ tookMs: 0 });
  });

  it('says where it may not go', async () => {
    const refusing: typeof fetch = () => Promise.reject(new AgentStreamError('egress-refused'));
    const result = await fetchBeforeCall(plan, facts, { clock: createVirtualClock(), fetch: refusing, signal: new AbortController().signal, credentialOf });
    expect(result).toMatchObject({ failure: 'egress-refused' });
  });

  it('asks with the credential as it is then, follows nobody with it, and keeps it out of what it brings', async () => {
    const asked: RequestInit[] = [];
    const echoing: typeof fetch = async (_url, init) => {
      asked.push(init ?? {});
      return Response.json({ name: 'Ada', echo: new Headers(init?.headers).get('authorization') });
    };
    const opened = { type: 'bearer', token: 'a "quoted" secret' };
    const ports = { clock: createVirtualClock(), fetch: echoing, signal: new AbortController().signal, credentialOf: () => Promise.resolve(opened) };
    const result = await fetchBeforeCall({ ...plan, credentialUuid: 'c' }, facts, ports);
    expect(asked).toMatchObject([{ headers: { authorization: 'Bearer a "quoted" secret' }, redirect: 'manual' }]);
    expect(result).toMatchObject({ answer: { variables: { name: 'Ada', echo: 'Bearer ****' } } });
    expect(JSON.stringify(result)).not.toContain('quoted');
  });

  it('asks nothing without the credential it names', async () => {
    const ports = { clock: createVirtualClock(), fetch: deaf, signal: new AbortController().signal };
    const named = { ...plan, credentialUuid: 'c' };
    expect(await fetchBeforeCall(named, facts, { ...ports, credentialOf })).toMatchObject({ failure: 'its credential does not exist' });
    const broken = () => Promise.reject(new AgentStreamError('secret-key-mismatch'));
    expect(await fetchBeforeCall(named, facts, { ...ports, credentialOf: broken })).toMatchObject({ failure: 'secret-key-mismatch' });
  });
});
