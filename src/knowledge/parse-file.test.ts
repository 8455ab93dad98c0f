import { describe, expect, it } from 'vitest';
import { handbookDocx, makePdf, makeZip } from '../../test/support/documents/files.js';
import { fileFormats, formatOf, type FormatName } from './format.js';
import { MAX_FULL_TEXT_LENGTH, MAX_INFLATED_BYTES, MAX_PAGES, MAX_TEXT_LENGTH } from './limits.js';
import { parseFile } from './parse-file.js';

const read = (format: FormatName, bytes: Buffer | string, mode: 'retrieval' | 'full' = 'retrieval') =>
  parseFile({ bytes: new Uint8Array(Buffer.from(bytes)), format, mode });

const sectionsOf = async (format: FormatName, bytes: Buffer | string) => fileFormats[format].parse(new Uint8Array(Buffer.from(bytes)));

describe('the format of a file', () => {
  it.each([
    ['Handbook.PDF', 'application/octet-stream', 'pdf'],
    ['notes.md', 'text/plain', 'markdown'],
    ['notes', 'text/markdown; charset=utf-8', 'markdown'],
    ['prices', 'application/json', 'json'],
    ['letter.doc', 'application/msword', null],
    ['archive.zip', 'application/zip', null],
  ])('%s as %s is %s', (name, type, format) => expect(formatOf(name, type)).toBe(format));
});

describe('text', () => {
  it('is one section, in UTF-8 or UTF-16', async () => {
    expect(await sectionsOf('text', '\ufeffGrüße')).toEqual([{ heading: [], page: null, text: 'Grüße' }]);
    expect(await sectionsOf('text', Buffer.from('\ufeffGrüße', 'utf16le'))).toEqual([{ heading: [], page: null, text: 'Grüße' }]);
  });

  it.each([
    ['bytes that are no text', Buffer.from([0x80, 0x81, 0xff]), /not text in UTF-8/],
    ['a binary file', Buffer.from('MZ\0\0'), /not text in UTF-8/],
    ['nothing', Buffer.from(' \n\n'), /holds no text/],
    ['too much', Buffer.alloc(MAX_TEXT_LENGTH + 1, 'a'), /2000001 characters of text; 2000000 are taken/],
  ])('refuses %s', async (_, bytes, problem) => {
    await expect(read('text', bytes)).rejects.toThrow(problem);
  });

  it('that is shown whole must be short', async () => {
    await expect(read('text', 'a'.repeat(MAX_FULL_TEXT_LENGTH + 1), 'full')).rejects.toThrow(/Use mode=retrieval/);
    const text = Array.from({ length: 2000 }, (_, index) => `Line ${index}.`).join('\n');
    const { chunks } = await read('text', text, 'full');
    expect(chunks.length).toBeGreaterThan(10);
    expect(chunks.map((chunk) => chunk.text).join('\n')).toBe(text);
  });
});

describe('Markdown', () => {
  it('is a section per heading, with the headings above it', async () => {
    const file = ['Before.', '# Shop', 'Hello.', '## Returns ##', 'Thirty days.', '```', '# no heading', '```', 'Prices', '------', 'Nine.', '# Jobs', '', '#hashtag'].join('\n');
    expect(await sectionsOf('markdown', file)).toEqual([
      { heading: [], page: null, text: 'Before.' },
      { heading: ['Shop'], page: null, text: 'Hello.' },
      { heading: ['Shop', 'Returns'], page: null, text: 'Thirty days.\n```\n# no heading\n```' },
      { heading: ['Shop', 'Prices'], page: null, text: 'Nine.' },
      { heading: ['Jobs'], page: null, text: '\n#hashtag' },
    ]);
  });
});

describe('JSON', () => {
  it('is a line per value, and a section per record', async () => {
    const file = { hours: { monday: '9-17', days: ['mo', 'tu'] }, products: [{ name: 'Tube', price: 9 }, { name: 'Chain', sold: null }], empty: {} };
    expect(await sectionsOf('json', JSON.stringify(file))).toEqual([
      { heading: ['hours'], page: null, text: 'hours.monday: 9-17\nhours.days: mo, tu' },
      { heading: ['products[0]'], page: null, text: 'products[0].name: Tube\nproducts[0].price: 9' },
      { heading: ['products[1]'], page: null, text: 'products[1].name: Chain\nproducts[1].sold: null' },
    ]);
    expect(await sectionsOf('json', '"just words"')).toEqual([{ heading: [], page: null, text: 'just words' }]);
  });

  it.each([
    ['what is none', '{"a":', /not valid JSON/],
    ['what is nested to exhaust a stack', `${'['.repeat(5000)}1${']'.repeat(5000)}`, /nested more than 64/],
    ['what holds no value', '{}', /holds no text/],
    ['paths that multiply', JSON.stringify({ ['k'.repeat(10_000)]: Array.from({ length: 300 }, () => ({ a: 1 })) }), /more than 2000000 characters/],
  ])('refuses %s', async (_, file, problem) => {
    await expect(read('json', file)).rejects.toThrow(problem);
  });
});

describe('PDF', () => {
  it('is a section per page', async () => {
    expect(await sectionsOf('pdf', makePdf([['Opening hours', 'Nine to five.'], [], ['Returns (all)']]))).toEqual([
      { heading: [], page: 1, text: 'Opening hours\nNine to five.' },
      { heading: [], page: 2, text: '' },
      { heading: [], page: 3, text: 'Returns (all)' },
    ]);
    const { chunks } = await read('pdf', makePdf([['One'], [], ['Three']]));
    expect(chunks.map(({ page, position, text }) => [position, page, text])).toEqual([[0, 1, 'One'], [1, 3, 'Three']]);
  });

  it.each([
    ['pages that are pictures', makePdf([[], []]), /text recognition/],
    ['what is none', Buffer.from('<html>'), /no PDF, or a broken one/],
    ['a half', makePdf([['Opening hours']]).subarray(0, 300), /PDF/],
    ['too many pages', makePdf(Array.from({ length: MAX_PAGES + 1 }, () => ['x'])), /501 pages; 500 are taken/],
  ])('refuses %s', async (_, file, problem) => {
    await expect(read('pdf', file)).rejects.toThrow(problem);
  });
});

describe('DOCX', () => {
  it('is a section per heading; rows of a table are lines', async () => {
    expect(await sectionsOf('docx', handbookDocx())).toEqual([
      { heading: ['Handbook'], page: null, text: 'Bicycles & repairs since 1987.' },
      { heading: ['Handbook', 'Returns'], page: null, text: 'A bicycle can be returned within thirty days.' },
      { heading: ['Handbook', 'Prices'], page: null, text: 'Tube | 9 euros | \nChain | 25 euros |' },
    ]);
  });

  it.each([
    ['what is no archive', Buffer.from('PK nothing'), /no DOCX, or a broken one/],
    ['an archive of something else', makeZip('hello.txt', Buffer.from('hello')), /no DOCX, or a broken one/],
    ['a bomb', makeZip('word/document.xml', Buffer.alloc(MAX_INFLATED_BYTES + 1)), /unpacks to far more/],
    ['a bomb that calls itself small', makeZip('word/document.xml', Buffer.alloc(MAX_INFLATED_BYTES + 1), 100), /unpacks to far more/],
    ['a half', handbookDocx().subarray(0, 900), /no DOCX, or a broken one/],
  ])('refuses %s', async (_, file, problem) => {
    await expect(read('docx', file)).rejects.toThrow(problem);
  });
});
