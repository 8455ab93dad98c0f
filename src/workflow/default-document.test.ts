import { describe, expect, it } from 'vitest';
import { createWorkflowCall } from '../../test/support/workflow-call.js';
import { decideReply } from '../speech/builtin/rules.js';
import { compileWorkflow } from './compile.js';
import { defaultDocument } from './default-document.js';
import { demoDocument } from './demo-document.js';

/** Talks with a document through the builtin rules; returns what each reply of the agent said, and the reason of the hang-up. */
function converse(document: unknown, turns: readonly string[]): { said: readonly string[]; reason: string | null } {
  const result = compileWorkflow(document, { forPublish: true });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  const call = createWorkflowCall(result.graph);
  const speak = () => {
    while (call.pass !== null) {
      const reply = decideReply(call.pass.messages, call.pass.tools);
      if (reply.type === 'say') call.model(reply.text);
      else call.model('', reply.name);
    }
    call.hear();
  };
  call.send({ type: 'call-started' });
  speak();
  for (const turn of turns) {
    call.caller(turn);
    if (call.pass !== null) speak();
  }
  return { said: call.heard, reason: call.state.phase.name === 'ended' ? call.state.phase.reason : null };
}

describe('the demo document', () => {
  it.each([
    ['What are your opening hours on Sunday?', 'We are open ten to four on Sundays.'],
    ['When are you open on Saturday?', 'We are open nine to six from Monday to Saturday.'],
    ['Where are you?', 'We are at twelve Harbour Street, next to the old lighthouse.'],
    ['Is there parking?', 'You can park behind the building. The first two hours are free.'],
    ['Can you book me a flight to Mars?', 'I am sorry, I do not know that. I can tell you about opening hours, prices, parking and our address.'],
  ])('answers %s', (question, answer) => {
    expect(converse(demoDocument, [question]).said).toEqual(['Hello, this is the front desk. How can I help you?', answer]);
  });

  it('answers about prices at length', () => {
    const answer = converse(demoDocument, ['How much are the tickets?']).said[1] ?? '';
    // 14 characters are a second of speech.
    expect(answer.length).toBeGreaterThan(8 * 14);
    expect(answer).toContain('twelve euros');
  });

  it.each(['Goodbye.', 'Thanks, bye.', 'Thank you.', 'That is all, thank you, goodbye.'])('ends at %s', (farewell) => {
    expect(converse(demoDocument, ['Is there parking?', farewell])).toMatchObject({
      said: [expect.anything(), expect.anything(), 'Thank you for calling the front desk. Goodbye.'],
      reason: 'agent_hangup',
    });
  });
});

describe('the default document', () => {
  it('answers, takes a message and ends', () => {
    expect(converse(defaultDocument, ['Who are you?', 'What is the weather on Mars?', 'Can I leave a message?', 'Goodbye.'])).toEqual({
      said: [
        'Hello, thank you for calling. How can I help you?',
        'I am the automatic receptionist.',
        'I am afraid I do not know that, but I can take a message.',
        'Gladly. Please tell me your name, your number and your message.',
        'Thank you for calling. Goodbye.',
      ],
      reason: 'agent_hangup',
    });
  });
});
