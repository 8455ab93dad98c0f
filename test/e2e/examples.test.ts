import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { playSuites, type PlayableSuite, type SuiteResult } from '../../src/cli/evaluation/play-suites.js';
import type { ScenarioRunner } from '../../src/cli/evaluation/scenario-runner.js';
import { openSuite, type Suite } from '../../src/cli/evaluation/suite.js';
import { startEvaluationStage, testOutput, type EvaluationStage } from '../support/evaluation-stage.js';

/** Calls at once. One takes less than a tenth of a core: it mostly waits for somebody to finish speaking. */
const LINES = 12;

const folder = fileURLToPath(new URL('../../examples/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.eval.yaml'));

const openExample = (name: string) => openSuite(join(folder, name), { builtin: true }, { env: {}, clock: systemClock, fetch, output: testOutput });

async function play(suites: readonly Suite[], concurrency: number, runnerOf: (suite: Suite) => ScenarioRunner): Promise<readonly SuiteResult[]> {
  const playable = suites.map((suite): PlayableSuite => ({ name: suite.file.name, hasStubs: false, scenarios: suite.scenarios, runner: runnerOf(suite) }));
  try {
    return await playSuites(playable, { concurrency, timeoutMs: 300_000 }, { clock: systemClock, signal: new AbortController().signal });
  } finally {
    for (const { runner } of playable) await runner.close();
  }
}

/** Every scenario was played, and nothing was unexpected. */
function expectPassed(suite: Suite | undefined, result: SuiteResult | undefined): void {
  const names = suite?.scenarios.map(({ name }) => name) ?? [];
  expect(names).not.toEqual([]);
  expect(result?.results.map(({ name }) => name)).toEqual(names);
  const problems = result?.results.flatMap(({ name, turns }) => turns.flatMap(({ input, problems: found }) => found.map((problem) => `${name} · ${input}: ${problem}`)));
  expect(problems).toEqual([]);
}

it('are ten', () => {
  expect(files).toHaveLength(10);
});

it.each(files)('the example %s passes in writing', async (name) => {
  const suite = await openExample(name);
  const [result] = await play([suite], 1, ({ inWriting }) => inWriting());
  expectPassed(suite, result);
});

describe('through audio', () => {
  let stage: EvaluationStage;
  let suites: readonly Suite[] = [];
  let results: readonly SuiteResult[] = [];
  beforeAll(async () => {
    // The longest first: whoever waits for a line in the end does not wait for long.
    const turnsOf = ({ scenarios }: Suite) => scenarios.reduce((sum, { turns }) => sum + turns.length, 0);
    suites = (await Promise.all(files.map(openExample))).toSorted((a, b) => turnsOf(b) - turnsOf(a));
    stage = await startEvaluationStage(suites.flatMap(({ file }) => file.stubs), LINES);
    results = await play(suites, LINES, ({ throughAudio }) => throughAudio(stage));
  }, 600_000);
  afterAll(() => stage.stop());

  it.each(files)('the example %s passes', (name) => {
    expectPassed(
      suites.find(({ file }) => file.name === name),
      results.find((result) => result.name === name),
    );
  });
});
