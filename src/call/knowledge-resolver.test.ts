import { describe, expect, it } from 'vitest';
import { memoryDocuments } from '../../test/support/documents/memory-documents.js';
import { memoryKnowledge } from '../../test/support/documents/memory-knowledge.js';
import { edge, graphOf, node } from '../../test/support/workflow-call.js';
import { searchedSets } from '../workflow/attach-documents.js';
import { createKnowledgeResolver } from './knowledge-resolver.js';

const graph = graphOf([node('start', 'startCall', { document_uuids: ['handbook'] }), node('end', 'endCall')], [edge('start', 'end')]);
const noFailure = () => expect.unreachable();

describe('the documents of a call', () => {
  it('are those that exist when it begins; the graph is built anew only where they changed', async () => {
    const documents: Record<string, string[]> = { handbook: ['Nine to five.'] };
    const source = memoryDocuments(documents);
    const resolver = createKnowledgeResolver(memoryKnowledge(source));
    const first = await resolver.attach('org', graph, noFailure);
    expect(searchedSets(first)).toEqual([['handbook']]);
    expect(await resolver.attach('org', graph, noFailure)).toBe(first);
    delete documents['handbook'];
    expect(searchedSets(await resolver.attach('org', graph, noFailure))).toEqual([]);
  });

  it('that cannot be read are gone without', async () => {
    const source = memoryDocuments({ handbook: ['Nine to five.'] });
    source.failNext(new Error('The database is away'));
    const failures: string[] = [];
    const resolver = createKnowledgeResolver(memoryKnowledge(source));
    expect(await resolver.attach('org', graph, ({ code }) => void failures.push(code))).toBe(graph);
    expect(failures).toEqual(['internal-error']);
  });

  it('cost nothing where there are none', async () => {
    const plain = graphOf([node('start', 'startCall'), node('end', 'endCall')], [edge('start', 'end')]);
    const source = memoryDocuments({});
    source.failNext(new Error('nobody asks'));
    expect(await createKnowledgeResolver(memoryKnowledge(source)).attach('org', plain, noFailure)).toBe(plain);
  });
});
