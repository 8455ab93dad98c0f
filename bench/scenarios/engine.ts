import { compileWorkflow } from '../../src/workflow/compile.js';
import type { WorkflowEvent, WorkflowState } from '../../src/workflow/engine.js';
import type { WorkflowGraph } from '../../src/workflow/graph.js';
import { startWorkflow, step } from '../../src/workflow/step.js';
import { printTable, shorten } from '../report.js';
import { createSamples, type Samples, type Summary } from '../samples.js';
import { sharedNowMs } from '../shared-clock.js';
import type { Scenario } from './scenario.js';

const STEP_NODES = 200;
const DOCUMENT_NODES = 1000;
const TURNS = 5000;
const WARM_UP_TURNS = 500;
const COMPILES = 20;
/** A call of this many turns, then the next: a conversation grows no longer than calls do. */
const TURNS_PER_CALL = 60;

/** Prompted nodes, each with edges by the model, by keys, by a condition and by silence; every tenth collects keys instead. */
function documentOf(nodeCount: number) {
  const words = 'word '.repeat(200);
  const position = { x: 0, y: 0 };
  const isCollecting = (index: number) => index % 10 === 9;
  const nodes = Array.from({ length: nodeCount }, (_, index) => {
    if (isCollecting(index)) return { id: `n${index}`, type: 'collectDigits', position, data: { name: `n${index}`, prompt: 'Your number, {{name}}?', max_digits: 4, variable: 'pin' } };
    const data = { name: `n${index}`, prompt: `{{name}} at {{current_time_Europe/London}}: ${words}` };
    return index === 0
      ? { id: 'n0', type: 'startCall', position, data: { ...data, greeting: 'Hello {{name}}.' } }
      : { id: `n${index}`, type: 'agentNode', position, data };
  });
  const target = (from: number, hop: number) => `n${1 + ((from + hop) % (nodeCount - 1))}`;
  const edges = nodes.flatMap(({ id }, from) => {
    if (isCollecting(from)) return [{ id: `${id}-on`, source: id, target: target(from, 1), data: { label: 'on' } }];
    const chosen = [1, 2, 3].map((hop) => ({ id: `${id}-${hop}`, source: id, target: target(from, hop), data: { label: `go ${hop}`, condition: 'Always.' } }));
    const whens = [{ digits: '1' }, { digits: '12' }, { expression: 'last_digit == "9" and not (name == "Ada" or exists pin)' }, { timeout_seconds: 30 }];
    // Conditions lead on only: no loop of theirs is silent.
    const onward = from + 1 < nodeCount ? whens : whens.slice(0, 2);
    return [...chosen, ...onward.map((when, way) => ({ id: `${id}-when${way}`, source: id, target: from + 1 < nodeCount ? `n${from + 1}` : 'n1', data: { label: `when ${way}`, when } }))];
  });
  return { nodes, edges };
}

function compiled(document: unknown): WorkflowGraph {
  const result = compileWorkflow(document, { forPublish: true, knownVariables: ['name'] });
  if (!result.ok) throw new Error(result.problems.map(({ id, field, message }) => `${id} ${field}: ${message}`).join('; '));
  return result.graph;
}

const turnEvents = (turnId: number): readonly WorkflowEvent[] => [
  { type: 'caller-turn', text: 'Some words of the caller.', turnId },
  { type: 'model-finished', text: turnId % 2 === 0 ? 'Fine.' : '', toolCalls: [{ id: '1', name: `go_${1 + (turnId % 3)}`, argumentsJson: '{}' }] },
  { type: 'model-finished', text: 'Here you are.', toolCalls: [] },
  { type: 'reply-heard', heardText: 'Some words that were heard.', isInterrupted: turnId % 5 === 0 },
  { type: 'dtmf-received', digit: String(turnId % 10) },
  { type: 'timer-fired' },
  { type: 'model-finished', text: 'And so on.', toolCalls: [] },
  { type: 'reply-heard', heardText: 'And so on.', isInterrupted: false },
];

/** The same small work every time: what the machine makes of it is its noise. */
const controlText = JSON.stringify({ words: Array.from({ length: 100 }, (_, index) => ({ index, word: 'word' })) });
let controlLength = 0;
const doControlWork = () => void (controlLength += JSON.stringify(JSON.parse(controlText)).length);

function time(samples: Samples | null, work: () => void): void {
  const startMs = sharedNowMs();
  work();
  samples?.add(sharedNowMs() - startMs);
}

interface EngineResult {
  readonly steps: Summary;
  readonly control: Summary;
  readonly nodesEntered: number;
  readonly publish: Summary;
  readonly publishEdges: number;
}

function measureSteps(graph: WorkflowGraph): Pick<EngineResult, 'steps' | 'control' | 'nodesEntered'> {
  const [steps, control] = [createSamples(), createSamples()];
  const begin = () => startWorkflow(graph, { name: 'Ada' });
  let state: WorkflowState = begin();
  let nodesEntered = 0;
  for (let turnId = 0; turnId < WARM_UP_TURNS + TURNS; turnId += 1) {
    const isMeasured = turnId >= WARM_UP_TURNS;
    const events = turnId % TURNS_PER_CALL === 0 ? [{ type: 'call-started' } as const, ...turnEvents(turnId)] : turnEvents(turnId);
    if (turnId % TURNS_PER_CALL === 0) state = begin();
    for (const event of events) {
      time(isMeasured ? steps : null, () => {
        const result = step(graph, state, event, { wallMs: 1_767_258_300_000 });
        state = result.state;
        for (const action of result.actions) if (action.type === 'node-entered') nodesEntered += 1;
      });
      time(isMeasured ? control : null, doControlWork);
    }
  }
  return { steps: steps.summarise(), control: control.summarise(), nodesEntered };
}

function measurePublish(): Pick<EngineResult, 'publish' | 'publishEdges'> {
  const document = documentOf(DOCUMENT_NODES);
  const publish = createSamples();
  for (let round = 0; round <= COMPILES; round += 1) time(round === 0 ? null : publish, () => void compiled(document));
  return { publish: publish.summarise(), publishEdges: document.edges.length };
}

const row = (name: string, { count, p50, p99, max }: Summary) => [name, String(count), ...[p50, p99, max].map((ms) => (ms === null ? '-' : ms.toFixed(3)))];

/** The workflow engine alone: steps on a large graph, and what publishing a very large document costs. */
export const engineScenario: Scenario = {
  name: 'engine',
  summary: `workflow steps on ${STEP_NODES} nodes and publishing ${DOCUMENT_NODES} nodes, beside a control loop`,
  defaults: { repeats: 3 },
  async run({ repeats }) {
    const graph = compiled(documentOf(STEP_NODES));
    const results: EngineResult[] = [];
    for (let repeat = 0; repeat < repeats; repeat += 1) results.push({ ...measureSteps(graph), ...measurePublish() });
    if (controlLength === 0 || results.some(({ nodesEntered }) => nodesEntered < TURNS)) throw new Error('the call went nowhere');
    printTable([
      ['ms', 'count', 'p50', 'p99', 'max'],
      ...results.flatMap((result) => [
        row(`step, ${STEP_NODES} nodes`, result.steps),
        row('control loop', result.control),
        row(`publish, ${DOCUMENT_NODES} nodes, ${result.publishEdges} edges`, result.publish),
      ]),
    ]);
    const ratio = (result: EngineResult) => (result.steps.p99 ?? 0) / (result.control.p99 ?? Number.NaN);
    console.log(`step p99 / control p99: ${results.map((result) => shorten(ratio(result))).join(', ')}; ${results[0]?.nodesEntered ?? 0} nodes entered a round`);
    return results;
  },
};
