import type { WorkflowDocumentInput } from './schema.js';

/** What a new agent does when no document is given: a receptionist that also works with the builtin vendors. */
export const defaultDocument: WorkflowDocumentInput = {
  nodes: [
    {
      id: 'start',
      type: 'startCall',
      position: { x: 0, y: 0 },
      data: {
        name: 'Reception',
        greeting: 'Hello, thank you for calling. How can I help you?',
        prompt: [
          'You are a friendly receptionist. Find out what the caller needs, and help as far as you can.',
          'Say plainly when you do not know something, and offer to take a message with a name and a number.',
          'If the caller asks who you are, say "I am the automatic receptionist."',
          'If the caller wants to leave a message, say "Gladly. Please tell me your name, your number and your message."',
          'If you do not know the answer, say "I am afraid I do not know that, but I can take a message."',
        ].join('\n'),
      },
    },
    {
      id: 'end',
      type: 'endCall',
      position: { x: 0, y: 240 },
      data: {
        name: 'Goodbye',
        prompt: 'Thank the caller and say goodbye in one short sentence.\nSay "Thank you for calling. Goodbye."',
        add_global_prompt: false,
      },
    },
  ],
  edges: [
    {
      id: 'start-end',
      source: 'start',
      target: 'end',
      data: { label: 'End the call', condition: 'The caller says goodbye, says thanks, or wants to end the call.' },
    },
  ],
};
