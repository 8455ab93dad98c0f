import type { ModelTool } from '../speech/language-model.js';
import type { Expression } from './expression.js';
import type { ExtractionVariable } from './engine.js';
import type { WorkflowTexts } from './settings.js';
import type { Template } from './template.js';
import type { CallableTool, Filler } from './tools/callable-tool.js';

/** What a document asks to be fetched before its calls begin. */
export interface PreCallFetch {
  readonly mode: 'always' | 'inbound' | 'outbound';
  readonly url: string;
  /** The stored credential that it is asked with; null: none. */
  readonly credentialUuid: string | null;
}

/** What a document has said as it stands: a text, or a recording of somebody with the text said where it is missing. */
export type FixedSpeech =
  | { readonly kind: 'text'; readonly text: Template }
  | { readonly kind: 'recording'; readonly recordingId: string; readonly text: Template | null };

/** An audio clip as the conversation knows it: its sound is the call's. */
export interface AttachedClip {
  readonly uuid: string;
  readonly name: string;
  /** What is said in it; empty: not told. */
  readonly transcript: string;
}

/** A way out of a node, ready to be taken. */
export interface GraphEdge {
  readonly id: string;
  readonly targetId: string;
  readonly label: string;
  /** Said on the way where the model said nothing itself; null where nothing is. */
  readonly transitionSpeech: FixedSpeech | null;
}

/** An edge that is taken where its condition holds. */
export interface ConditionalEdge {
  readonly condition: Expression;
  readonly edge: GraphEdge;
}

/** The edge that silence takes. */
export interface SilenceEdge {
  readonly delayMs: number;
  readonly edge: GraphEdge;
}

/** Null-prototype: edges by the keys that take them. */
export type EdgesByDigits = Readonly<Record<string, GraphEdge>>;

/** What is collected when a node is left. */
export interface ExtractionPlan {
  readonly prompt: Template | null;
  readonly variables: readonly ExtractionVariable[];
}

/** A server that tells its functions when a call asks for them. */
export interface FunctionSource {
  readonly tool: CallableTool;
  /** The functions of it that this node may call, as the server names them; null: all. */
  readonly only: readonly string[] | null;
}

/** A node whose words come from the model. */
export interface PromptedNode {
  readonly type: 'startCall' | 'agentNode' | 'endCall';
  readonly id: string;
  readonly name: string;
  /** The global node's prompt, where this node asks for it and there is one. */
  readonly globalPrompt: Template | null;
  readonly prompt: Template;
  readonly allowInterrupt: boolean;
  /** First words of the call; null: the model greets. Only on `startCall`. */
  readonly greeting: FixedSpeech | null;
  /** Functions the model may call here: one per edge, then one per tool. */
  readonly tools: readonly ModelTool[];
  readonly edgesByTool: Readonly<Record<string, GraphEdge>>;
  /** Null-prototype: tools by the name of their function. */
  readonly callables: Readonly<Record<string, CallableTool>>;
  /** Servers whose functions the model may call here once a call has listed them (`withFunctions`). */
  readonly functionSources: readonly FunctionSource[];
  /** What the node is to know beside its prompt; `attachDocuments` gives it what exists of them. */
  readonly documentUuids: readonly string[];
  /** Documents that the model is shown whole; empty: none. */
  readonly reference: string;
  readonly edgesByDigits: EdgesByDigits;
  /** In the document's order; the first that holds is taken. */
  readonly conditions: readonly ConditionalEdge[];
  readonly onSilence: SilenceEdge | null;
  /** How long the greeting waits for the caller to speak first. Null: not at all. Only on `startCall`. */
  readonly startDelayMs: number | null;
  readonly extraction: ExtractionPlan | null;
}

/** Fixed speech; the call goes on along the first edge whose condition holds, else along the one without. */
export interface SayNode {
  readonly type: 'say';
  readonly id: string;
  readonly name: string;
  readonly speech: FixedSpeech;
  readonly allowInterrupt: boolean;
  readonly conditions: readonly ConditionalEdge[];
  readonly next: GraphEdge;
}

/** Keys asked of the caller. */
export interface CollectNode {
  readonly type: 'collectDigits';
  readonly id: string;
  readonly name: string;
  readonly prompt: Template;
  readonly minDigits: number;
  readonly maxDigits: number;
  /** The key that ends the input; empty: none does. */
  readonly terminator: string;
  /** Silence that ends the input, from the prompt's end or the last key. */
  readonly timeoutMs: number;
  readonly retries: number;
  /** Null: the digits only choose the edge. */
  readonly variable: string | null;
  readonly isSensitive: boolean;
  readonly edgesByDigits: EdgesByDigits;
  readonly conditions: readonly ConditionalEdge[];
  readonly onFailure: GraphEdge | null;
  readonly next: GraphEdge | null;
}

/** A transfer, and where the call goes when it fails. */
export interface TransferNode {
  readonly type: 'transferCall';
  readonly id: string;
  readonly name: string;
  readonly destination: Template;
  readonly mode: 'cold' | 'warm';
  readonly timeoutSeconds: number;
  readonly message: Template;
  readonly onFailure: GraphEdge | null;
  /** Keys that leave the transfer. */
  readonly edgesByDigits: EdgesByDigits;
}

/** A node the call can be at. */
export type GraphNode = PromptedNode | SayNode | TransferNode | CollectNode;

/** A document made ready to run: immutable, shared by all calls of a version. */
export interface WorkflowGraph {
  readonly startId: string;
  /** Null-prototype. */
  readonly nodes: Readonly<Record<string, GraphNode>>;
  readonly idle: { readonly checks: readonly string[]; readonly goodbye: string };
  readonly texts: WorkflowTexts;
  /** Recordings that the document names, each once. */
  readonly recordingIds: readonly string[];
  /** Null-prototype: those of them that exist, by id; `attachClips` tells them. */
  readonly clips: Readonly<Record<string, AttachedClip>>;
  /** For a caller who waits for the model; null: nothing is said. */
  readonly filler: Filler | null;
  /** Asked before the call begins; null: nothing is. */
  readonly preCallFetch: PreCallFetch | null;
  /** Variables whose values never leave the call. */
  readonly sensitiveVariables: readonly string[];
}

/** Longest name of a function, characters: the limit of the common model vendors. */
export const MAX_TOOL_NAME_LENGTH = 64;

/** The function name an edge's label gives: lower-cased, every character outside `[a-z0-9]` an underscore. */
export const toolNameOf = (label: string): string => label.toLowerCase().replace(/[^a-z0-9]/gu, '_').slice(0, MAX_TOOL_NAME_LENGTH);
