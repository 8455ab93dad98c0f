import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_FILE_BYTES } from '../../src/knowledge/limits.js';
import { handbookDocx, makePdf, makeZip } from '../support/documents/files.js';
import { runCli } from '../../src/cli/main.js';
import { createOutput } from '../../src/cli/output.js';
import { systemClock } from '../../src/base/clock.js';
import { startApi, type ApiTest } from './api-harness.js';

let api: ApiTest;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

async function upload(name: string, content: Buffer | string, { mode = 'retrieval', type = 'application/octet-stream', key = api.alice.key } = {}) {
  const url = `${api.url}/api/v1/documents?name=${encodeURIComponent(name)}&mode=${mode}`;
  const response = await fetch(url, { method: 'POST', headers: { authorization: `Bearer ${key}`, 'content-type': type }, body: new Uint8Array(Buffer.from(content)) });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

describe('uploading a file', () => {
  it('of every format makes a document whose parts can be searched', async () => {
    const json = JSON.stringify({ products: [{ name: 'Lamp', price: 'forty euros' }] });
    const uploads = [
      await upload('Guide.pdf', makePdf([['Punctures are repaired'], ['while you wait.']])),
      await upload('Handbook.docx', handbookDocx()),
      await upload('Hours.md', '# Opening hours\nNine to five.'),
      await upload('letter', 'Parking is behind the house.', { type: 'text/plain; charset=utf-8' }),
      await upload('products.json', json, { type: 'application/json' }),
    ];
    expect(uploads.map(({ status, json: { mime_type: type, chunk_count: count } }) => [status, type, count])).toEqual([
      [201, 'application/pdf', 2],
      [201, 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', 3],
      [201, 'text/markdown', 1],
      [201, 'text/plain', 1],
      [201, 'application/json', 1],
    ]);
    const uuids = uploads.map((uploaded) => String(uploaded.json['uuid']));
    const search = async (query: string) =>
      (await api.request('POST', '/api/v1/documents/search', { body: { query, document_uuids: uuids } })).json.items?.map((item) => [item['document_name'], item['page'], item['heading']]);
    expect(await search('punctures repaired')).toEqual([['Guide.pdf', 1, []]]);
    expect(await search('can I return a bicycle')).toEqual([['Handbook.docx', null, ['Handbook', 'Returns']]]);
    expect(await search('opening hours')).toEqual([['Hours.md', null, ['Opening hours']]]);
    expect(await search('where is the parking')).toEqual([['letter', null, []]]);
    expect(await search('price of the lamp')).toEqual([['products.json', null, ['products[0]']]]);
    expect(await search('football championship')).toEqual([]);
  });

  it.each([
    ['Letter.doc', 'text', 415, 'unsupported-media-type', /\.pdf, \.docx, \.md, \.txt or \.json/],
    ['Scan.pdf', makePdf([[]]), 422, 'document-unreadable', /text recognition/],
    ['Broken.pdf', 'nonsense', 422, 'document-unreadable', /no PDF, or a broken one/],
    ['Bomb.docx', makeZip('word/document.xml', Buffer.alloc(70_000_000)), 422, 'document-unreadable', /unpacks to far more/],
    ['Empty.txt', ' ', 422, 'document-unreadable', /holds no text/],
    ['None.txt', '', 422, 'invalid-request', /./],
    ['Large.txt', Buffer.alloc(MAX_FILE_BYTES + 1, 'a'), 413, 'body-too-large', /./],
  ])('%s is refused, and says why', async (name, content, status, code, detail) => {
    const answer = await upload(name, content);
    expect([answer.status, answer.json['code']]).toEqual([status, code]);
    expect(answer.json['detail']).toMatch(detail);
  });

  it('that is too long to be shown whole is refused', async () => {
    const answer = await upload('Long.txt', 'word '.repeat(10_000), { mode: 'full' });
    expect(answer.json).toMatchObject({ code: 'document-unreadable', detail: expect.stringMatching(/Use mode=retrieval/) as string });
    expect((await upload('Long.txt', 'word', { mode: 'half' })).status).toBe(422);
  });
});

describe('an agent that names a document', () => {
  const content = (uuids: readonly string[]) => ({
    workflow_definition: {
      nodes: [
        { id: 'start', type: 'startCall', data: { name: 'Start', prompt: 'Help.', document_uuids: uuids } },
        { id: 'end', type: 'endCall', data: { name: 'End', prompt: 'Say goodbye.' } },
      ],
      edges: [{ id: 'out', source: 'start', target: 'end', data: { label: 'Goodbye', condition: 'The caller says goodbye.' } }],
    },
  });
  const create = (uuids: readonly string[], key = api.alice.key) => api.request('POST', '/api/v1/agents', { body: { name: 'A', ...content(uuids) }, key });

  it('can be published while the document exists and is its organization’s', async () => {
    const uuid = String((await upload('Ours.txt', 'Our secret is safe.')).json['uuid']);
    const created = await create([uuid]);
    expect(created.status, created.text).toBe(201);
    const theirs = await create([uuid], api.bob.key);
    expect([theirs.status, theirs.json['errors']]).toEqual([
      422,
      [{ path: 'data.document_uuids.0', message: `there is no document ${uuid}`, cure: 'Attach a document that exists, or remove it here.', element_id: 'start' }],
    ]);
    await api.request('DELETE', `/api/v1/documents/${uuid}`);
    const agent = `/api/v1/agents/${String(created.json['uuid'])}`;
    const draft = await api.request('PUT', `${agent}/draft`, { body: content([uuid]) });
    expect([draft.status, draft.json['errors']]).toMatchObject([200, [{ element_id: 'start' }]]);
    expect((await api.request('POST', `${agent}/publish`)).status).toBe(422);
  });

  it('is refused more than a prompt holds', async () => {
    const uuids = [];
    for (const name of ['a.txt', 'b.txt']) uuids.push(String((await upload(name, 'word '.repeat(6000), { mode: 'full' })).json['uuid']));
    expect((await create([uuids[0] ?? ''])).status).toBe(201);
    const refused = await create(uuids);
    expect(refused.json['errors']).toMatchObject([{ path: 'data.document_uuids', message: 'documents of mode full hold 59998 characters here; 40000 are taken' }]);
  });
});

describe('the command line', () => {
  const handbook = new URL('../../examples/support-handbook.md', import.meta.url).pathname;

  async function cli(...argv: string[]) {
    const written = { stdout: '', stderr: '' };
    const sink = (name: keyof typeof written) => ({ write: (text: string) => (written[name] += text) });
    const output = createOutput({ stdout: sink('stdout'), stderr: sink('stderr'), hasColor: false });
    const env = { AGENT_STREAM_URL: api.url, AGENT_STREAM_API_KEY: api.bob.key };
    const exitCode = await runCli(['documents', ...argv], { env, output, clock: systemClock, fetch, signal: new AbortController().signal });
    return { exitCode, ...written };
  }

  it('uploads, lists, searches and deletes', async () => {
    const added = await cli('add', handbook);
    expect(added).toMatchObject({ exitCode: 0, stderr: '' });
    const uuid = /^(\S{36}) {2}support-handbook\.md, 6 parts\n$/.exec(added.stdout)?.[1] ?? '';
    expect((await cli('list')).stdout).toMatch(new RegExp(`${uuid} +support-handbook\\.md +retrieval +\\d+ +6`));
    const found = await cli('search', 'return a bicycle', '--document', uuid);
    expect(found.stdout).toMatch(/^support-handbook\.md › Wheels and Gears: handbook for the phone › Returns and refunds \(\d/);
    expect(await cli('search', 'football championship')).toMatchObject({ exitCode: 0, stdout: '', stderr: 'Nothing fits.\n' });
    expect(await cli('embed')).toMatchObject({ exitCode: 4, stderr: expect.stringMatching(/default_models\.embeddings.*has no embedding model/) as string });
    expect((await cli('remove', uuid)).stdout).toBe('Deleted\n');
    expect((await cli('list')).stdout).not.toContain(uuid);
  });

  it('says what is wrong with a file', async () => {
    expect((await cli('add', 'gone.pdf')).stderr).toMatch(/cannot read gone\.pdf/);
    expect((await cli('add', new URL('./api-documents.test.ts', import.meta.url).pathname)).stderr).toMatch(/\.pdf, \.docx, \.md, \.txt or \.json/);
  });
});

describe('a search', () => {
  it('of documents that are not there, or of others, is refused', async () => {
    const uuid = String((await upload('Ours.txt', 'Our secret is safe.')).json['uuid']);
    const body = { query: 'secret', document_uuids: [uuid] };
    expect((await api.request('POST', '/api/v1/documents/search', { body })).json.items).toHaveLength(1);
    const theirs = await api.request('POST', '/api/v1/documents/search', { body, key: api.bob.key });
    expect([theirs.status, theirs.json['errors']]).toEqual([422, [{ path: 'document_uuids.0', message: 'there is no such document' }]]);
    expect((await api.request('DELETE', `/api/v1/documents/${uuid}`)).status).toBe(204);
    expect((await api.request('POST', '/api/v1/documents/search', { body })).status).toBe(422);
  });

  it('looks at no more text than a node may search: the newest, where nothing is named', async () => {
    const { organizationId, key } = api.bob;
    const fields = { name: 'Large.txt', mimeType: 'text/plain', sizeBytes: 1, mode: 'retrieval' as const, textLength: 1_500_000 };
    const uuids = [];
    for (const text of ['older wombat', 'newer wombat']) uuids.push((await api.store.documents.create(organizationId, fields, [{ position: 0, heading: [], page: null, text }])).uuid);
    const search = (body: object) => api.request('POST', '/api/v1/documents/search', { body: { query: 'wombat', ...body }, key });
    expect((await search({})).json.items?.map(({ text }) => text)).toEqual(['newer wombat']);
    expect((await search({ document_uuids: uuids })).json['errors']).toEqual([
      { path: 'document_uuids', message: 'hold 3000000 characters; 2000000 are searched at once', cure: 'Name fewer.' },
    ]);
  });

  it('leaves its words out of the log', async () => {
    await api.request('POST', '/api/v1/documents/search', { body: { query: 'canary-query-4711' } });
    expect(api.logLines.join('')).not.toContain('canary-query-4711');
  });
});
