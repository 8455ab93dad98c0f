import { describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { createToolRunner } from '../../call/tools/run-tool.js';
import type { LanguageModel, LanguageModelPart } from '../../speech/language-model.js';
import { edge, graphOf, node } from '../../../test/support/workflow-call.js';
import { knownToolsOf } from '../../workflow/tools/tool-definition.js';
import { hasPassed } from './scenario-runner.js';
import { createTextRunner } from './text-runner.js';
import type { ScenarioTurn } from './scenario-file.js';

const collecting = { extraction_enabled: true, extraction_variables: [{ name: 'budget', type: 'number', prompt: '' }] };
const graph = graphOf(
  [node('start', 'startCall', { greeting: 'Hello.', ...collecting }), node('end', 'endCall')],
  [edge('start', 'end')],
);

/** Leaves the node at once, and finds a budget of 500. */
const model: LanguageModel = {
  vendor: 'scripted',
  model: 'scripted',
  async *stream({ tools }): AsyncGenerator<LanguageModelPart> {
    await Promise.resolve();
    const isCollecting = tools.some(({ name }) => name === 'record_variables');
    const [name, argumentsJson] = isCollecting ? ['record_variables', '{"budget":"500"}'] : ['go_to_end', '{}'];
    if (tools.length === 0) yield { type: 'text-delta', text: 'Goodbye.' };
    else yield { type: 'tool-call', toolCall: { id: 'a', name, argumentsJson } };
  },
};

const play = (expected: ScenarioTurn['expect']) => {
  const scenario = { name: 'budget', variables: {}, opening: {}, turns: [{ caller: 'I have 500 euros.', expect: expected }] };
  const tools = createToolRunner({ clock: systemClock, fetch, credentialOf: () => Promise.resolve(null), onFault: () => undefined });
  return createTextRunner({ graph, model, tools, clock: systemClock, variables: {}, close: () => Promise.resolve() }).run(scenario, new AbortController().signal);
};

describe('a scenario', () => {
  it('goes without an MCP server that fails, and says so', async () => {
    const server = knownToolsOf([{ uuid: 'shop', name: 'Shop', description: 'The shop.', kind: 'mcp', config: { url: 'https://shop.example.com/mcp' }, filler: null }]);
    const shop = graphOf([node('start', 'startCall', { greeting: 'Hello.', tool_uuids: ['shop'] }), node('end', 'endCall')], [edge('start', 'end')], { tools: server });
    const down: typeof fetch = () => Promise.reject(new TypeError('fetch failed'));
    const tools = createToolRunner({ clock: systemClock, fetch: down, credentialOf: () => Promise.resolve(null), onFault: () => undefined });
    const runner = createTextRunner({ graph: shop, model, tools, clock: systemClock, variables: {}, close: () => Promise.resolve() });
    const result = await runner.run({ name: 'any', variables: {}, opening: { said: ['Hello'] }, turns: [] }, new AbortController().signal);
    expect([hasPassed(result), result.notes]).toEqual([true, ['the MCP server shop failed: The server could not be reached.']]);
  });

  it('sees what a node collected as it was left', async () => {
    expect(hasPassed(await play({ variables: { budget: 500 }, ends: 'agent_hangup' }))).toBe(true);
    const failed = await play({ variables: { budget: 5 } });
    expect(failed.turns[1]?.problems).toEqual(['expected budget to be 5, is 500']);
  });
});
