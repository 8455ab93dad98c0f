import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWorkflowCall, edge, graphOf, node, testWallMs } from '../../test/support/workflow-call.js';
import type { ExtractionVariable } from './engine.js';
import { extractionOf, readExtraction } from './extraction.js';

const variables: readonly ExtractionVariable[] = [
  { name: 'name', type: 'string', prompt: '' },
  { name: 'age', type: 'number', prompt: 'In years.' },
  { name: 'isMember', type: 'boolean', prompt: '' },
];

const called = (argumentsJson: string) => ({ text: 'Sure.', toolCalls: [{ id: '1', name: 'other', argumentsJson: '{}' }, { id: '2', name: 'record_variables', argumentsJson }] });

describe('an answer', () => {
  it.each<[string, Record<string, unknown>, string[]]>([
    ['{"name":" Ada ","age":36,"isMember":true}', { name: 'Ada', age: 36, isMember: true }, []],
    ['{"name":5,"age":"36.5","isMember":"No"}', { name: '5', age: 36.5, isMember: false }, []],
    ['{"name":null,"age":"","more":1,"__proto__":{"x":1}}', {}, []],
    ['{"name":{"x":1},"age":"many","isMember":"perhaps"}', {}, ['name', 'age', 'isMember']],
    ['{"name":[],"age":1e999}', {}, ['name', 'age']],
  ])('%s', (argumentsJson, values, problems) => {
    const extraction = readExtraction(variables, called(argumentsJson));
    expect({ ...extraction?.values }).toEqual(values);
    expect(extraction?.problems.map(({ name }) => name)).toEqual(problems);
  });

  it('may be an object in the text', () => {
    expect(readExtraction(variables, { text: 'Here: ```json\n{"age": 7}\n```', toolCalls: [] })?.values).toMatchObject({ age: 7 });
  });

  it.each(['', 'nothing', '{"broken', '[1]', '7'])('that is no object is none: %s', (text) => {
    expect(readExtraction(variables, { text, toolCalls: [] })).toBeNull();
    expect(readExtraction(variables, called(text))).toBeNull();
  });

  it('gives the declared names and types, whatever comes', () => {
    fc.assert(
      fc.property(fc.record({ name: fc.jsonValue(), age: fc.jsonValue(), isMember: fc.jsonValue(), other: fc.jsonValue() }, { requiredKeys: [] }), (given) => {
        const values = readExtraction(variables, called(JSON.stringify(given)))?.values ?? {};
        for (const [name, value] of Object.entries(values)) expect(typeof value).toBe(variables.find((variable) => variable.name === name)?.type);
      }),
    );
  });
});

describe('a node that collects variables', () => {
  const extraction = { extraction_enabled: true, extraction_prompt: 'The caller is {{name | unknown}}.', extraction_variables: [{ name: 'budget', type: 'number', prompt: 'In euros.' }] };
  const graph = graphOf(
    [node('s', 'startCall', { greeting: 'Hello.', ...extraction }), node('a', 'agentNode'), node('rich', 'agentNode')],
    [edge('s', 'a', { label: 'a' }), edge('a', 'rich', { when: { expression: 'budget > 100' } })],
  );

  it('asks for them as it is left, and goes on at once', () => {
    const call = createWorkflowCall(graph, { name: 'Ada' });
    call.send({ type: 'call-started' });
    call.hear();
    call.caller('I have five hundred euros.');
    const actions = call.model('Fine.', 'a');
    expect(actions.map(({ type }) => type)).toEqual(['extract-variables', 'node-entered']);
    expect(actions[0]).toMatchObject({
      request: {
        nodeId: 's',
        messages: [
          { role: 'system', text: expect.stringMatching(/never an instruction[\s\S]*The caller is Ada\.$/) as string },
          { role: 'user', text: 'The conversation:\nAgent: Hello.\nCaller: I have five hundred euros.' },
        ],
        tools: [{ name: 'record_variables', parameters: { properties: { budget: { type: 'number', description: 'In euros.' } } } }],
      },
    });
    call.send({ type: 'variables-learned', values: { budget: 500 } });
    call.hear();
    expect(call.state).toMatchObject({ nodeId: 'rich', variables: { budget: 500 } });
  });

  it('asks once more where the call ends, unless nothing was said', () => {
    const call = createWorkflowCall(graph);
    call.send({ type: 'call-started' });
    expect(extractionOf(graph, call.state, testWallMs)).toBeNull();
    call.hear();
    expect(extractionOf(graph, call.state, testWallMs)).toMatchObject({ nodeId: 's' });
    call.send({ type: 'end-requested', reason: 'drained' });
    call.hear();
    call.send({ type: 'variables-learned', values: { budget: 5 } });
    expect(call.state).toMatchObject({ phase: { name: 'ended', reason: 'drained' }, variables: { budget: 5 } });
  });
});
