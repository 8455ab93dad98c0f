import { describe, expect, it } from 'vitest';
import type { ModelMessage } from '../language-model.js';
import { toProviderPrompt, type PromptStyle } from './prompt.js';

const style: PromptStyle = { argumentsAs: 'object' };
const call = (id: string, argumentsJson = '{}') => ({ id, name: 'book', argumentsJson });
const result = (toolCallId: string, text = 'done'): ModelMessage => ({ role: 'tool', toolCallId, toolName: 'book', result: text });

/** A prompt in short: `user: …`, `call a`, `result a: …`. */
const inShort = (messages: readonly ModelMessage[], options = style): readonly string[] =>
  toProviderPrompt(messages, options).map((message) => {
    if (message.role === 'system') return `system: ${message.content}`;
    const parts = message.content.map((part) => {
      if (part.type === 'text') return part.text;
      if (part.type === 'tool-call') return `call ${part.toolCallId} ${JSON.stringify(part.input)}`;
      return part.type === 'tool-result' && part.output.type === 'text' ? `result ${part.toolCallId} ${part.output.value}` : part.type;
    });
    return `${message.role}: ${parts.join(' + ')}`;
  });

describe('the prompt', () => {
  it('begins with one system prompt and the user', () => {
    expect(inShort([{ role: 'assistant', text: 'Hello.' }, { role: 'system', text: 'A' }, { role: 'user', text: 'Hi' }, { role: 'system', text: 'B' }])).toEqual([
      'system: A\n\nB',
      'user: [The call begins.]',
      'assistant: Hello.',
      'user: Hi',
    ]);
  });

  it('is never empty', () => {
    expect(inShort([])).toEqual(['user: [The call begins.]']);
    expect(inShort([{ role: 'system', text: ' ' }, { role: 'user', text: '\n' }])).toEqual(['user: [The call begins.]']);
  });

  it('merges neighbours of one role, also across what is left out', () => {
    expect(inShort([{ role: 'user', text: 'One' }, { role: 'assistant', text: '' }, { role: 'user', text: 'two' }, { role: 'assistant', text: 'I' }, result('lost'), { role: 'assistant', text: 'see' }])).toEqual([
      'user: One\ntwo',
      'assistant: I see',
    ]);
  });

  it('puts the results of all calls right behind them', () => {
    expect(
      inShort([{ role: 'user', text: 'Go' }, { role: 'assistant', text: '', toolCalls: [call('a'), call('b')] }, result('b', 'two'), { role: 'user', text: 'Well?' }, result('a', 'one')]),
    ).toEqual(['user: Go', 'assistant: call a {} + call b {}', 'tool: result a one + result b two', 'user: Well?']);
  });

  it('says that a call has no result', () => {
    expect(inShort([{ role: 'user', text: 'Go' }, { role: 'assistant', text: '', toolCalls: [call('a')] }, { role: 'user', text: 'Stop' }])).toEqual([
      'user: Go',
      'assistant: call a {}',
      'tool: result a No result: the function was not carried out.',
      'user: Stop',
    ]);
  });

  it('tells calls apart that share an id', () => {
    const again = (text: string): readonly ModelMessage[] => [{ role: 'assistant', text, toolCalls: [call('a')] }, result('a', text)];
    expect(inShort([{ role: 'user', text: 'Go' }, ...again('1'), ...again('2')])).toEqual([
      'user: Go',
      'assistant: 1 + call a {}',
      'tool: result a 1',
      'assistant: 2 + call a {}',
      'tool: result a 2',
    ]);
  });

  it.each([
    ['{"at":"8"}', { at: '8' }, '{"at":"8"}'],
    ['{"at":', { malformed: '{"at":' }, '{"at":'],
    ['[1]', { malformed: '[1]' }, '[1]'],
    ['', { malformed: '' }, ''],
  ])('carries the arguments %s as the vendor takes them', (argumentsJson, asObject, asText) => {
    const messages: readonly ModelMessage[] = [{ role: 'user', text: 'Go' }, { role: 'assistant', text: '', toolCalls: [call('a', argumentsJson)] }];
    expect(inShort(messages)[1]).toBe(`assistant: call a ${JSON.stringify(asObject)}`);
    expect(inShort(messages, { argumentsAs: 'text' })[1]).toBe(`assistant: call a ${JSON.stringify(asText)}`);
  });

  it('gives a call back what the vendor gave with it', () => {
    const signed = { google: { thoughtSignature: 's' } };
    const prompt = toProviderPrompt([{ role: 'user', text: 'Go' }, { role: 'assistant', text: '', toolCalls: [call('a'), call('b')] }], {
      ...style,
      optionsOfCall: (id) => (id === 'a' ? signed : undefined),
    });
    expect(prompt[1]).toMatchObject({ content: [{ toolCallId: 'a', providerOptions: signed }, { toolCallId: 'b' }] });
  });
});
