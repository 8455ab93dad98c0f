import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { parse, YAMLParseError } from 'yaml';
import { z } from 'zod';
import { CliError } from '../cli-error.js';
import { exitCodes } from '../exit-codes.js';
import { toolSchema, type ToolDefinition } from '../../workflow/tools/tool-definition.js';
import type { LocalClip } from './local-clips.js';
import type { LocalDocument } from './local-documents.js';

/** Largest evaluation file. */
const MAX_FILE_BYTES = 1024 * 1024;

/** Scenarios of one file, and turns of one scenario. */
const MAX_ENTRIES = 500;

/** Longest answer of a stub, characters. */
const MAX_STUB_TEXT = 100_000;

const text = z.string().trim().min(1).max(2000);

/** Part of what is said, whatever its case, or a regular expression: `/nine to (five|six)/i`. */
const pattern = text.refine((value) => toRegExp(value) !== null, 'is not a valid regular expression');

const oneOrMore = <Schema extends z.ZodType>(schema: Schema) => z.union([schema, z.array(schema).max(50)]).transform((value) => (Array.isArray(value) ? value : [value]));

const expectationSchema = z.strictObject({
  said: oneOrMore(pattern).optional().meta({ description: 'Each must be in what the agent says in answer.' }),
  not_said: oneOrMore(pattern).optional().meta({ description: 'None may be in it.' }),
  node: text.optional().meta({ description: 'Name of the node the conversation is at afterwards.' }),
  visits: oneOrMore(text).optional().meta({ description: 'Names of nodes entered on the way, in order.' }),
  tools: oneOrMore(z.strictObject({ name: text, arguments: z.record(z.string(), z.unknown()).optional() }))
    .optional()
    .meta({ description: 'Functions the model calls, in order; `arguments`: those that must be as given.' }),
  variables: z.record(z.string(), z.unknown()).optional().meta({ description: 'Variables of the run afterwards.' }),
  ends: text.optional().meta({ description: 'The conversation ends here, for this reason; `transfer`: it was handed over.' }),
  within_ms: z.int().min(1).max(600_000).optional().meta({ description: 'The answer is there so soon.' }),
});

/** What is expected of the agent after one turn. */
export type Expectation = z.output<typeof expectationSchema>;

const turnSchema = z
  .strictObject({
    caller: text.optional().meta({ description: 'The caller says this.' }),
    press: z.string().regex(/^[0-9*#A-D]{1,64}$/, 'must be keys of a phone').optional(),
    silence: z.literal(true).optional().meta({ description: 'The caller says nothing for the idle time-out.' }),
    transfer_fails: text.optional().meta({ description: 'Nobody takes the transferred call, for this reason.' }),
    interrupts: z.int().min(0).max(60_000).optional().meta({ description: 'The caller speaks into the answer before, so many ms after it began; in writing, after it.' }),
    expect: expectationSchema.prefault({}),
  })
  .refine(({ caller, press, silence, transfer_fails }) => [caller, press, silence, transfer_fails].filter((input) => input !== undefined).length === 1, {
    error: 'must hold exactly one of caller, press, silence, transfer_fails',
  })
  .refine(({ caller, interrupts }) => interrupts === undefined || caller !== undefined, { path: ['interrupts'], error: 'takes words: caller' });

/** One thing the caller does, and what is expected then. */
export type ScenarioTurn = z.output<typeof turnSchema>;

const variablesSchema = z.record(z.string(), z.unknown());

const scenarioSchema = z.strictObject({
  name: text,
  variables: variablesSchema.prefault({}),
  opening: expectationSchema.prefault({}).meta({ description: 'What is expected before the caller says anything.' }),
  turns: z.array(turnSchema).max(MAX_ENTRIES).default([]),
});

/** One conversation. */
export type Scenario = z.output<typeof scenarioSchema>;

const mcpResultSchema = z
  .strictObject({
    arguments: z.record(z.string(), z.json()).prefault({}).meta({ description: 'Given where these are among the arguments; a text is a part of it, or a regular expression. Default: any.' }),
    text: z.string().max(MAX_STUB_TEXT).optional(),
    json: z.json().optional(),
    error: text.optional().meta({ description: 'The function fails and says this.' }),
    delay_ms: z.int().min(0).max(60_000).default(0),
  })
  .refine((result) => [result.text, result.json, result.error].filter((value) => value !== undefined).length === 1, { error: 'must hold exactly one of text, json, error' })
  .refine((result) => Object.values(result.arguments).every((value) => typeof value !== 'string' || toRegExp(value) !== null), {
    path: ['arguments'],
    error: 'holds what is not a valid regular expression',
  });

const mcpFunctionSchema = z.strictObject({
  name: text,
  description: text,
  input_schema: z.looseObject({ type: z.literal('object') }).prefault({ type: 'object' }).meta({ description: 'JSON Schema of the arguments. Default: none are taken.' }),
  results: z.array(mcpResultSchema).min(1).max(MAX_ENTRIES).meta({ description: 'The first that fits is given; where none does, the function fails.' }),
});

/** A function of an MCP server that the file describes. */
export type McpStubFunction = z.output<typeof mcpFunctionSchema>;

const stubSchema = z
  .strictObject({
    method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']).optional().meta({ description: 'Default: any.' }),
    url: pattern.meta({ description: 'Part of the address, or a regular expression.' }),
    status: z.int().min(200).max(599).optional().meta({ description: 'Default: 200.' }),
    json: z.json().optional(),
    text: z.string().max(MAX_STUB_TEXT).optional(),
    mcp: z.array(mcpFunctionSchema).min(1).max(MAX_ENTRIES).optional().meta({ description: 'An MCP server with these functions answers.' }),
  })
  .refine(({ json, text: body }) => json === undefined || body === undefined, { error: 'must not hold both json and text' })
  .refine(({ mcp, url: _, ...others }) => mcp === undefined || Object.values(others).every((value) => value === undefined), { error: 'must hold nothing but url beside mcp' });

/** An answer that stands for that of a tool's server. */
export type Stub = z.output<typeof stubSchema>;

const fileSchema = z.strictObject({
  agent: text.meta({ description: 'Agent file or workflow document, beside this file.' }),
  documents: z
    .record(z.guid(), z.strictObject({ file: text, mode: z.enum(['retrieval', 'full']).default('retrieval') }))
    .prefault({})
    .meta({ description: 'Files, beside this one, for the documents that the agent names by UUID.' }),
  clips: z
    .record(z.guid(), z.strictObject({ file: text, transcript: z.string().trim().max(1500).default('') }))
    .prefault({})
    .meta({ description: 'WAV recordings, beside this file, for the audio clips that the agent names by UUID.' }),
  tools: z.record(z.guid(), toolSchema).prefault({}).meta({ description: 'Tools that the agent names by UUID, without credentials.' }),
  stubs: z.array(stubSchema).max(MAX_ENTRIES).prefault([]),
  variables: variablesSchema.prefault({}),
  scenarios: z.array(scenarioSchema).min(1).max(MAX_ENTRIES),
});

/** An evaluation file: conversations with one agent. */
export interface EvaluationFile {
  readonly path: string;
  /** The path's last part. */
  readonly name: string;
  /** Absolute path of the agent. */
  readonly agentPath: string;
  readonly documents: readonly LocalDocument[];
  readonly clips: readonly LocalClip[];
  readonly tools: readonly ToolDefinition[];
  /** The first that fits answers. */
  readonly stubs: readonly Stub[];
  readonly variables: Readonly<Record<string, unknown>>;
  readonly scenarios: readonly Scenario[];
}

/** The regular expression a pattern stands for; null where it is none that can be compiled. */
export function toRegExp(value: string): RegExp | null {
  const written = /^\/(.+)\/([a-z]*)$/s.exec(value);
  try {
    if (written !== null) return new RegExp(written[1] ?? '', written[2]);
    return new RegExp(value.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'i');
  } catch {
    return null;
  }
}

const unusable = (path: string, problem: string) =>
  new CliError(exitCodes.usage, `${path} is not an evaluation file: ${problem}`, { cure: 'docs/evaluations.md describes the format.' });

/**
 * Reads an evaluation file (YAML or JSON).
 * @throws CliError `usage`, naming every problem with its place
 */
export function readEvaluationFile(path: string): EvaluationFile {
  const content = readText(path);
  const parsed = fileSchema.safeParse(parseYaml(path, content));
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.length === 0 ? 'the file' : issue.path.map(String).join('.')}: ${issue.message}`);
    throw unusable(path, problems.slice(0, 20).join('; '));
  }
  const { agent, variables, scenarios } = parsed.data;
  const beside = (file: string) => resolve(dirname(path), file);
  const documents = Object.entries(parsed.data.documents).map(([uuid, { file, mode }]) => ({ uuid, path: beside(file), mode }));
  const clips = Object.entries(parsed.data.clips).map(([uuid, { file, transcript }]) => ({ uuid, path: beside(file), transcript }));
  const tools = Object.entries(parsed.data.tools).map(([uuid, tool]) => ({ uuid, ...tool }));
  return { path, name: basename(path), agentPath: beside(agent), documents, clips, tools, stubs: parsed.data.stubs, variables, scenarios };
}

function readText(path: string): string {
  try {
    const bytes = readFileSync(path);
    if (bytes.length <= MAX_FILE_BYTES) return bytes.toString('utf8');
  } catch (error) {
    throw new CliError(exitCodes.usage, `cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  throw unusable(path, 'it is larger than 1 MiB');
}

function parseYaml(path: string, content: string): unknown {
  try {
    // Aliases could make a small file a huge one.
    return parse(content, { maxAliasCount: 0 });
  } catch (error) {
    const line = error instanceof YAMLParseError ? error.linePos?.[0].line : undefined;
    throw unusable(path, `${line === undefined ? '' : `line ${line}: `}${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`);
  }
}
