import { describe, expect, it } from 'vitest';
import { AgentStreamError } from '../../src/base/errors.js';
import { EXTRACTION_GRACE_MS, EXTRACTION_LIMIT_MS } from '../../src/call/extractor.js';
import { expectCleanEnd } from '../support/virtual/call-invariants.js';
import { afterGreeting, goodbyePasses, messagesOf } from '../support/virtual/scenes.js';
import { GREETING, type VirtualCall, type VirtualCallOptions } from '../support/virtual/virtual-call.js';
import type { PassScript } from '../support/virtual/scripted-model.js';
import { edge, node } from '../support/workflow-call.js';

const collecting = { extraction_enabled: true, extraction_variables: [{ name: 'budget', type: 'number', prompt: 'In euros.' }, { name: 'call_disposition', type: 'string', prompt: '' }] };

/** The model leaves the start node, which collects variables; `extraction` is its answer in the background. */
function document(extraction: PassScript, following: readonly PassScript[]): VirtualCallOptions {
  return {
    nodes: [node('start', 'startCall', { greeting: GREETING, ...collecting }), node('sales', 'agentNode', { prompt: 'Sell for {{budget | an unknown amount}}.' }), node('end', 'endCall')],
    edges: [edge('start', 'sales'), edge('start', 'end'), edge('sales', 'end')],
    passes: [{ tools: ['go_to_sales'] }, extraction, ...following],
  };
}

const told = (argumentsJson: string, script: PassScript = {}): PassScript => ({ tools: ['record_variables'], argumentsJson, ...script });

/** A call at the second node, whose first words were heard. */
async function atSales(extraction: PassScript, ...following: readonly PassScript[]): Promise<VirtualCall> {
  const call = await afterGreeting(document(extraction, [{ text: 'We have many things.' }, ...following]));
  call.carrier.says('I have five hundred euros.');
  await call.untilEvent('agent-said', 2);
  return call;
}

async function endCall(call: VirtualCall) {
  call.carrier.says('Goodbye.');
  return expectCleanEnd(call, 'agent_hangup');
}

describe('variables that a node collects', () => {
  it('are asked for beside the reply, and known to later prompts and the run', async () => {
    const call = await atSales(told('{"budget":"500","call_disposition":"sold"}'), ...goodbyePasses);
    expect(call.eventsOf('variables-extracted').map(({ data }) => data)).toEqual([{ node_id: 'start', values: { budget: 500, call_disposition: 'sold' }, problems: [] }]);
    const outcome = await endCall(call);
    expect(messagesOf(call, 3)[0]).toContain('Sell for 500.');
    expect(outcome.variables).toEqual({ budget: 500, call_disposition: 'sold' });
    // Greeting's turn, extraction, answer, edge and goodbye.
    expect(outcome.usage.modelInputTokens).toBe(500);
  });

  it('cost no time: a model that never answers in the background delays neither reply nor hang-up', async () => {
    const gapMs = async (extraction: PassScript) => {
      const call = await atSales(extraction, ...goodbyePasses);
      const [said, replied] = [call.eventsOf('caller-said')[0], call.eventsOf('reply-started')[1]];
      await call.advance(EXTRACTION_LIMIT_MS);
      return { call, ms: (replied?.atMs ?? 0) - (said?.atMs ?? 0) };
    };
    const [fast, never] = [await gapMs(told('{}')), await gapMs({ text: '', hangs: true })];
    expect(never.ms).toBe(fast.ms);
    expect(never.call.eventsOf('extraction-failed').map(({ data }) => data['code'])).toEqual(['vendor-unreachable']);
    expect((await endCall(never.call)).variables).toEqual({});
    await endCall(fast.call);
  });

  it.each<[string, PassScript]>([
    ['no object', { text: 'I do not know.' }],
    ['malformed arguments', told('{"budget":')],
    ['a failure', { error: new AgentStreamError('vendor-rejected') }],
  ])('are left out where the model gives %s', async (_, extraction) => {
    const call = await atSales(extraction, ...goodbyePasses);
    expect(call.eventsOf('extraction-failed')).toHaveLength(1);
    expect(call.eventsOf('vendor-failed')).toEqual([]);
    expect((await endCall(call)).variables).toEqual({});
  });

  it('of a wrong type are noted, without the value', async () => {
    const call = await atSales(told('{"budget":"plenty","call_disposition":"sold"}'), ...goodbyePasses);
    expect(call.eventsOf('variables-extracted')[0]?.data).toEqual({ node_id: 'start', values: { call_disposition: 'sold' }, problems: [{ name: 'budget', message: 'is no number' }] });
    await endCall(call);
  });

  const hangUp = async (last: PassScript) => {
    const call = await afterGreeting({ ...document({ text: 'How much do you have?' }, []), passes: [{ text: 'How much do you have?' }, last] });
    call.carrier.says('I am looking for a present.');
    await call.untilEvent('agent-said', 2);
    call.carrier.stops();
    const stoppedAtMs = call.clock.nowMs();
    await call.until(() => call.outcome !== null);
    return { call, waitedMs: call.clock.nowMs() - stoppedAtMs };
  };

  it('are collected once more where the caller hangs up', async () => {
    const { call, waitedMs } = await hangUp(told('{"budget":20}'));
    expect(call.outcome).toMatchObject({ ending: { endReason: 'caller_hangup' }, variables: { budget: 20 } });
    expect(waitedMs).toBeLessThan(1000);
  });

  it('are given up a short grace after the call', async () => {
    const { call, waitedMs } = await hangUp({ text: '', hangs: true });
    expect(call.outcome).toMatchObject({ ending: { endReason: 'caller_hangup' }, variables: {} });
    expect(waitedMs).toBeGreaterThanOrEqual(EXTRACTION_GRACE_MS - 50);
    expect(waitedMs).toBeLessThan(EXTRACTION_GRACE_MS + 500);
    expect(call.eventsOf('extraction-failed').map(({ data }) => data['code'])).toEqual(['run-not-live']);
    expect(call.llm.openPasses).toBe(0);
  });
});
