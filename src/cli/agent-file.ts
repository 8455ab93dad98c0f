import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { CliError } from './cli-error.js';
import { exitCodes } from './exit-codes.js';

/** An agent as a file under version control: what `agents pull` writes and `agents push` sends. */
const agentFileShape = z.strictObject({
  /** Absent in a file that has not been pushed yet. */
  uuid: z.uuid().optional(),
  name: z.string().min(1),
  workflow_definition: z.unknown().optional(),
  settings: z.unknown().optional(),
  template_context_variables: z.record(z.string(), z.unknown()).optional(),
});

/** The content of an agent file. */
export type AgentFile = z.output<typeof agentFileShape>;

/** What of an agent file is versioned at the server. */
export type AgentFileContent = Pick<AgentFile, 'workflow_definition' | 'settings' | 'template_context_variables'>;

/** The versioned part, without absent fields. */
export function contentOf(file: AgentFile): AgentFileContent {
  const { workflow_definition, settings, template_context_variables } = file;
  return {
    ...(workflow_definition === undefined ? {} : { workflow_definition }),
    ...(settings === undefined ? {} : { settings }),
    ...(template_context_variables === undefined ? {} : { template_context_variables }),
  };
}

/**
 * Reads an agent file.
 * @throws CliError `usage` where it cannot be read or is not one
 */
export function readAgentFile(path: string): AgentFile {
  const json = parseJsonFile(path);
  const result = agentFileShape.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.map(String).join('.')}`;
  throw new CliError(exitCodes.usage, `${path} is not an agent file${where}: ${issue?.message ?? 'does not match'}`, {
    cure: 'It holds name, workflow_definition, settings and template_context_variables; see examples/ and "agents pull".',
  });
}

/**
 * Reads what of an agent is versioned: an agent file's content, or a workflow document alone (it has nodes and edges, and no name of an agent).
 * @throws CliError `usage` where it is neither
 */
export function readAgentContent(path: string): AgentFileContent {
  const json = parseJsonFile(path);
  if (typeof json === 'object' && json !== null && 'nodes' in json) return { workflow_definition: json };
  return contentOf(readAgentFile(path));
}

/**
 * Reads a JSON file.
 * @throws CliError `usage` where it cannot be read or is not JSON
 */
export function parseJsonFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError(exitCodes.usage, `cannot read ${path}: ${reason}`, { cause: error });
  }
}

/** Serialises an agent file: sorted keys where the order means nothing, so that equal agents give equal files. */
export function serializeAgentFile(file: AgentFile): string {
  return `${JSON.stringify({ uuid: file.uuid, name: file.name, ...sortKeys(contentOf(file)) }, null, 2)}\n`;
}

function sortKeys(value: object): object {
  return Object.fromEntries(
    Object.entries(value)
      .sort(([left], [right]) => left.localeCompare(right, 'en'))
      .map(([key, item]) => [key, sortValue(item)]),
  );
}

function sortValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortValue);
  return typeof value === 'object' && value !== null ? sortKeys(value) : value;
}
