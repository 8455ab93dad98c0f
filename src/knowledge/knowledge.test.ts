import { describe, expect, it } from 'vitest';
import { memoryDocuments } from '../../test/support/documents/memory-documents.js';
import { memoryKnowledge } from '../../test/support/documents/memory-knowledge.js';

const files = { hours: ['Opening hours: nine to five.'], returns: ['Returns within thirty days.', 'Helmets stay sold.'] };

describe('the knowledge base', () => {
  it('gives documents whole where they are shown whole, each heading once', async () => {
    const source = memoryDocuments({ rules: [{ heading: ['A'], text: 'one' }, { heading: ['A'], text: 'two' }, { heading: ['A', 'B'], text: 'three' }], hours: files.hours }, { full: ['rules'] });
    expect(await memoryKnowledge(source).open('org', ['rules', 'hours', 'gone'])).toEqual([
      { uuid: 'rules', name: 'rules.md', text: 'A\none\n\ntwo\n\nA › B\nthree' },
      { uuid: 'hours', name: 'hours.md', text: null },
    ]);
  });

  it('indexes a set once, whoever asks first, and apart from that of another organization', async () => {
    const source = memoryDocuments(files);
    const knowledge = memoryKnowledge(source);
    knowledge.prepare('org', ['hours', 'returns']);
    const [first, second] = await Promise.all([
      knowledge.search('org', ['hours', 'returns'], { text: 'opening hours' }),
      knowledge.search('org', ['returns', 'hours'], { text: 'return helmets', limit: 1 }),
    ]);
    expect(first.passages.map(({ documentName }) => documentName)).toEqual(['hours.md']);
    expect(second.passages.map(({ documentName, position }) => [documentName, position])).toEqual([['returns.md', 1]]);
    expect(source.reads).toEqual(['hours', 'returns']);
    await knowledge.search('other', ['hours'], { text: 'opening' });
    expect(source.reads).toEqual(['hours', 'returns', 'hours']);
  });

  it('tries again after a failure', async () => {
    const source = memoryDocuments(files);
    const knowledge = memoryKnowledge(source);
    source.failNext(new Error('The database is away'));
    await expect(knowledge.search('org', ['hours'], { text: 'hours' })).rejects.toThrow('The database is away');
    expect((await knowledge.search('org', ['hours'], { text: 'hours' })).passages).toHaveLength(1);
  });

  it('finds nothing in nothing', async () => {
    const knowledge = memoryKnowledge(memoryDocuments({}));
    expect(await knowledge.search('org', ['gone'], { text: 'hours' })).toEqual({ passages: [], ranking: 'lexical', failure: null });
  });
});
