import type { ModelTool } from '../speech/language-model.js';
import { MAX_TOOL_NAME_LENGTH, toolNameOf, type FunctionSource, type GraphNode, type PromptedNode, type WorkflowGraph } from './graph.js';
import type { CallableTool } from './tools/callable-tool.js';

/** Most functions a node offers the model in all; vendors take 128. */
const MAX_FUNCTIONS_PER_NODE = 100;

/** A function as its server tells it. */
export interface RemoteFunction {
  /** As the server names it. */
  readonly name: string;
  readonly description: string;
  readonly parameters: ModelTool['parameters'];
}

/** What a server listed. */
export interface ServerFunctions {
  /** The tool that is the server. */
  readonly toolUuid: string;
  readonly functions: readonly RemoteFunction[];
}

const sourcesAt = (node: GraphNode): readonly FunctionSource[] => ('functionSources' in node ? node.functionSources : []);

/** The servers whose functions nodes of this graph offer, each once. */
export function serversOf({ nodes }: WorkflowGraph): readonly CallableTool[] {
  const tools = Object.values(nodes).flatMap((node) => sourcesAt(node).map(({ tool }) => [tool.uuid, tool] as const));
  return [...new Map(tools).values()];
}

/** Of a server's functions those that a node of the graph may offer, in the server's order: with them alone {@link withFunctions} does the same. */
export function offerableFunctions({ nodes }: WorkflowGraph, toolUuid: string, functions: readonly RemoteFunction[]): readonly RemoteFunction[] {
  const sources = Object.values(nodes).flatMap((node) => sourcesAt(node).filter(({ tool }) => tool.uuid === toolUuid));
  const kept = new Set(sources.flatMap((source) => wantedOf(source, functions).slice(0, MAX_FUNCTIONS_PER_NODE)));
  return functions.filter((one) => kept.has(one));
}

const wantedOf = ({ only }: FunctionSource, functions: readonly RemoteFunction[]) => functions.filter(({ name }) => only === null || only.includes(name));

/** A name of the model's alphabet that none of the node's functions has. */
function freeName(wanted: string, isTaken: (name: string) => boolean): string {
  const name = toolNameOf(wanted);
  if (!isTaken(name)) return name;
  for (let count = 2; ; count += 1) {
    const numbered = `${name.slice(0, MAX_TOOL_NAME_LENGTH - `_${count}`.length)}_${count}`;
    if (!isTaken(numbered)) return numbered;
  }
}

function offer(node: PromptedNode, source: FunctionSource, functions: readonly RemoteFunction[]): PromptedNode {
  const { tool } = source;
  const offered = wantedOf(source, functions).slice(0, Math.max(0, MAX_FUNCTIONS_PER_NODE - node.tools.length));
  const callables = Object.assign(Object.create(null) as Record<string, CallableTool>, node.callables);
  const taken = new Set(node.tools.map(({ name }) => name));
  const declarations = offered.map(({ name, description, parameters }) => {
    const declaration: ModelTool = { name: freeName(name, (other) => taken.has(other)), description, parameters };
    taken.add(declaration.name);
    callables[declaration.name] = { ...tool, declaration, config: { ...tool.config, function: name } };
    return declaration;
  });
  return { ...node, callables, tools: [...node.tools, ...declarations] };
}

/**
 * The graph of one call, with the functions that the server `toolUuid` told it. Pure: the graph that calls share stays as it is, and
 * nodes that do not name the server are shared on. Meant once per server and call: names that were given stay.
 */
export function withFunctions(graph: WorkflowGraph, toolUuid: string, functions: readonly RemoteFunction[]): WorkflowGraph {
  const nodes = Object.create(null) as Record<string, GraphNode>;
  for (const [id, node] of Object.entries(graph.nodes)) {
    const source = sourcesAt(node).find(({ tool }) => tool.uuid === toolUuid);
    nodes[id] = source === undefined ? node : offer(node as PromptedNode, source, functions);
  }
  return { ...graph, nodes };
}
