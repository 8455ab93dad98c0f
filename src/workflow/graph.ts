import type { ModelTool } from '../speech/language-model.js';
import type { WorkflowTexts } from './settings.js';
import type { Template } from './template.js';

/** A way out of a node, ready to be taken. */
export interface GraphEdge {
  readonly id: string;
  readonly targetId: string;
  readonly label: string;
  /** Said on the way where the model said nothing itself; null where nothing is. */
  readonly transitionSpeech: Template | null;
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
  readonly greeting: Template | null;
  /** Functions the model may call here, one per edge. */
  readonly tools: readonly ModelTool[];
  readonly edgesByTool: Readonly<Record<string, GraphEdge>>;
  readonly edgesByDigit: Readonly<Record<string, GraphEdge>>;
}

/** Fixed words; the call goes on along the one edge out. */
export interface SayNode {
  readonly type: 'say';
  readonly id: string;
  readonly name: string;
  readonly text: Template;
  readonly allowInterrupt: boolean;
  readonly next: GraphEdge;
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
}

/** A node the call can be at. */
export type GraphNode = PromptedNode | SayNode | TransferNode;

/** A document made ready to run: immutable, shared by all calls of a version. */
export interface WorkflowGraph {
  readonly startId: string;
  /** Null-prototype. */
  readonly nodes: Readonly<Record<string, GraphNode>>;
  readonly idle: { readonly checks: readonly string[]; readonly goodbye: string };
  readonly texts: WorkflowTexts;
}

/** Longest name of a function, characters: the limit of the common model vendors. */
const MAX_TOOL_NAME_LENGTH = 64;

/** The function name an edge's label gives: lower-cased, every character outside `[a-z0-9]` an underscore. */
export const toolNameOf = (label: string): string => label.toLowerCase().replace(/[^a-z0-9]/gu, '_').slice(0, MAX_TOOL_NAME_LENGTH);
