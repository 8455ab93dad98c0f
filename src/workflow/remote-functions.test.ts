import { expect, it } from 'vitest';
import { callableTool, edge, graphOf, node, toolsOf } from '../../test/support/workflow-call.js';
import { offerableFunctions, withFunctions } from './remote-functions.js';

it('of a server’s functions those are kept that nodes offer, and with them they offer the same', () => {
  const server = callableTool('server', { kind: 'mcp' });
  const graph = graphOf(
    [
      node('start', 'startCall', { greeting: 'Hello.', tool_uuids: ['server'] }),
      node('desk', 'agentNode', { tool_uuids: ['server'], mcp_tool_filters: { server: ['f500', 'f3', 'gone'] } }),
      node('end', 'endCall'),
    ],
    [edge('start', 'desk'), edge('desk', 'end')],
    { tools: toolsOf(server) },
  );
  const functions = Array.from({ length: 1000 }, (_, index) => ({ name: `f${index}`, description: 'd', parameters: { type: 'object' as const } }));
  const kept = offerableFunctions(graph, 'server', functions);
  expect(kept.map(({ name }) => name)).toEqual([...functions.slice(0, 100).map(({ name }) => name), 'f500']);
  const offered = withFunctions(graph, 'server', functions);
  expect(withFunctions(graph, 'server', kept)).toEqual(offered);
  const desk = offered.nodes['desk'];
  expect(desk !== undefined && 'callables' in desk && Object.keys(desk.callables)).toEqual(['f3', 'f500']);
  expect(offerableFunctions(graph, 'another', functions)).toEqual([]);
});
