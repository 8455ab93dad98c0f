import { deepFreeze } from './deep-freeze.js';
import { defaultDocument } from './default-document.js';
import { checkGraph } from './graph-checks.js';
import { buildNode } from './build-node.js';
import { clipReferencesIn } from './clip-references.js';
import { preCallFetchOf } from './pre-call-fetch.js';
import type { AttachedClip, GraphNode, WorkflowGraph } from './graph.js';
import { checkNodeCredentials } from './node-credentials.js';
import { checkNodeTools, type KnownTools } from './node-tools.js';
import { MAX_EDGES, MAX_NODES } from './nodes/shared.js';
import { readDocument, type DocumentOutline } from './outline.js';
import type { Problem } from './problems.js';
import type { WorkflowEdge, WorkflowNode } from './schema.js';
import { defaultSettings, type WorkflowSettings } from './settings.js';
import { checkEdgeSupport, checkNodeSupport } from './support-checks.js';
import { checkTemplates, sensitiveVariables, spokenSecrets, unknownVariables } from './template-checks.js';
import { parseTemplate } from './template.js';

export type { Problem } from './problems.js';

/** Most problems reported at once. */
const MAX_PROBLEMS = 500;

/** How a document is compiled. */
export interface CompileOptions {
  /** True refuses what only drafts may hold. Default false. */
  readonly forPublish?: boolean | undefined;
  /** Every variable a call of this agent can have; given, templates that need another one are warned of. */
  readonly knownVariables?: Iterable<string> | undefined;
  /** Texts and idle ladder of the version. Default: the default settings. */
  readonly settings?: WorkflowSettings | undefined;
  /** The stored tools that its nodes may name. To be published every one must be there; a call goes on without those that are gone. Default: none. */
  readonly tools?: KnownTools | undefined;
  /** The stored credentials that its nodes may name. Default: any; what is gone is told when it is to be sent. */
  readonly credentialUuids?: ReadonlySet<string> | undefined;
}

/** A graph ready to run, or everything that keeps the document from running. */
export type CompileResult =
  | { readonly ok: true; readonly graph: WorkflowGraph; /** Worth knowing, no reason to refuse. */ readonly warnings: readonly Problem[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const noTools: KnownTools = new Map();

const isPresent = <T>(value: T | null): value is T => value !== null;

/** A document whose every part is sound. */
interface SoundDocument {
  readonly nodes: readonly WorkflowNode[];
  readonly edges: readonly WorkflowEdge[];
  /** Edges by the node they leave. */
  readonly exitsOf: ReadonlyMap<string, readonly WorkflowEdge[]>;
}

function partsOf(outline: DocumentOutline): SoundDocument {
  const nodes = outline.nodes.map(({ node }) => node).filter(isPresent);
  const edges = outline.edges.map(({ edge }) => edge).filter(isPresent);
  const exitsOf = new Map<string, WorkflowEdge[]>(nodes.map((node) => [node.id, []]));
  for (const edge of edges) exitsOf.get(edge.source)?.push(edge);
  return { nodes, edges, exitsOf };
}

function buildGraph({ nodes, edges, exitsOf }: SoundDocument, settings: WorkflowSettings, tools: KnownTools): WorkflowGraph {
  const globalNode = nodes.find((node) => node.type === 'globalNode');
  const globalPrompt = globalNode === undefined ? null : parseTemplate(globalNode.data.prompt);
  const graphNodes = Object.create(null) as Record<string, GraphNode>;
  for (const node of nodes) {
    const built = buildNode(node, exitsOf.get(node.id) ?? [], { globalPrompt, tools });
    if (built !== null) graphNodes[node.id] = built;
  }
  const start = nodes.find((node) => node.type === 'startCall');
  return deepFreeze({
    startId: start?.id ?? '',
    preCallFetch: start === undefined ? null : preCallFetchOf(start),
    nodes: graphNodes,
    recordingIds: [...new Set(clipReferencesIn({ nodes, edges }).map(({ recordingId }) => recordingId))],
    clips: Object.create(null) as Record<string, AttachedClip>,
    idle: { checks: [...settings.idle_ladder.checks], goodbye: settings.idle_ladder.goodbye },
    texts: { ...settings.texts },
    filler: settings.turn.filler.enabled ? { text: settings.texts.filler, afterMs: settings.turn.filler.after_ms } : null,
    sensitiveVariables: sensitiveVariables(nodes),
  });
}

function collectProblems(outline: DocumentOutline): readonly Problem[] {
  return [
    ...outline.problems,
    ...checkGraph(outline),
    ...outline.nodes.flatMap(({ node }) => (node === null ? [] : [...checkNodeSupport(node), ...checkTemplates(node)])),
    ...outline.edges.flatMap(({ edge }) =>
      edge === null ? [] : [...checkEdgeSupport(edge), ...checkTemplates(edge)],
    ),
  ];
}

function capped(problems: readonly Problem[]): readonly Problem[] {
  if (problems.length <= MAX_PROBLEMS) return problems;
  const rest: Problem = {
    kind: 'workflow',
    id: 'workflow',
    field: '',
    message: `${problems.length - MAX_PROBLEMS} more problems`,
    cure: 'Correct these first.',
  };
  return [...problems.slice(0, MAX_PROBLEMS), rest];
}

const isEmptyObject = (value: unknown): boolean => typeof value === 'object' && value !== null && Object.keys(value).length === 0 && !Array.isArray(value);

/**
 * Makes a document ready to run, or tells everything that is wrong with it at once. No document (`undefined`, `null`, `{}`) means the
 * default one. Pure; a document of 1,000 nodes takes well under a second.
 */
export function compileWorkflow(document: unknown, options: CompileOptions = {}): CompileResult {
  const given = document === undefined || document === null || isEmptyObject(document) ? defaultDocument : document;
  const outline = readDocument(given, { nodes: MAX_NODES, edges: MAX_EDGES });
  const problems = [...collectProblems(outline)];
  const parts = partsOf(outline);
  const { nodes, edges, exitsOf } = parts;
  const tools = options.tools ?? noTools;
  const toolProblems = nodes.flatMap((node) => checkNodeTools(node, exitsOf.get(node.id) ?? [], tools));
  const { credentialUuids } = options;
  if (credentialUuids !== undefined) problems.push(...nodes.flatMap((node) => checkNodeCredentials(node, credentialUuids)));
  problems.push(...(options.forPublish === true ? toolProblems : []), ...spokenSecrets([...nodes, ...edges], sensitiveVariables(nodes)));
  if (problems.length > 0) return { ok: false, problems: capped(problems) };
  const unknown = options.knownVariables === undefined ? [] : unknownVariables([...nodes, ...edges], options.knownVariables);
  const graph = buildGraph(parts, options.settings ?? defaultSettings, tools);
  return { ok: true, graph, warnings: capped([...toolProblems, ...unknown]) };
}
