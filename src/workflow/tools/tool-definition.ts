import { z } from 'zod';
import type { ModelTool } from '../../speech/language-model.js';
import { MAX_TOOL_NAME_LENGTH, toolNameOf } from '../graph.js';
import { issueProblems, type Problem } from '../problems.js';
import type { CallableTool } from './callable-tool.js';
import { storedToolKinds, toolConfigs, type StoredToolKind } from './tool-configs.js';

/** How long a tool may take before its filler is said, where nothing else is set. */
const DEFAULT_FILLER_AFTER_MS = 700;

const fillerSchema = z.strictObject({
  text: z.string().trim().min(1).max(500).meta({ description: 'Said where the tool takes longer.' }),
  after_ms: z.int().min(0).max(10_000).default(DEFAULT_FILLER_AFTER_MS),
});

/** A tool without its credential, as the API takes it. */
export const toolSchema = z.strictObject({
  name: z
    .string()
    .trim()
    .min(1)
    .max(MAX_TOOL_NAME_LENGTH)
    .refine((name) => /[a-z0-9]/i.test(name), 'must hold a letter or digit')
    .meta({ description: 'The function is called the same, in lower case, with an underscore for everything but a-z and 0-9.' }),
  description: z.string().trim().min(1).max(2000).meta({ description: 'Tells the model what the tool does and when to use it.' }),
  kind: z.enum(storedToolKinds),
  config: z.record(z.string(), z.unknown()).default({}),
  filler: fillerSchema.nullable().default(null),
});

/** A stored tool as far as the workflow is concerned. */
export interface ToolDefinition {
  readonly uuid: string;
  readonly name: string;
  readonly description: string;
  readonly kind: string;
  readonly config: unknown;
  readonly filler: unknown;
}

/** A configuration read by the schema of its kind, defaults filled in; or what is wrong with it, below `config`. */
export function readToolConfig(
  kind: StoredToolKind,
  config: unknown,
): { readonly ok: true; readonly config: Readonly<Record<string, unknown>>; readonly parameters: ModelTool['parameters'] } | { readonly ok: false; readonly problems: readonly Problem[] } {
  const { schema, argumentsOf } = toolConfigs[kind];
  const parsed = schema.safeParse(config);
  if (!parsed.success) return { ok: false, problems: issueProblems(parsed.error.issues, { kind: 'workflow', id: 'config' }) };
  return { ok: true, config: parsed.data, parameters: argumentsOf(parsed.data as never) };
}

/** The tool ready to be called; null where what is stored is none that this version knows. */
export function callableOf(definition: ToolDefinition): CallableTool | null {
  const { uuid, name, description, kind, config, filler } = definition;
  const parsed = toolSchema.safeParse({ name, description, kind, config, filler });
  const read = parsed.success ? readToolConfig(parsed.data.kind, parsed.data.config) : null;
  if (!parsed.success || read?.ok !== true) return null;
  const { filler: words } = parsed.data;
  return {
    kind,
    uuid,
    declaration: { name: toolNameOf(name), description, parameters: read.parameters },
    config: read.config,
    filler: words === null ? null : { text: words.text, afterMs: words.after_ms },
  };
}

/** Stored tools by UUID, for the compiler. */
export function knownToolsOf(definitions: readonly ToolDefinition[]): ReadonlyMap<string, CallableTool> {
  return new Map(definitions.flatMap((definition) => {
    const callable = callableOf(definition);
    return callable === null ? [] : [[definition.uuid, callable] as const];
  }));
}
