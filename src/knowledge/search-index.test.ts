import { describe, expect, it } from 'vitest';
import { parseMarkdown } from './formats/markdown.js';
import { chunkSections } from './chunk.js';
import { createPassageIndex } from './passage-index.js';

const document = (name: string, markdown: string) => ({
  uuid: `uuid-of-${name}`,
  name,
  chunks: chunkSections(parseMarkdown(new Uint8Array(Buffer.from(markdown))), { hasOverlap: true }),
});

const handbook = document(
  'Handbook.md',
  `# Returns
A bicycle can be given back within thirty days with its receipt.
# Opening hours
We are open from nine to five. On Sundays the shop is closed.
# Repairs
The workshop repairs punctures while you wait; a broken chain takes two days.
# Öffnungszeiten
Die Werkstatt ist dienstags geschlossen.`,
);
const prices = document('Prices.md', '# Tubes\nA tube costs nine euros.\n# Item X200-B\nThe front light costs forty euros.');
const japanese = document('案内.md', '# 営業時間\n当店は午前九時から午後五時まで営業しています。\n# 返品\n自転車は三十日以内に返品できます。');

const index = createPassageIndex();
for (const { chunks, ...each } of [handbook, prices, japanese]) index.add(each, chunks);
const find = (text: string, limit?: number) => index.search({ text, vector: null, limit });

describe('a search', () => {
  it.each([
    ['How do I return a bicycle?', 'Returns'],
    ['can I give the bike back, where is the receipt', 'Returns'],
    ['opening hours on sunday', 'Opening hours'],
    ['Are you open on Sundays?', 'Opening hours'],
    ['punctur', 'Repairs'],
    ['reperied chain', 'Repairs'],
    ['WANN IST DIE WERKSTATT GESCHLOSSEN', 'Öffnungszeiten'],
    ['offnungszeiten', 'Öffnungszeiten'],
    ['x200', 'Item X200-B'],
    ['返品できますか', '返品'],
    ['営業時間を教えて', '営業時間'],
  ])('for “%s” finds %s first', (query, heading) => {
    expect(find(query)[0]?.heading).toEqual([heading]);
  });

  it.each(['', '???', 'what is it', 'Who won the football championship?', 'quantum chromodynamics', '天気予報'])('for “%s” finds nothing', (query) => {
    expect(find(query)).toEqual([]);
  });

  it('gives what a citation needs, the best first, within its limit', () => {
    const all = find('euros');
    expect(all.map(({ heading }) => heading[0]).toSorted()).toEqual(['Item X200-B', 'Tubes']);
    expect(all[0]?.score).toBeGreaterThanOrEqual(all[1]?.score ?? 0);
    expect(all.find(({ heading }) => heading[0] === 'Tubes')).toMatchObject({
      documentUuid: 'uuid-of-Prices.md',
      documentName: 'Prices.md',
      position: 0,
      page: null,
      text: 'A tube costs nine euros.',
    });
    expect(find('euros', 1)).toHaveLength(1);
  });

  it('of a long query looks at its beginning', () => {
    expect(find(`returns ${'nonsense '.repeat(100_000)}`)).toHaveLength(1);
  });
});
