import { describe, expect, it } from 'vitest';
import { sleep } from '../../src/base/clock.js';
import { AgentStreamError } from '../../src/base/errors.js';
import { toolKind, type ToolOutcome } from '../../src/call/tools/tool-kind.js';
import type { ToolFollowUp } from '../../src/workflow/engine.js';
import { expectCleanEnd } from '../support/virtual/call-invariants.js';
import { afterGreeting, goodbyePasses } from '../support/virtual/scenes.js';
import { GREETING, type VirtualCallOptions } from '../support/virtual/virtual-call.js';
import { callableTool, edge, node } from '../support/workflow-call.js';

const FILLER = 'Let me look that up.';

/** A tool that takes as long as its configuration says. */
const slowKind = toolKind({
  readConfig: (config) => config as { delayMs: number; followUp?: ToolFollowUp; breaks?: boolean },
  timeoutMs: () => 20_000,
  async run({ config, arguments: given }, { clock, signal }): Promise<ToolOutcome> {
    await sleep(clock, config.delayMs, signal);
    if (config.breaks === true) throw new AgentStreamError('tool-failed', { message: 'the shop is closed' });
    return { text: `Order ${String(given['order'])} is on its way.`, isError: false, followUp: config.followUp };
  },
});

/** A call past its greeting whose agent has the tool `look_up`. */
const withTool = (config: Record<string, unknown>, passes: VirtualCallOptions['passes'] = [], options: VirtualCallOptions = {}) =>
  afterGreeting({
    nodes: [node('start', 'startCall', { greeting: GREETING, tool_uuids: ['look_up'] }), node('end', 'endCall')],
    edges: [edge('start', 'end')],
    tools: [callableTool('look_up', { kind: 'slow', config, filler: { text: FILLER, afterMs: 700 } })],
    toolPorts: { kinds: { slow: slowKind } },
    passes,
    ...options,
  });

const asking = { tools: ['look_up'], argumentsJson: '{"order":"5"}' };
const answer = { text: 'Your order is on its way.' };

describe('a tool', () => {
  it('answers in the same reply, and the run shows call and result', async () => {
    const call = await withTool({ delayMs: 100 }, [asking, answer, ...goodbyePasses]);
    call.carrier.says('Where is my order?');
    const said = await call.untilEvent('agent-said', 2);
    expect(said.data['text']).toBe('Your order is on its way.');
    expect(call.llm.requests[1]?.messages.slice(-2)).toEqual([
      { role: 'assistant', text: '', toolCalls: [{ id: 'call-1-0', name: 'look_up', argumentsJson: '{"order":"5"}' }] },
      { role: 'tool', toolCallId: 'call-1-0', toolName: 'look_up', result: 'Order 5 is on its way.' },
    ]);
    expect(call.eventsOf('tool-called').map(({ data }) => data)).toEqual([{ name: 'look_up', arguments: '{"order":"5"}' }]);
    expect(call.eventsOf('tool-finished').map(({ data }) => data)).toEqual([
      { name: 'look_up', kind: 'slow', tool_call_id: 'call-1-0', ok: true, duration_ms: 100, result: 'Order 5 is on its way.' },
    ]);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('is filled in with words when it is slow, again and again', async () => {
    const call = await withTool({ delayMs: 15_000 }, [asking, answer, ...goodbyePasses]);
    call.carrier.says('Where is my order?');
    const said = await call.untilEvent('agent-said', 2, 60_000);
    expect(said.data['text']).toBe(`${FILLER} One moment, please. I am still on it. Your order is on its way.`);
    expect(call.eventsOf('caller-idle')).toEqual([]);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('goes on when the caller speaks, whose words are answered with its result', async () => {
    const call = await withTool({ delayMs: 8000 }, [asking, { text: 'On its way, and it is blue.' }, ...goodbyePasses]);
    call.carrier.says('Where is my order?');
    await call.untilEvent('reply-started', 2);
    call.carrier.says('And what colour does it have?');
    await call.untilEvent('caller-said', 2);
    await call.until(() => call.transcript().some((line) => line.includes('blue')));
    expect(call.eventsOf('tool-finished')).toHaveLength(1);
    expect(call.llm.requests).toHaveLength(2);
    const messages = call.llm.requests[1]?.messages ?? [];
    expect(messages.filter(({ role }) => role === 'user').map((message) => 'text' in message && message.text)).toEqual(
      expect.arrayContaining([expect.stringContaining('And what colour does it have?')]),
    );
    expect(messages.find(({ role }) => role === 'tool')).toMatchObject({ result: 'Order 5 is on its way.' });
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it.each<[string, Record<string, unknown>, string]>([
    ['fails', { delayMs: 100, breaks: true }, 'Error: the shop is closed'],
    ['takes too long', { delayMs: 60_000 }, 'Error: The tool did not answer within 20000 ms.'],
  ])('that %s is told to the model as such', async (_, config, result) => {
    const call = await withTool(config, [asking, { text: 'I could not find it.' }, ...goodbyePasses]);
    call.carrier.says('Where is my order?');
    await call.untilEvent('agent-said', 2, 60_000);
    expect(call.llm.requests[1]?.messages.at(-1)).toMatchObject({ role: 'tool', result });
    expect(call.eventsOf('tool-finished')[0]?.data).toMatchObject({ ok: false });
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('that is refused is finished as a failure, and the model is told why', async () => {
    const call = await withTool({ delayMs: 100 }, [{ tools: ['nowhere', 'look_up'], argumentsJson: '{}' }, { text: 'I could not find it.' }, ...goodbyePasses]);
    call.carrier.says('Where is my order?');
    await call.untilEvent('agent-said', 2);
    const reasons = ['Error: there is no function "nowhere" here.', 'Error: "order" is missing.'];
    expect(call.eventsOf('tool-finished').map(({ data }) => data)).toMatchObject([
      { name: 'nowhere', kind: null, ok: false, duration_ms: 0, result: reasons[0] },
      { name: 'look_up', kind: null, ok: false, duration_ms: 0, result: reasons[1] },
    ]);
    expect(call.llm.requests[1]?.messages.flatMap((message) => (message.role === 'tool' ? [message.result] : []))).toEqual(reasons);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('ends the call after its last words', async () => {
    const call = await withTool({ delayMs: 10, followUp: { type: 'hang-up', text: 'Thank you. Goodbye.' } }, [asking]);
    call.carrier.says('That was all.');
    await expectCleanEnd(call, 'agent_hangup');
    expect(call.transcript().at(-1)).toBe('agent: Thank you. Goodbye.');
  });

  it('ends with the call', async () => {
    const call = await withTool({ delayMs: 15_000 }, [asking]);
    call.carrier.says('Where is my order?');
    await call.untilEvent('tool-called');
    call.carrier.stops();
    await expectCleanEnd(call, 'caller_hangup');
    expect(call.eventsOf('tool-finished')).toEqual([]);
  });

  it('is not run for a turn that is not over', async () => {
    const call = await withTool({ delayMs: 10 }, [asking, asking, answer, ...goodbyePasses]);
    call.carrier.says('Where is');
    await call.untilEvent('reply-prepared');
    expect(call.eventsOf('tool-called')).toEqual([]);
  });
});
