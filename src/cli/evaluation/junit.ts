import { hasPassed, type ScenarioResult } from './scenario-runner.js';

/** Characters that XML 1.0 §2.2 does not allow. */
const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

const xml = (text: string) => text.replaceAll(forbidden, '\ufffd').replaceAll(/[&<>"']/g, (character) => escapes[character] ?? character);

const seconds = (ms: number) => (ms / 1000).toFixed(3);

/** The results as a JUnit report, which CI systems read: a suite per file, a case per scenario. */
export function junitReport(suites: readonly { readonly name: string; readonly results: readonly ScenarioResult[] }[]): string {
  const body = suites.map(({ name, results }) => {
    const failures = results.filter((result) => !hasPassed(result)).length;
    const durationMs = results.reduce((sum, result) => sum + result.durationMs, 0);
    const cases = results.map((result) => testCase(name, result)).join('');
    return `  <testsuite name="${xml(name)}" tests="${results.length}" failures="${failures}" time="${seconds(durationMs)}">\n${cases}  </testsuite>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n${body.join('')}</testsuites>\n`;
}

function testCase(suite: string, result: ScenarioResult): string {
  const head = `    <testcase classname="${xml(suite)}" name="${xml(result.name)}" time="${seconds(result.durationMs)}"`;
  if (hasPassed(result)) return `${head}/>\n`;
  const problems = result.turns.flatMap(({ input, problems: found }) => found.map((problem) => `${input === '' ? 'opening' : input}: ${problem}`));
  return `${head}>\n      <failure message="${xml(problems[0] ?? '')}">${xml(problems.join('\n'))}</failure>\n    </testcase>\n`;
}
