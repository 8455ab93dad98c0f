import { describe, expect, it } from 'vitest';
import { memoryDocuments } from '../support/documents/memory-documents.js';
import { memoryKnowledge } from '../support/documents/memory-knowledge.js';
import { expectCleanEnd } from '../support/virtual/call-invariants.js';
import { afterGreeting, goodbyePasses, messagesOf } from '../support/virtual/scenes.js';
import { GREETING, type VirtualCallOptions } from '../support/virtual/virtual-call.js';
import { edge, node } from '../support/workflow-call.js';

const source = memoryDocuments(
  { handbook: [{ heading: ['Returns'], page: 7, text: 'A bicycle can be returned within thirty days.' }, 'Punctures are repaired at once.'], rules: ['No dogs in the shop.'] },
  { full: ['rules'] },
);
const search = 'retrieve_from_knowledge_base';

/** A call past its greeting whose agent has a handbook to search and rules to know. */
async function withDocuments(passes: NonNullable<VirtualCallOptions['passes']>) {
  const knowledge = memoryKnowledge(source);
  // Indexing takes real time, which a call in virtual time does not have.
  await knowledge.search('org', ['handbook'], { text: 'ready' });
  return afterGreeting({
    nodes: [node('start', 'startCall', { greeting: GREETING, document_uuids: ['handbook', 'rules'] }), node('end', 'endCall')],
    edges: [edge('start', 'end')],
    documents: await knowledge.open('org', ['handbook', 'rules']),
    toolPorts: { searchDocuments: (uuids, text) => knowledge.search('org', uuids, { text }) },
    passes,
  });
}

describe('documents in a call', () => {
  it('are searched by the model, and the run shows what its answer rests on', async () => {
    const call = await withDocuments([{ tools: [search], argumentsJson: '{"query":"return a bicycle"}' }, { text: 'Within thirty days.' }, ...goodbyePasses]);
    call.carrier.says('Can I give the bicycle back?');
    const said = await call.untilEvent('agent-said', 2);
    expect(said.data['text']).toBe('Within thirty days.');
    expect(messagesOf(call, 1).at(-1)).toBe('tool: [handbook.md › Returns, page 7]\nA bicycle can be returned within thirty days.');
    expect(call.eventsOf('knowledge-retrieved').map(({ data }) => data)).toEqual([
      {
        tool_call_id: 'call-1-0',
        ranking: 'lexical',
        citations: [{ document_uuid: 'handbook', document_name: 'handbook.md', heading: ['Returns'], page: 7, position: 0, score: expect.any(Number) as number }],
      },
    ]);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('that hold no answer say so to the model, and the run shows an empty search', async () => {
    const call = await withDocuments([{ tools: [search], argumentsJson: '{"query":"football championship"}' }, { text: 'I do not know.' }, ...goodbyePasses]);
    call.carrier.says('Who won the football championship?');
    await call.untilEvent('agent-said', 2);
    expect(messagesOf(call, 1).at(-1)).toMatch(/^tool: Nothing in the documents fits/);
    expect(call.eventsOf('knowledge-retrieved').map(({ data }) => data['citations'])).toEqual([[]]);
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });

  it('that are shown whole stand in the prompt of every pass', async () => {
    const call = await withDocuments([{ text: 'No dogs, I am afraid.' }, ...goodbyePasses]);
    call.carrier.says('May I bring my dog?');
    await call.untilEvent('agent-said', 2);
    expect(messagesOf(call, 0)[0]).toContain('Document “rules.md”:\nNo dogs in the shop.');
    expect(messagesOf(call, 0)[0]).not.toContain('thirty days');
    call.carrier.says('Goodbye.');
    await expectCleanEnd(call, 'agent_hangup');
  });
});
