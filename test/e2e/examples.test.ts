import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { playSuites } from '../../src/cli/evaluation/play-suites.js';
import { readEvaluationFile } from '../../src/cli/evaluation/scenario-file.js';
import { openSuite } from '../../src/cli/evaluation/suite.js';
import { startEvaluationStage, testOutput, type EvaluationStage } from '../support/evaluation-stage.js';

const folder = fileURLToPath(new URL('../../examples/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.eval.yaml'));

let stage: EvaluationStage;
beforeAll(async () => {
  stage = await startEvaluationStage(files.flatMap((name) => readEvaluationFile(join(folder, name)).stubs));
}, 60_000);
afterAll(() => stage.stop());

const signal = new AbortController().signal;
const openExample = (name: string) => openSuite(join(folder, name), { builtin: true }, { env: {}, clock: systemClock, fetch, output: testOutput });

describe.each(files)('the example %s', (name) => {
  it.each(['in writing', 'through audio'] as const)('passes %s', { timeout: 600_000 }, async (mode) => {
    const suite = await openExample(name);
    const runner = mode === 'in writing' ? suite.inWriting() : suite.throughAudio(stage);
    const playable = [{ name, hasStubs: false, scenarios: suite.scenarios, runner }];
    const [done] = await playSuites(playable, { concurrency: mode === 'in writing' ? 1 : 2, timeoutMs: 300_000 }, { clock: systemClock, signal });
    await runner.close();
    expect(done?.results).toHaveLength(suite.scenarios.length);
    const problems = done?.results.flatMap((result) => result.turns.flatMap((turn) => turn.problems.map((problem) => `${result.name} · ${turn.input}: ${problem}`)));
    expect(problems).toEqual([]);
  });
});
