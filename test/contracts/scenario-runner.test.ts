import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeWav } from '../../src/audio/wav.js';
import { systemClock } from '../../src/base/clock.js';
import { hasPassed, type ScenarioResult } from '../../src/cli/evaluation/scenario-runner.js';
import { readEvaluationFile } from '../../src/cli/evaluation/scenario-file.js';
import { openSuite } from '../../src/cli/evaluation/suite.js';
import { startEvaluationStage, testOutput, type EvaluationStage } from '../support/evaluation-stage.js';
import { edge, node } from '../support/workflow-call.js';

const toolUuid = '0198a7c2-5f3e-7c41-9d0a-3b6e5d1c2f41';
const clipUuid = '0198a7c2-5f3e-7c41-9d0a-3b6e5d1c2f42';

/** Brisk, so that calls are short. */
const models = { stt: { vendor: 'builtin' }, llm: { vendor: 'builtin' }, tts: { vendor: 'builtin', words_per_minute: 220 } };

const agent = {
  name: 'Desk',
  settings: { models, max_user_idle_timeout: 3, recording: { enabled: false } },
  workflow_definition: {
    nodes: [
      node('start', 'startCall', {
        greeting: 'Hello, {{shop}}.',
        prompt: 'If the caller asks for opening hours, say "We are open from nine to five."',
        tool_uuids: [toolUuid],
      }),
      node('transfer', 'transferCall', { destination: '+12125550123', message: 'One moment.' }),
      node('address', 'say', { recording_id: clipUuid }),
      node('end', 'endCall', { prompt: 'Say "Goodbye then."' }),
    ],
    edges: [
      edge('start', 'transfer', { when: { digits: '1' } }),
      edge('start', 'address', { when: { digits: '2' } }),
      edge('address', 'end'),
      edge('start', 'end', { label: 'End the call', condition: 'The caller says goodbye.' }),
    ],
  },
};

const evaluation = `
agent: agent.json
variables: { shop: Spokes }
clips:
  ${clipUuid}: { file: address.wav, transcript: You find us at twelve Main Street. }
tools:
  ${toolUuid}:
    name: Count bicycles
    description: Tells how many bicycles there are in the shop. Use it for questions about stock.
    kind: http_api
    config: { url: "https://stock.example.com/bicycles" }
stubs:
  - { method: GET, url: stock.example.com/bicycles, text: There are seven bicycles. }
scenarios:
  - name: asks and says goodbye
    opening: { said: "Hello, Spokes", node: start, within_ms: 10000 }
    turns:
      - caller: What are your opening hours?
        expect: { said: nine to five, not_said: Hello, tools: [], variables: { shop: Spokes } }
      - caller: Goodbye.
        expect: { said: Goodbye then, visits: end, node: end, ends: agent_hangup }
  - name: has variables of its own
    variables: { shop: Gears }
    opening: { said: "Hello, Gears" }
  - name: says nothing
    turns:
      - silence: true
        expect: { said: still there }
      - silence: true
        expect: { ends: idle_timeout }
  - name: is not connected
    turns:
      - press: "1"
        expect: { said: One moment, node: transfer, ends: transfer }
      - transfer_fails: busy
        expect: { said: How can I help you, node: start }
  - name: has a tool answered by a stub
    turns:
      - caller: How many bicycles are there in the shop?
        expect: { tools: { name: count_bicycles, arguments: {} }, said: seven bicycles }
  - name: hears a recording
    turns:
      - press: "2"
        expect: { said: twelve Main Street, visits: [address, end], ends: agent_hangup }
  - name: speaks into the answer
    turns:
      - caller: What are your opening hours?
        expect: { said: We are }
      - caller: Goodbye.
        interrupts: 900
        expect: { said: Goodbye then, ends: agent_hangup }
  - name: expects what is not so
    turns:
      - caller: What are your opening hours?
        expect: { said: midnight, node: end, ends: agent_hangup, variables: { shop: Gears } }
  - name: goes on after the end
    turns:
      - caller: Goodbye.
        expect: { ends: agent_hangup }
      - caller: One more thing.
`;

const passing = ['asks and says goodbye', 'has variables of its own', 'says nothing', 'is not connected', 'has a tool answered by a stub', 'hears a recording', 'speaks into the answer'];

let folder: string;
let stage: EvaluationStage;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'agent-stream-runner-'));
  await writeFile(join(folder, 'agent.json'), JSON.stringify(agent));
  await writeFile(join(folder, 'desk.eval.yaml'), evaluation);
  await writeFile(join(folder, 'address.wav'), encodeWav({ sampleRateHz: 16000, channels: [Int16Array.from({ length: 16000 }, (_, at) => 5000 * Math.sin(at / 5))] }));
  stage = await startEvaluationStage(readEvaluationFile(join(folder, 'desk.eval.yaml')).stubs);
}, 60_000);
afterAll(async () => {
  await stage.stop();
  await rm(folder, { recursive: true, force: true });
});

describe.each(['in writing', 'through audio'] as const)('scenarios %s', (mode) => {
  const problemsOf = ({ turns }: ScenarioResult) => turns.map(({ problems }) => problems.length);

  it('come to the same verdicts', { timeout: 240_000 }, async () => {
    const suite = await openSuite(join(folder, 'desk.eval.yaml'), {}, { env: {}, clock: systemClock, fetch, output: testOutput });
    const runner = mode === 'in writing' ? suite.inWriting() : suite.throughAudio(stage);
    const results: ScenarioResult[] = [];
    try {
      for (const scenario of suite.scenarios) results.push(await runner.run(scenario, new AbortController().signal));
    } finally {
      await runner.close();
    }
    const byName = (name: string) => results.find((result) => result.name === name);
    for (const name of passing) expect(byName(name)?.turns.flatMap(({ problems }) => problems), name).toEqual([]);
    expect(results.filter(hasPassed).map(({ name }) => name)).toEqual(passing);
    expect(problemsOf(byName('expects what is not so') as ScenarioResult)).toEqual([0, 4]);
    expect(byName('goes on after the end')?.turns.at(-1)?.problems).toEqual(['the conversation had ended before (agent_hangup)']);
    for (const model of Object.values(runner.models())) expect(model.isSimulated).toBe(true);
  });

  it('end when they are given up', { timeout: 30_000 }, async () => {
    const suite = await openSuite(join(folder, 'desk.eval.yaml'), { only: 'asks and' }, { env: {}, clock: systemClock, fetch, output: testOutput });
    const runner = mode === 'in writing' ? suite.inWriting() : suite.throughAudio(stage);
    const giving = new AbortController();
    const [scenario] = suite.scenarios;
    if (scenario === undefined) throw new Error('no scenario');
    if (mode === 'in writing') giving.abort(new Error('given up'));
    else setTimeout(() => giving.abort(new Error('given up')), 2500);
    await expect(runner.run(scenario, giving.signal)).rejects.toThrow('given up');
    await runner.close();
  });
});
