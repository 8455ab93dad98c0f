import { describe, expect, it } from 'vitest';
import { edge, graphOf, node } from '../../test/support/workflow-call.js';
import { compileWorkflow, type CompileOptions } from './compile.js';
import { defaultDocument } from './default-document.js';
import { demoDocument } from './demo-document.js';
import { toolNameOf } from './graph.js';
import { parseSettings } from './settings.js';

const problemsOf = (document: unknown, options?: CompileOptions) => {
  const result = compileWorkflow(document, options);
  return result.ok ? [] : result.problems;
};

/** `kind id field` of each problem. */
const places = (nodes: unknown, edges: unknown = [], options?: CompileOptions) =>
  problemsOf({ nodes, edges }, options).map(({ kind, id, field }) => `${kind} ${id} ${field}`.trim());

const start = node('s', 'startCall');
const agent = (id: string, data = {}) => node(id, 'agentNode', data);

describe('a sound document', () => {
  it.each([
    ['default', defaultDocument],
    ['demo', demoDocument],
  ])('the %s document can be published', (_, document) => {
    expect(compileWorkflow(document, { forPublish: true, knownVariables: [] })).toMatchObject({ ok: true, warnings: [] });
  });

  it('is the default one where none is given', () => {
    for (const none of [undefined, null, {}]) expect(compileWorkflow(none)).toEqual(compileWorkflow(defaultDocument));
  });

  it('becomes a frozen graph with functions made of edges', () => {
    const graph = graphOf(
      [start, agent('a'), node('e', 'endCall'), node('g', 'globalNode', { prompt: 'Global.' })],
      [edge('s', 'a', { label: 'Book a Table!', transition_speech: 'One moment.' }), edge('a', 'a'), edge('a', 'e', { when: { digits: '0' } })],
    );
    const from = graph.nodes.s;
    expect(from).toMatchObject({
      type: 'startCall',
      tools: [{ name: 'book_a_table_', description: 'The caller wants a.', parameters: { type: 'object', properties: {}, additionalProperties: false } }],
      edgesByTool: { book_a_table_: { targetId: 'a' } },
      globalPrompt: [{ kind: 'literal', text: 'Global.' }],
    });
    expect(graph.nodes.a).toMatchObject({ tools: [{ name: 'go_to_a' }], edgesByDigits: { 0: { targetId: 'e' } } });
    expect(graph.nodes.g).toBeUndefined();
    const unfrozen: string[] = [];
    const visit = (value: unknown, path: string) => {
      if (typeof value !== 'object' || value === null) return;
      if (!Object.isFrozen(value)) unfrozen.push(path);
      for (const [key, item] of Object.entries(value)) visit(item, `${path}.${key}`);
    };
    visit(graph, 'graph');
    expect(unfrozen).toEqual([]);
  });

  it('takes texts and ladder from the settings', () => {
    const parsed = parseSettings({ idle_ladder: { checks: ['Hello?', 'Hello??'] }, texts: { goodbye: 'Ciao.' } });
    const settings = parsed.ok ? parsed.settings : undefined;
    expect(graphOf([start], [], { settings })).toMatchObject({ idle: { checks: ['Hello?', 'Hello??'] }, texts: { goodbye: 'Ciao.' } });
  });

  it('names functions as the reference does', () => {
    expect(toolNameOf('Book a table')).toBe('book_a_table');
    expect(toolNameOf('Ünïcode – 2')).toBe('_n_code___2');
    expect(toolNameOf('x'.repeat(100))).toHaveLength(64);
  });

  it('holds ids that are names of prototype members', () => {
    const nodes = [node('constructor', 'startCall'), agent('__proto__'), agent('toString')];
    const graph = graphOf(nodes, [edge('constructor', '__proto__'), edge('__proto__', 'toString')]);
    expect(Object.keys(graph.nodes)).toEqual(['constructor', '__proto__', 'toString']);
    expect(graph.nodes.valueOf).toBeUndefined();
  });
});

const collect = (data: Record<string, unknown>) => node('c', 'collectDigits', { prompt: 'Your number?', ...data });

describe('a document with problems', () => {
  it.each<[string, unknown[], unknown[], string[]]>([
    ['nothing', [], [], ['workflow workflow nodes']],
    ['no start', [agent('a')], [], ['workflow workflow nodes']],
    ['two starts', [start, node('s2', 'startCall')], [], ['node s2 type']],
    ['two global nodes', [start, node('g1', 'globalNode', { prompt: 'x' }), node('g2', 'globalNode', { prompt: 'x' })], [], ['node g2 type']],
    ['an unreachable node', [start, agent('a'), agent('b')], [edge('s', 'a')], ['node b edges']],
    ['an unreachable island', [start, agent('a'), agent('b')], [edge('a', 'b'), edge('b', 'a')], ['node a edges', 'node b edges']],
    ['an exit from endCall', [start, node('e', 'endCall')], [edge('s', 'e'), edge('e', 'e')], ['edge e-e source']],
    ['a way back to start', [start, agent('a')], [edge('s', 'a'), edge('a', 's')], ['edge a-s target']],
    ['dangling edges', [start], [edge('s', 'x'), edge('y', 's')], ['edge s-x target', 'edge y-s source', 'edge y-s target']],
    ['an edge at a global node', [start, node('g', 'globalNode', { prompt: 'x' })], [edge('s', 'g')], ['edge s-g target']],
    ['duplicate node ids', [start, agent('a'), agent('a')], [edge('s', 'a')], ['node a id']],
    ['duplicate edge ids', [start, agent('a'), agent('b')], [edge('s', 'a', {}, 'x'), edge('s', 'b', {}, 'x')], ['edge x id']],
    ['one label twice', [start, agent('a'), agent('b')], [edge('s', 'a', { label: 'Go!' }), edge('s', 'b', { label: 'go?' })], ['edge s-b data.label']],
    ['one key twice', [start, agent('a')], [edge('s', 'a', { when: { digits: '1' } }, 'x'), edge('s', 'a', { when: { digits: '1' } }, 'y')], ['edge y data.when.digits']],
    ['no condition', [start, agent('a')], [edge('s', 'a', { condition: ' ' })], ['edge s-a data.condition']],
    ['failure of an agent', [start, agent('a')], [edge('s', 'a', { when: { failure: true } })], ['edge s-a data.when.failure']],
    ['two conditions at once', [start, agent('a')], [edge('s', 'a', { when: { digits: '1', failure: true } })], ['edge s-a data.when']],
    ['a say without exit', [start, node('y', 'say', { text: 'Hi.' })], [edge('s', 'y')], ['node y edges']],
    ['a say that loops', [start, node('y', 'say', { text: 'Hi.' })], [edge('s', 'y'), edge('y', 'y')], ['node y edges']],
    [
      'a silent loop',
      [start, node('y', 'say', { text: 'Hi.' }), node('z', 'say', { text: 'Ho.' }), node('t', 'transferCall', { destination: '+15551234567' }), agent('a')],
      [edge('s', 'y'), edge('y', 'z'), edge('z', 't'), edge('t', 'y', { when: { failure: true } })],
      ['node a edges', 'node y edges', 'node z edges', 'node t edges'],
    ],
    ['a transfer with two exits', [start, node('t', 'transferCall', { destination: 'sip:a@b.example' }), agent('a')], [edge('s', 't'), edge('t', 'a', {}, 'x'), edge('t', 'a', {}, 'y')], ['node t edges']],
    ['a transfer that waits for silence', [start, node('t', 'transferCall', { destination: 'sip:a@b.example' }), agent('a')], [edge('s', 't'), edge('t', 'a', { when: { timeout_seconds: 5 } })], ['edge t-a data.when.timeout_seconds']],
    ['a say that waits for keys', [start, node('y', 'say', { text: 'Hi.' }), agent('a')], [edge('s', 'y'), edge('y', 'a'), edge('y', 'a', { when: { digits: '1' } }, 'x')], ['edge x data.when.digits']],
    ['two silences', [start, agent('a')], [edge('s', 'a', { when: { timeout_seconds: 5 } }, 'x'), edge('s', 'a', { when: { timeout_seconds: 6 } }, 'y')], ['edge y data.when.timeout_seconds']],
    ['keys without a way on', [start, collect({}), agent('a')], [edge('s', 'c'), edge('c', 'a', { when: { digits: '1' } })], ['node c edges']],
    ['keys that cannot come', [start, collect({ max_digits: 2 }), agent('a')], [edge('s', 'c'), edge('c', 'a'), edge('c', 'a', { when: { digits: '123' } }, 'x'), edge('c', 'a', { when: { digits: '1#' } }, 'y')], ['edge x data.when.digits', 'edge y data.when.digits']],
    ['more keys than the most', [start, collect({ min_digits: 3, max_digits: 2 }), agent('a')], [edge('s', 'c'), edge('c', 'a')], ['node c data.max_digits']],
    ['keys that replace a fact of the call', [start, collect({ variable: 'caller_number' }), agent('a')], [edge('s', 'c'), edge('c', 'a')], ['node c data.variable']],
    ['a loop of conditions', [start, agent('a'), agent('b')], [edge('s', 'a'), edge('a', 'b', { when: { expression: 'x' } }), edge('b', 'a', { when: { expression: 'not x' } })], ['node a edges', 'node b edges']],
    ['a bad destination', [start, node('t', 'transferCall', { destination: 'the boss' })], [edge('s', 't')], ['node t data.destination']],
    ['an unknown type', [start, node('r', 'robot')], [], ['node r type', 'node r edges']],
    ['unknown fields', [{ ...start, color: 'red' }, agent('a', { promt: 'x' })], [edge('s', 'a', { lable: 'x' })], ['node s color', 'node a data.promt', 'edge s-a data.lable']],
    ['missing fields', [{ id: 's', type: 'startCall' }, agent('a', { prompt: '  ' })], [{ id: 'e', source: 's', target: 'a' }], ['node s data', 'node a data.prompt', 'edge e data']],
    ['entries that are no objects', [start, null, 'x'], [7], ['node nodes.1 type', 'node nodes.2 type', 'edge edges.0', 'node nodes.1 edges', 'node nodes.2 edges']],
    ['templates that are none', [node('s', 'startCall', { prompt: '{{1+1}}', greeting: '{{current_time_Mars/Base}}' })], [], ['node s data.prompt', 'node s data.greeting']],
  ])('%s', (_, nodes, edges, expected) => {
    expect(places(nodes, edges).sort()).toEqual([...expected].sort());
  });

  it('tells every problem at once, each with a message and a cure', () => {
    const problems = problemsOf({
      nodes: [agent('a', { prompt: '' }), agent('b', { prompt: '{{1+1}}' }), node('c', 'collectDigits', { prompt: 'x' })],
      edges: [edge('a', 'nowhere')],
      extra: 1,
    });
    expect(problems.map(({ kind, id, field }) => `${kind} ${id} ${field}`)).toEqual([
      'workflow workflow extra',
      'node a data.prompt',
      'workflow workflow nodes',
      'edge a-nowhere target',
      'node c edges',
      'node b data.prompt',
    ]);
    for (const problem of problems) {
      expect(problem.message).not.toBe('');
      expect(problem.cure).toMatch(/\.$/);
    }
  });

  it.each([7, 'text', [], { nodes: {} }, { nodes: [], edges: 'x' }, { edges: [] }])('%j is no document', (document) => {
    expect(problemsOf(document).length).toBeGreaterThan(0);
  });

  it('says where a request before the call has no address, or none that can be', () => {
    const fetching = (data: Record<string, unknown>) => ({ nodes: [node('s', 'startCall', { pre_call_fetch_mode: 'inbound', ...data })], edges: [] });
    expect(compileWorkflow(fetching({ pre_call_fetch_url: 'https://example.com/who' }), { forPublish: true })).toMatchObject({
      ok: true,
      graph: { preCallFetch: { mode: 'inbound', url: 'https://example.com/who', credentialUuid: null } },
    });
    for (const data of [{}, { pre_call_fetch_url: 'ftp://example.com' }]) expect(problemsOf(fetching(data))).toMatchObject([{ id: 's', field: 'data.pre_call_fetch_url' }]);
  });

  it('tells where a condition is none', () => {
    const [problem, ...others] = problemsOf({ nodes: [start, agent('a')], edges: [edge('s', 'a', { when: { expression: 'age >> 5' } })] });
    expect(problem).toMatchObject({ kind: 'edge', id: 's-a', field: 'data.when.expression' });
    expect(problem?.message).toBe('is no condition, at character 6: expected a variable, a text, a number, true or false, found ">"');
    expect(others).toEqual([]);
  });

  it('lets no sensitive digits be spoken or shown to a model', () => {
    const pin = node('c', 'collectDigits', { prompt: 'Your PIN?', variable: 'pin', sensitive: true, max_digits: 4 });
    const nodes = [start, pin, agent('a', { prompt: 'The PIN is {{gathered_context.pin | none}}.' })];
    const edges = [edge('s', 'c'), edge('c', 'a', { transition_speech: 'So it is {{pin}}.' })];
    expect(problemsOf({ nodes, edges }).map(({ id, field, message }) => `${id} ${field}: ${message.slice(0, 16)}`)).toEqual([
      'a data.prompt: pin is sensitive',
      'c-a data.transition_speech: pin is sensitive',
    ]);
  });

  it('publishes qa nodes, and says where one has no model', () => {
    const qaNode = (data: Record<string, unknown>) => [start, node('n', 'qa', data)];
    expect(compileWorkflow({ nodes: qaNode({ qa_use_workflow_llm: false, qa_model: 'gpt-4.1' }), edges: [] }, { forPublish: true })).toMatchObject({ ok: true });
    expect(problemsOf({ nodes: qaNode({ qa_use_workflow_llm: false }), edges: [] })).toMatchObject([{ id: 'n', field: 'data.qa_model' }]);
    const many = Array.from({ length: 6 }, (_, index) => node(`q${index}`, 'qa', {}));
    expect(problemsOf({ nodes: [start, ...many], edges: [] })).toMatchObject([{ id: 'q5', message: 'a workflow has 5 qa nodes at the most' }]);
  });

  it('publishes a trigger node, which no call is ever at', () => {
    expect(compileWorkflow({ nodes: [start, node('n', 'trigger', { trigger_path: 'x' })], edges: [] }, { forPublish: true })).toMatchObject({ ok: true });
  });

  it('publishes a webhook node, and says where it cannot be sent', () => {
    const webhookNode = (data: Record<string, unknown>) => [start, node('n', 'webhook', { endpoint_url: 'https://example.com', ...data })];
    expect(compileWorkflow({ nodes: webhookNode({}), edges: [] }, { forPublish: true })).toMatchObject({ ok: true });
    expect(places(webhookNode({ endpoint_url: 'ftp://example.com' }))).toHaveLength(1);
    for (const key of ['webhook-id', 'Host', 'a b', '']) expect(places(webhookNode({ custom_headers: [{ key, value: 'x' }] }))).toHaveLength(1);
    const many = Array.from({ length: 21 }, (_, index) => node(`w${index}`, 'webhook', { endpoint_url: 'https://example.com' }));
    expect(problemsOf({ nodes: [start, ...many], edges: [] })).toMatchObject([{ id: 'w20', message: 'a workflow has 20 webhook nodes at the most' }]);
  });

  it('names no credential that is not stored', () => {
    const fetching = node('s', 'startCall', { pre_call_fetch_mode: 'always', pre_call_fetch_url: 'https://example.com', pre_call_fetch_credential_uuid: 'c' });
    const document = { nodes: [fetching, node('n', 'webhook', { endpoint_url: 'https://example.com', credential_uuid: 'd' })], edges: [] };
    const compile = (...known: string[]) => compileWorkflow(document, { forPublish: true, credentialUuids: new Set(known) });
    expect(compile('c', 'd')).toMatchObject({ ok: true, graph: { preCallFetch: { credentialUuid: 'c' } } });
    expect(compile('d')).toMatchObject({ ok: false, problems: [{ id: 's', field: 'data.pre_call_fetch_credential_uuid', message: 'there is no credential c' }] });
    expect(compile('c')).toMatchObject({ ok: false, problems: [{ id: 'n', field: 'data.credential_uuid', message: 'there is no credential d' }] });
    expect(compileWorkflow(document)).toMatchObject({ ok: true });
  });

  it('warns of templates that can never be filled in', () => {
    const nodes = [node('s', 'startCall', { greeting: 'Hi {{name}}{{caller_number}}{{current_time}}{{last_digit}}{{nick | you}}' })];
    expect(compileWorkflow({ nodes, edges: [] }, { knownVariables: ['caller_number'] })).toMatchObject({
      ok: true,
      warnings: [{ kind: 'node', id: 's', field: 'data.greeting', message: 'no call of this agent has the variable name' }],
    });
    const conditional = [edge('s', 'a', { when: { expression: 'tier == "gold" and not exists nick and caller_number' } })];
    expect(compileWorkflow({ nodes: [start, agent('a')], edges: conditional }, { knownVariables: ['caller_number'] })).toMatchObject({
      warnings: [{ kind: 'edge', id: 's-a', field: 'data.when.expression', message: 'no call of this agent has the variable tier' }],
    });
    expect(compileWorkflow({ nodes, edges: [] })).toMatchObject({ ok: true, warnings: [] });
  });

  it('caps the list and the document', () => {
    const nodes = [start, ...Array.from({ length: 2500 }, (_, index) => agent(`a${index}`))];
    const problems = problemsOf({ nodes, edges: [] });
    expect(problems).toHaveLength(501);
    expect(problems[0]).toMatchObject({ kind: 'workflow', field: 'nodes', message: 'more than 2000 nodes' });
    expect(problems.at(-1)?.message).toContain('more problems');
  });

  it('reads 1,000 nodes in well under a second', () => {
    const nodes = [start, ...Array.from({ length: 999 }, (_, index) => agent(`a${index}`, { prompt: `Prompt {{name | you}} ${'word '.repeat(100)}` }))];
    const edges = nodes.slice(1).flatMap((_, index) => [edge(index === 0 ? 's' : `a${index - 1}`, `a${index}`), edge(`a${index}`, `a${(index * 7) % 999}`, { label: 'Jump' }, `jump${index}`)]);
    const fromMs = performance.now();
    const result = compileWorkflow({ nodes, edges }, { forPublish: true, knownVariables: [] });
    const soundMs = performance.now() - fromMs;
    const badMs = performance.now();
    const bad = problemsOf({ nodes: nodes.map((entry) => ({ ...entry, unknown: 1 })), edges: edges.map((entry) => ({ ...entry, target: 'nowhere' })) });
    process.stdout.write(`compile 1,000 nodes, ${edges.length} edges: ${soundMs.toFixed(0)} ms sound, ${(performance.now() - badMs).toFixed(0)} ms with every part bad\n`);
    expect(result.ok).toBe(true);
    expect(bad.length).toBeGreaterThan(500);
  });
});
