import { toolNameOf, type FunctionSource, type PromptedNode } from './graph.js';
import { nodeProblem, type Problem } from './problems.js';
import type { WorkflowEdge, WorkflowNode } from './schema.js';
import { SERVER_KIND, type CallableTool } from './tools/callable-tool.js';

/** Stored tools of the organization by UUID. */
export type KnownTools = ReadonlyMap<string, CallableTool>;

/** A tool of a node, where its document names it. */
interface NamedTool {
  readonly field: string;
  readonly uuid: string;
  /** Undefined: there is none. */
  readonly tool: CallableTool | undefined;
}

const namedTools = (node: WorkflowNode, known: KnownTools): readonly NamedTool[] =>
  'tool_uuids' in node.data ? node.data.tool_uuids.map((uuid, index) => ({ field: `data.tool_uuids.${index}`, uuid, tool: known.get(uuid) })) : [];

/** The functions that edges become: a tool may not have the name of one. */
const edgeFunctions = (exits: readonly WorkflowEdge[]): ReadonlyMap<string, WorkflowEdge> =>
  new Map(exits.filter(({ data }) => data.when === undefined).map((exit) => [toolNameOf(exit.data.label), exit]));

/** What is wrong with the tools of a node: some that do not exist, or two functions of one name. `exits` are the edges out of it. */
export function checkNodeTools(node: WorkflowNode, exits: readonly WorkflowEdge[], known: KnownTools): readonly Problem[] {
  const byEdge = edgeFunctions(exits);
  const taken = new Set<string>();
  const named = namedTools(node, known);
  const problems = named.flatMap(({ field, uuid, tool }) => {
    if (tool === undefined) return [nodeProblem(node.id, field, `there is no tool ${uuid}`, 'Attach a tool that exists, or remove it here.')];
    // Its functions are named when a call lists them, so that they clash with none.
    if (tool.kind === SERVER_KIND) return [];
    const { name } = tool.declaration;
    const clash = byEdge.get(name);
    if (clash !== undefined)
      return [nodeProblem(node.id, field, `the tool becomes the function ${name}, and so does the edge ${clash.id}`, 'Rename the tool, or the label of the edge.')];
    if (taken.size === taken.add(name).size)
      return [nodeProblem(node.id, field, `another tool of this node becomes the function ${name} too`, 'Remove one of them, or rename it.')];
    return [];
  });
  return [...problems, ...filterProblems(node, named)];
}

const filtersOf = (node: WorkflowNode): Readonly<Record<string, readonly string[]>> => ('mcp_tool_filters' in node.data ? node.data.mcp_tool_filters : {});

/** Filters of tools that are no server's, or not this node's, would filter nothing. */
const filterProblems = (node: WorkflowNode, named: readonly NamedTool[]): readonly Problem[] =>
  Object.keys(filtersOf(node))
    .filter((uuid) => !named.some((other) => other.uuid === uuid && (other.tool === undefined || other.tool.kind === SERVER_KIND)))
    .map((uuid) => nodeProblem(node.id, `data.mcp_tool_filters.${uuid}`, `${uuid} is no MCP tool of this node`, 'Name the tool in tool_uuids, or remove the filter.'));

/** What the model may call at a node besides its edges. */
export type NodeTools = Pick<PromptedNode, 'callables' | 'functionSources'>;

/** The tools of a node; what {@link checkNodeTools} refuses is left out. `callables` is null-prototype. */
export function toolsAt(node: WorkflowNode, exits: readonly WorkflowEdge[], known: KnownTools): NodeTools {
  const byEdge = edgeFunctions(exits);
  const filters = filtersOf(node);
  const callables = Object.create(null) as Record<string, CallableTool>;
  const functionSources: FunctionSource[] = [];
  for (const { tool, uuid } of namedTools(node, known)) {
    if (tool?.kind === SERVER_KIND) functionSources.push({ tool, only: Object.hasOwn(filters, uuid) ? (filters[uuid] ?? null) : null });
    else if (tool !== undefined && !byEdge.has(tool.declaration.name)) callables[tool.declaration.name] ??= tool;
  }
  return { callables, functionSources };
}
