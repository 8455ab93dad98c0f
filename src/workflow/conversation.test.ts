import { describe, expect, it } from 'vitest';
import { appendEntry, appendHeard, MAX_CONVERSATION_ENTRIES, MAX_WINDOW_ENTRIES, MAX_WINDOW_LENGTH, modelMessages } from './conversation.js';
import type { ConversationEntry } from './engine.js';

const notes = { spoken: '', prompt: 'Your turn.', isArrival: false };
const caller = (text: string): ConversationEntry => ({ role: 'caller', text, turnId: 1 });
const agent = (text: string, isInterrupted = false): ConversationEntry => ({ role: 'agent', text, isInterrupted });

describe('appendHeard', () => {
  it('keeps what was heard, and nothing where nothing was', () => {
    expect(appendHeard([], ' Hello. ', true)).toEqual([agent('Hello.', true)]);
    const before = [caller('Hi.')];
    expect(appendHeard(before, '  ', true)).toBe(before);
  });

  it('lets the oldest go beyond the bound', () => {
    let conversation: readonly ConversationEntry[] = [];
    for (let index = 0; index < MAX_CONVERSATION_ENTRIES + 5; index += 1) conversation = appendEntry(conversation, caller(`turn ${index}`));
    expect(conversation).toHaveLength(MAX_CONVERSATION_ENTRIES);
    expect(conversation[0]).toEqual(caller('turn 5'));
    expect(appendEntry([], caller('x'.repeat(100_000)))[0]).toMatchObject({ text: 'x'.repeat(8000) });
  });
});

describe('modelMessages', () => {
  it('marks interruptions, brackets notes and merges neighbours', () => {
    const conversation = [agent('Hello. How can I', true), { role: 'note', text: 'The caller pressed 5.' } as const, caller('Wait.'), caller('What?')];
    expect(modelMessages('SYSTEM', conversation, notes)).toEqual([
      { role: 'system', text: 'SYSTEM' },
      { role: 'user', text: '[The call begins.]' },
      { role: 'assistant', text: 'Hello. How can I —' },
      { role: 'user', text: '[The caller pressed 5.]\nWait.\nWhat?' },
    ]);
  });

  it('asks for words where the last ones were not the caller’s', () => {
    expect(modelMessages('S', [], notes).slice(1)).toEqual([{ role: 'user', text: '[Your turn.]' }]);
    expect(modelMessages('S', [caller('Bye.')], { ...notes, spoken: 'Sure.' }).slice(1)).toEqual([
      { role: 'user', text: 'Bye.' },
      { role: 'assistant', text: 'Sure.' },
      { role: 'user', text: '[Your turn.]' },
    ]);
  });

  it('asks for the first words of a node that an edge has led to, whatever the caller said before', () => {
    expect(modelMessages('S', [caller('A message, please.')], { ...notes, isArrival: true }).slice(1)).toEqual([
      { role: 'user', text: 'A message, please.\n[Your turn.]' },
    ]);
  });

  it('shows the newest entries within its bounds', () => {
    const many = Array.from({ length: 300 }, (_, index) => (index % 2 === 0 ? caller(`c${index}`) : agent(`a${index}`)));
    const messages = modelMessages('S', many, notes);
    expect(messages[1]).toEqual({ role: 'user', text: `c${300 - MAX_WINDOW_ENTRIES}` });
    expect(messages.at(-2)).toEqual({ role: 'assistant', text: 'a299' });
    const long = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? caller('x'.repeat(5000)) : agent('y'.repeat(5000))));
    const length = modelMessages('S', long, notes).reduce((sum, message) => sum + ('text' in message ? message.text.length : 0), 0);
    expect(length).toBeLessThan(MAX_WINDOW_LENGTH + 200);
  });

  it('never begins with the result of a call that was cut away', () => {
    const toolCalls = [{ id: '1', name: 'f', argumentsJson: '{}' }];
    const pair: ConversationEntry[] = [{ role: 'agent', text: '', isInterrupted: false, toolCalls }, { role: 'tool', toolCallId: '1', toolName: 'f', result: 'r' }];
    const cutThrough = [...pair, ...Array.from({ length: MAX_WINDOW_ENTRIES - 1 }, (_, index) => caller(`c${index}`))];
    expect(modelMessages('S', cutThrough, notes).map((message) => message.role)).toEqual(['system', 'user']);
    expect(modelMessages('S', pair, notes).map((message) => message.role)).toEqual(['system', 'user', 'assistant', 'tool']);
  });
});
