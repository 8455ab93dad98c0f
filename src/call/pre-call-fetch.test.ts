import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { AgentStreamError } from '../base/errors.js';
import { fetchBeforeCall, PRE_CALL_FETCH_LIMIT_MS } from './pre-call-fetch.js';

const plan = { mode: 'always', url: 'https://example.com/who' } as const;
const facts = { runId: 'r', initialContext: { direction: 'inbound' }, gatheredContext: {} };
/** Never answers, whatever becomes of the signal. */
const deaf: typeof fetch = () => new Promise(() => undefined);

describe('fetching before a call', () => {
  it('waits for ten seconds and no longer', async () => {
    const clock = createVirtualClock();
    const result = fetchBeforeCall(plan, facts, { clock, fetch: deaf, signal: new AbortController().signal });
    await clock.advance(PRE_CALL_FETCH_LIMIT_MS);
    expect(await result).toEqual({ tookMs: 10_000, failure: 'the call ended, or there was no answer in time' });
  });

  it('ends with the call', async () => {
    const clock = createVirtualClock();
    const call = new AbortController();
    const result = fetchBeforeCall(plan, facts, { clock, fetch: deaf, signal: call.signal });
    await clock.advance(700);
    call.abort(new Error('The stream ended'));
    expect(await result).toMatchObject({ tookMs: 700, failure: expect.stringContaining('the call ended') as string });
    expect(await fetchBeforeCall(plan, facts, { clock, fetch: deaf, signal: call.signal })).toMatchObject({ tookMs: 0 });
  });

  it('says where it may not go', async () => {
    const refusing: typeof fetch = () => Promise.reject(new AgentStreamError('egress-refused'));
    const result = await fetchBeforeCall(plan, facts, { clock: createVirtualClock(), fetch: refusing, signal: new AbortController().signal });
    expect(result).toMatchObject({ failure: 'egress-refused' });
  });
});
