import { createInterface } from 'node:readline';
import { InvalidArgumentError } from 'commander';
import { talk } from '../chat-talk.js';
import type { CliContext, RegisterCommand } from '../command.js';
import { connect, withServerOption, type ConnectionOptions } from '../connection.js';

const help = `
Examples:
  $ agent-stream chat 0198a7c2-…                 talk with the published version
  $ agent-stream chat 0198a7c2-… --agent-version draft --dry-tools
  $ printf 'What are your hours?\\n/press 1\\n' | agent-stream chat 0198a7c2-…

Lines are said to the agent; /press 12, /silence, /fail REASON, /undo and /quit are not. The chat is deleted at its end (docs/chats.md).
`;

interface ChatOptions extends ConnectionOptions {
  readonly agentVersion?: 'draft' | 'published' | number;
  readonly variable: Readonly<Record<string, string>>;
  readonly dryTools?: boolean;
}

function parseVersion(text: string): ChatOptions['agentVersion'] {
  if (text === 'draft' || text === 'published') return text;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('It must be draft, published or the number of a version.');
  return number;
}

function addVariable(text: string, former: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('It must be NAME=VALUE.');
  return { ...former, [name]: value };
}

/** Registers `chat`. */
export const register: RegisterCommand = (command, context) => {
  withServerOption(command)
    .argument('<agent>', 'UUID of the agent')
    .option('--agent-version <version>', 'draft, published or a number (default: published, else the draft)', parseVersion)
    .option('--variable <name=value>', 'a variable of the conversation; may be given again', addVariable, {})
    .option('--dry-tools', 'no tool asks a server')
    .addHelpText('after', help)
    .action((agentUuid: string, options: ChatOptions) => chat(agentUuid, options, context));
};

async function chat(agentUuid: string, options: ChatOptions, context: CliContext): Promise<void> {
  const { agentVersion: version, variable: variables, dryTools: isDry = false } = options;
  const body = { ...(version === undefined ? {} : { version }), variables, dry_tools: isDry };
  const lines = createInterface({ input: process.stdin, ...(process.stdin.isTTY ? { output: process.stderr } : {}), signal: context.signal });
  try {
    await talk(lines, { agentUuid, body }, { client: connect(options, context), output: context.output });
  } finally {
    lines.close();
  }
}
