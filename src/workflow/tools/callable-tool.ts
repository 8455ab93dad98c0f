import type { ModelTool } from '../../speech/language-model.js';

/** Words for a caller who waits: for a tool, or for the model. */
export interface Filler {
  readonly text: string;
  /** How long the caller may wait before they are said. */
  readonly afterMs: number;
}

/** The kind of a tool that is a server with functions of its own. */
export const SERVER_KIND = 'mcp';

/** A tool as a graph holds it: what the model is told of it, and what it takes to run. Plain data, without secrets. */
export interface CallableTool {
  /** Which runner it has (call/tools/registry.ts). */
  readonly kind: string;
  /** The stored tool; null: one that nodes have by themselves. */
  readonly uuid: string | null;
  /** Its name is the function's. */
  readonly declaration: ModelTool;
  /** In the shape of its kind. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly filler: Filler | null;
}
