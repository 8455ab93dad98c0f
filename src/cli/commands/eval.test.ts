import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { exitCodes } from '../exit-codes.js';
import { runCli } from '../main.js';
import { createOutput } from '../output.js';

const examples = new URL('../../../examples/', import.meta.url).pathname;

async function evaluate(...argv: string[]) {
  const written = { stdout: '', stderr: '' };
  const sink = (name: keyof typeof written) => ({ write: (text: string) => (written[name] += text) });
  const output = createOutput({ stdout: sink('stdout'), stderr: sink('stderr'), hasColor: false });
  const context = { env: {}, output, clock: systemClock, fetch, signal: new AbortController().signal };
  return { exitCode: await runCli(['eval', ...argv], context), ...written };
}

/** Files of one evaluation in a folder of their own; returns the evaluation's path. */
function fileOf(evaluation: string, agent: unknown = JSON.parse(readFileSync(join(examples, 'reception.json'), 'utf8'))): string {
  const folder = mkdtempSync(join(tmpdir(), 'agent-stream-eval-'));
  writeFileSync(join(folder, 'agent.json'), JSON.stringify(agent));
  writeFileSync(join(folder, 'agent.eval.yaml'), evaluation);
  return join(folder, 'agent.eval.yaml');
}

describe('eval', () => {
  it('answers from documents, by the example', async () => {
    const { exitCode, stdout, stderr } = await evaluate(join(examples, 'support.eval.yaml'), '--builtin');
    expect([exitCode, stderr]).toEqual([exitCodes.ok, '']);
    expect(stdout).toMatch(/answers from the handbook +5 .* passed/);
  });

  it.each(['voicemail-drop', 'transfer-desk', 'survey', 'bilingual'])('passes the example %s', async (name) => {
    const { exitCode, stdout, stderr } = await evaluate(join(examples, `${name}.eval.yaml`), '--builtin');
    expect([exitCode, stderr, stdout]).toEqual([exitCodes.ok, '', expect.not.stringContaining('not passed') as unknown]);
  });

  it('says which document cannot be read', async () => {
    const path = fileOf('agent: agent.json\ndocuments:\n  0198a7c2-5f3e-7c41-9d0a-3b6e5d1c2f40: { file: gone.md }\nscenarios: [{ name: a }]');
    const { exitCode, stderr } = await evaluate(path, '--builtin');
    expect(exitCode).toBe(exitCodes.usage);
    expect(stderr).toMatch(/cannot read .*gone\.md/);
  });

  it('plays the example and says that its model is simulated', async () => {
    const { exitCode, stdout } = await evaluate(join(examples, 'reception.eval.yaml'), '--builtin');
    expect(stdout).toContain('builtin/rules (simulated)');
    expect(stdout).not.toContain('failed');
    expect(exitCode).toBe(exitCodes.ok);
  });

  it('tells what was not as expected, in a report for machines too', async () => {
    const path = fileOf('agent: agent.json\nscenarios:\n  - name: hours & more\n    turns:\n      - caller: What are your opening hours?\n        expect: { said: midnight }\n');
    const report = join(path, '..', 'junit.xml');
    const { exitCode, stdout, stderr } = await evaluate(path, '--builtin', '--junit', report);
    expect(exitCode).toBe(exitCodes.failure);
    expect(stdout).toContain('expected to hear “midnight”, heard “We are open from nine to five');
    expect(stderr).toContain('1 scenario did not pass');
    const xml = readFileSync(report, 'utf8');
    expect(xml).toContain('tests="1" failures="1"');
    expect(xml).toContain('name="hours &amp; more"');
  });

  it('counts what comes after the end as a failure', async () => {
    const path = fileOf('agent: agent.json\nscenarios:\n  - name: too long\n    turns:\n      - caller: Goodbye.\n      - caller: One more thing.\n');
    const { exitCode, stdout } = await evaluate(path, '--builtin');
    expect(exitCode).toBe(exitCodes.failure);
    expect(stdout).toContain('the conversation had ended before (agent_hangup)');
  });

  const unusable: [string, string, string][] = [
    ['text that is no YAML', 'agent: [', 'line 1'],
    ['unknown fields and two inputs in one turn, all at once', 'agent: agent.json\nscenarios:\n  - name: a\n    turn: 1\n    turns: [{ caller: hi, press: "1" }]\n', 'scenarios.0.turns.0: must hold exactly one'],
    ['a broken regular expression', 'agent: agent.json\nscenarios: [{ name: a, opening: { said: "/(/" } }]\n', 'is not a valid regular expression'],
    ['an agent that is not there', 'agent: nobody.json\nscenarios: [{ name: a }]\n', 'cannot read'],
    ['aliases that would grow without bound', 'agent: agent.json\nx: &x [1]\ny: [*x, *x]\nscenarios: [{ name: a }]\n', 'Alias'],
  ];
  it.each(unusable)('refuses %s before it plays anything', async (_title, evaluation, problem) => {
    const { exitCode, stdout, stderr } = await evaluate(fileOf(evaluation), '--builtin');
    expect(exitCode).toBe(exitCodes.usage);
    expect(stderr).toContain(problem);
    expect(stdout).toBe('');
  });

  it('refuses an agent that cannot run, with its problems', async () => {
    const path = fileOf('agent: agent.json\nscenarios: [{ name: a }]\n', { name: 'Broken', workflow_definition: { nodes: [], edges: [] } });
    const { exitCode, stderr } = await evaluate(path, '--builtin');
    expect(exitCode).toBe(exitCodes.usage);
    expect(stderr).toContain('cannot run');
  });

  it('plays the scenarios that are asked for', async () => {
    const path = join(examples, 'reception.eval.yaml');
    expect((await evaluate(path, '--builtin', '--only', 'HOURS')).stdout).not.toContain('airplanes');
    const none = await evaluate(path, '--builtin', '--only', 'no such scenario');
    expect(none.exitCode).toBe(exitCodes.usage);
  });
});
