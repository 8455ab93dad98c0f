import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelMessage, ModelTool } from '../language-model.js';
import { readPromptRules } from './prompt-rules.js';
import { decideReply } from './rules.js';
import { UNINTELLIGIBLE } from './unintelligible.js';

const PROMPT = [
  'You are the front desk of the Harbour Museum. Be friendly and brief.',
  'If the caller asks about opening hours on Sunday, say "We are open ten to four on Sundays."',
  'If the caller asks about opening hours on weekdays or Saturday, say "We are open nine to six from Monday to Saturday."',
  'If the caller asks about parking, say “You can park behind the building.”',
  'Q: Do you have a cafe?',
  'A: Yes, on the ground floor',
  '- address: twelve Harbour Street',
  'Prices: Adults pay twelve euros.',
  'If the caller asks who you are, say "I am the automatic receptionist."',
].join('\n');

const tool = (name: string, description: string, parameters: Record<string, unknown> = { type: 'object', properties: {} }): ModelTool => ({
  name,
  description,
  parameters,
});

const END = tool('end_the_call', 'The caller says goodbye, thanks or wants to end the call.');
const SALES = tool('sales', 'The caller wants to talk to sales about a new contract.');
const YES = tool('confirmed', 'The caller says yes or agrees.');
const NO = tool('declined', 'The caller says no or declines.');

function ask(text: string, tools: readonly ModelTool[] = [END], prompt = PROMPT): string {
  const messages: ModelMessage[] = [
    { role: 'system', text: prompt },
    { role: 'user', text: '[The call begins.]' },
    { role: 'assistant', text: 'Hello, this is the front desk. How can I help you?' },
    { role: 'user', text },
  ];
  const reply = decideReply(messages, tools);
  return reply.type === 'say' ? reply.text : `→ ${reply.name}`;
}

describe('where an edge was just taken for the words', () => {
  const ARRIVAL = '[It is your turn to speak.]';

  it('the first words of the node are said, and no other edge is taken for them', () => {
    const prompt = 'Ask for the message.\nSay "Please tell me your message."';
    expect(ask(`Thanks, I want to leave a message. Goodbye.\n${ARRIVAL}`, [END], prompt)).toBe('Please tell me your message.');
  });

  it('a key that was pressed still counts', () => {
    expect(ask('[The caller pressed 1.]', [tool('sales', 'The caller presses 1 for sales.')])).toBe('→ sales');
  });
});

describe('answers from the prompt', () => {
  it.each([
    ['What are your opening hours on Sunday?', 'We are open ten to four on Sundays.'],
    ['When are you open on Sundays?', 'We are open ten to four on Sundays.'],
    ['And on a Wednesday, what are your hours?', 'We are open nine to six from Monday to Saturday.'],
    ['Can I park there?', 'You can park behind the building.'],
    ['Is there a café or a cafe?', 'Yes, on the ground floor.'],
    ['Where are you located?', 'Address: twelve Harbour Street.'],
    ['How much does it cost?', 'Adults pay twelve euros.'],
    ['Who are you?', 'I am the automatic receptionist.'],
    ['Thanks. What does a ticket for adults cost?', 'Adults pay twelve euros.'],
    ['Hello!', 'Hello. How can I help you?'],
  ])('%s', (question, answer) => expect(ask(question)).toBe(answer));

  it('says what it can be asked about when it knows no answer', () => {
    expect(ask('Do you sell elephants?')).toBe(
      'I am sorry, I do not know that. I can tell you about opening hours on Sunday, opening hours on weekdays or Saturday, parking and address.',
    );
    expect(ask('Do you sell elephants?', [], 'Be kind.')).toMatch(/I do not know that/);
  });

  it('takes the prompt’s own words for what it does not know', () => {
    expect(ask('Elephants?', [], `${PROMPT}\nIf you do not know the answer, say "Please ask a colleague."`)).toBe('Please ask a colleague.');
  });

  it('tells a human caller that it hears only the builtin voice', () => {
    expect(ask(UNINTELLIGIBLE)).toMatch(/only the built-in voice.*keys/);
    expect(ask(`${UNINTELLIGIBLE}\nCan I park there?`)).toBe('You can park behind the building.');
  });
});

describe('opening words', () => {
  const open = (prompt: string, messages: readonly ModelMessage[] = []) => decideReply([{ role: 'system', text: prompt }, ...messages], [END]);

  it.each([
    ['Thank the caller.\nSay "Thank you for calling. Goodbye."', 'Thank you for calling. Goodbye.'],
    ['Greet the caller with “Good morning, this is Anna.”', 'Good morning, this is Anna.'],
    ['Say: "One moment."', 'One moment.'],
    ['Thank the caller and say goodbye.', 'Thank you for calling. Goodbye.'],
    ['Be nice.', 'How can I help you?'],
  ])('%s', (prompt, text) => expect(open(prompt)).toEqual({ type: 'say', text }));

  it('do not come from conditional lines', () => {
    expect(open(PROMPT)).toEqual({ type: 'say', text: 'How can I help you?' });
  });

  it('search where a function takes a query and the prompt knows no answer, and say what was found', () => {
    const search = { name: 'look_up', description: 'Searches.', parameters: { type: 'object', properties: { query: { type: 'string' } }, required: ['query'] } };
    const asked: ModelMessage[] = [{ role: 'system', text: `${PROMPT}\nIf you do not know, say "No idea."` }, { role: 'user', text: 'Do you sell helmets?' }];
    expect(decideReply(asked, [search])).toEqual({ type: 'call-tool', name: 'look_up', arguments: { query: 'Do you sell helmets?' } });
    expect(decideReply([...asked.slice(0, 1), { role: 'user', text: 'Tell me about parking.' }], [search]).type).toBe('say');
    const told = (result: string) => decideReply([...asked, { role: 'tool', toolCallId: '1', toolName: 'look_up', result }], [search]);
    expect(told('[Prices.md › Helmets]\nA helmet costs 20.50 euros. It comes in red. It is light.\n\n[Other]\nMore.')).toEqual({
      type: 'say',
      text: 'A helmet costs 20.50 euros. It comes in red.',
    });
    expect(told('Nothing in the documents fits.')).toEqual({ type: 'say', text: 'No idea.' });
    expect(told('Error: the tool failed.')).toEqual({ type: 'say', text: 'No idea.' });
  });

  it('answer at once what led to the node', () => {
    const reply = open(PROMPT, [
      { role: 'user', text: 'I want to know about parking.' },
      { role: 'assistant', text: '', toolCalls: [{ id: '1', name: 'info', argumentsJson: '{}' }] },
      { role: 'tool', toolCallId: '1', toolName: 'info', result: 'ok' },
    ]);
    expect(reply).toEqual({ type: 'say', text: 'You can park behind the building.' });
  });
});

describe('tools', () => {
  it.each([
    ['Thanks, bye!', '→ end_the_call'],
    ['Goodbye.', '→ end_the_call'],
    ['That is all, thank you.', '→ end_the_call'],
    ['Thank you.', '→ end_the_call'],
    ['I would like to speak to sales about a contract', '→ sales'],
    ['Yes, please.', '→ confirmed'],
    ['Yeah, sure.', '→ confirmed'],
    ["No, I don't want that.", '→ declined'],
    ['Can I park there?', 'You can park behind the building.'],
  ])('%s', (text, reply) => expect(ask(text, [END, SALES, YES, NO])).toBe(reply));

  it('are not called out of politeness', () => {
    expect(ask('Thank you, and do you sell elephants?')).toMatch(/I do not know that/);
  });

  it('are not called before the caller has said something new', () => {
    const messages: ModelMessage[] = [
      { role: 'system', text: 'Say "Welcome."' },
      { role: 'user', text: 'Goodbye' },
      { role: 'assistant', text: 'Bye.' },
      { role: 'user', text: '[The caller has been silent, say goodbye.]' },
    ];
    expect(decideReply(messages, [END])).toEqual({ type: 'say', text: 'Welcome.' });
  });

  it('are called for a pressed key', () => {
    expect(ask('[The caller pressed 2.]', [tool('one', 'The caller presses one'), tool('two', 'The caller presses two')])).toBe('→ two');
  });

  it('are not called where arguments are required', () => {
    expect(ask('Goodbye', [tool('x', 'The caller says goodbye', { type: 'object', required: ['reason'] })])).not.toMatch(/^→/);
  });
});

describe('the rules', () => {
  it('read any prompt and answer any text without throwing, the same each time, in sentences', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 100 }), (prompt, text) => {
        const reply = ask(text, [END, YES], prompt);
        expect(ask(text, [END, YES], prompt)).toBe(reply);
        expect(reply.length).toBeGreaterThan(0);
      }),
    );
  });

  it('do not take long over a hostile line', () => {
    const line = `If ${'the caller asks about say '.repeat(800)}`;
    const startMs = performance.now();
    readPromptRules(`${line}\n${'- a'.repeat(5000)}\n${'say '.repeat(5000)}`);
    expect(performance.now() - startMs).toBeLessThan(2000);
  });
});
