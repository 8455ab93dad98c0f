import { AgentStreamError } from '../../base/errors.js';
import { parseConfig, type Config } from '../../config.js';
import { CliError } from '../cli-error.js';
import type { CliContext, RegisterCommand } from '../command.js';
import { apiKeyFor, serverUrlOf, withServerOption, type ConnectionOptions } from '../connection.js';
import { databaseCheck } from '../doctor/database-check.js';
import { errorText } from '../doctor/error-text.js';
import { ok, problem, type Check, type DoctorContext, type Finding } from '../doctor/finding.js';
import { createClockCheck, dataDirectoryCheck, espeakCheck, nodeCheck, portCheck } from '../doctor/machine-checks.js';
import { providerApiUrl, publicUrlCheck, telephonyCheck } from '../doctor/server-checks.js';
import { vendorCheck } from '../doctor/vendor-check.js';
import { voiceActivityCheck } from '../doctor/voice-activity-check.js';
import { exitCodes } from '../exit-codes.js';
import { printable } from '../output.js';

const help = `
Examples:
  $ agent-stream doctor
  $ agent-stream doctor --json | jq '.[] | select(.status == "problem")'

It reads the same environment as "serve". Secrets are never printed. Exit 6 where there is a problem.
`;

/** Registers `doctor`. */
export const register: RegisterCommand = (command, context) => {
  withServerOption(command)
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', help)
    .action(async (options: ConnectionOptions & { json?: boolean }) => {
      const problems = await examine(options, context);
      if (problems > 0) throw new CliError(exitCodes.problemsFound, problems === 1 ? '1 problem found' : `${problems} problems found`);
    });
};

async function examine(options: ConnectionOptions & { json?: boolean }, context: CliContext): Promise<number> {
  const { config, check: configurationCheck } = checkConfiguration(context.env);
  const serverUrl = serverUrlOf(options, context.env);
  const doctor: DoctorContext = { ...context, config, serverUrl, apiKey: apiKeyFor(serverUrl, context.env) };
  const checks: readonly Check[] = [
    nodeCheck,
    configurationCheck,
    dataDirectoryCheck,
    databaseCheck,
    portCheck,
    espeakCheck,
    voiceActivityCheck,
    vendorCheck,
    telephonyCheck,
    publicUrlCheck,
    createClockCheck(providerApiUrl),
  ];
  const results: { readonly title: string; readonly finding: Finding }[] = [];
  for (const [index, check] of checks.entries()) {
    const findings = await runCheck(check, doctor);
    for (const [row, finding] of findings.entries()) {
      results.push({ title: check.title, finding });
      const head = row === 0 ? { number: `${index + 1}.`, title: check.title } : { number: '', title: '' };
      if (options.json !== true) printFinding(head, finding, context);
    }
  }
  if (options.json === true) context.output.json(results.map(({ title, finding }) => ({ title, ...finding })));
  return results.filter(({ finding }) => finding.status === 'problem').length;
}

/** A check that fails in a way it did not expect is a problem of its own, and does not hide the others. */
async function runCheck(check: Check, context: DoctorContext): Promise<readonly Finding[]> {
  try {
    return await check.run(context);
  } catch (error) {
    if (context.signal.aborted) throw error;
    return [problem(`the check failed: ${errorText(error)}`, 'Report it with the output of this command.')];
  }
}

function checkConfiguration(env: CliContext['env']): { config: Config | null; check: Check } {
  const title = 'Configuration';
  try {
    const config = parseConfig(env);
    return { config, check: { title, run: async () => [ok('valid')] } };
  } catch (error) {
    if (!(error instanceof AgentStreamError)) throw error;
    const finding = problem(error.message, 'Correct it, then run doctor again.');
    return { config: null, check: { title, run: async () => [finding] } };
  }
}

function printFinding({ number, title }: { number: string; title: string }, finding: Finding, { output }: CliContext): void {
  const { colors } = output;
  const marks = { ok: colors.green('✓'), note: colors.yellow('!'), problem: colors.red('✗'), skipped: colors.dim('–') };
  output.line(`${number.padStart(3)} ${marks[finding.status]} ${title.padEnd(16)} ${printable(finding.text)}`);
  if (finding.cure !== undefined) output.line(`${' '.repeat(6)}→ ${finding.cure}`);
}
