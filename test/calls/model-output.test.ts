import { describe, expect, it } from 'vitest';
import { expectCleanEnd } from '../support/virtual/call-invariants.js';
import { afterGreeting, goodbyePasses } from '../support/virtual/scenes.js';
import type { PassScript } from '../support/virtual/scripted-model.js';
import { GREETING } from '../support/virtual/virtual-call.js';
import { edge, node } from '../support/workflow-call.js';

const nodes = [node('start', 'startCall', { greeting: GREETING }), node('a', 'agentNode'), node('b', 'agentNode'), node('end', 'endCall')];
const edges = [edge('start', 'a'), edge('start', 'end'), edge('a', 'b'), edge('b', 'a'), edge('a', 'end'), edge('b', 'end')];

/** How long a caller may wait for words, whatever the model does. */
const LIMIT_MS = 10_000;

describe('whatever the model returns, the caller hears something and the call goes on', () => {
  it.each<[string, string, readonly PassScript[]]>([
    ['nothing', 'start', [{}]],
    ['blanks', 'start', [{ text: '  \n ' }]],
    ['blanks and an edge', 'a', [{ text: ' ', tools: ['go_to_a'] }, { text: 'Here.' }]],
    ['two edges', 'a', [{ text: 'Well.', tools: ['go_to_a', 'go_to_end'] }]],
    ['an unknown function', 'start', [{ tools: ['go_to_mars'] }]],
    ['an unknown function and an edge', 'a', [{ tools: ['__proto__', 'go_to_a'] }, { text: 'Here.' }]],
    ['malformed arguments', 'a', [{ tools: ['go_to_a'], argumentsJson: '{"broken' }, { text: 'Here.' }]],
    ['endless words', 'start', [{ text: 'and on and on', isEndless: true, perWordMs: 1 }]],
    ['endless blanks', 'start', [{ text: ' '.repeat(300), isEndless: true, perWordMs: 1 }]],
    ['ten thousand calls of a function', 'start', [{ tools: Array.from({ length: 10_000 }, () => 'go_to_mars') }]],
    ['a loop of edges', 'b', [{ tools: ['go_to_a'] }, { tools: ['go_to_b'] }, { tools: ['go_to_a'] }]],
  ])('%s', async (_, nodeId, passes) => {
    const call = await afterGreeting({ nodes, edges, passes: [...passes, ...goodbyePasses] });
    call.carrier.says('Hello there.');
    const said = await call.untilEvent('caller-said');
    const replied = await call.untilEvent('reply-started', 2, LIMIT_MS);
    expect(replied.atMs - said.atMs).toBeLessThan(LIMIT_MS);
    const heard = await call.untilEvent('agent-said', 2, 200_000);
    expect(String(heard.data['text']).trim()).not.toBe('');
    expect(call.eventsOf('node-entered').at(-1)?.data['node_id']).toBe(nodeId === 'b' ? 'a' : nodeId);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });
});
