import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFakeCloudonix, type FakeCloudonix } from '../../src/simulator/fake-cloudonix.js';
import { SIMULATOR_BEARER_TOKEN, SIMULATOR_DOMAIN } from '../../src/simulator/place-call.js';
import { makePdf } from '../support/documents/files.js';
import { startFakeOpenaiEmbeddings, type EmbeddingFault, type FakeEmbeddings } from '../support/fakes/embeddings.js';
import { createAgent, createSimulatorConfig, eventsOf, hasEnded, send, startCall, transcriptOf, waitForRun } from '../support/installation.js';
import { API_KEY, buildProgram, disposeProcesses, startServerProcess, type ServerProcess } from '../support/server-process.js';
import { waitFor, waitUntil } from '../support/wait-for.js';
import { edge, node } from '../support/workflow-call.js';

let cloudonix: FakeCloudonix;
let embeddings: FakeEmbeddings;
let server: ServerProcess;
/** What the embedding vendor's next requests meet. */
let fault: EmbeddingFault | undefined;

beforeAll(async () => {
  await buildProgram();
  cloudonix = await startFakeCloudonix({ domains: { [SIMULATOR_DOMAIN]: { bearerToken: SIMULATOR_BEARER_TOKEN } } });
  embeddings = await startFakeOpenaiEmbeddings({ apiKey: 'openai-key', fault: () => fault });
  server = await startServerProcess({ env: { CLOUDONIX_API_BASE_URL: cloudonix.baseUrl, OPENAI_API_KEY: 'openai-key', OPENAI_BASE_URL: embeddings.httpUrl } });
  await createSimulatorConfig(server.url);
}, 120_000);
afterAll(async () => {
  await disposeProcesses();
  await embeddings.close();
  await cloudonix.close();
});

async function upload(name: string, content: Buffer | string): Promise<string> {
  const headers = { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/octet-stream' };
  const response = await fetch(`${server.url}/api/v1/documents?name=${name}`, { method: 'POST', headers, body: new Uint8Array(Buffer.from(content)) });
  const { uuid } = (await response.json()) as { uuid: string };
  expect(response.status).toBe(201);
  return uuid;
}

/** Calls an agent that answers from the documents, and asks one question. */
async function ask(documentUuids: readonly string[], question: string) {
  const workflow = {
    nodes: [
      node('start', 'startCall', { greeting: 'Hello, this is the shop.', prompt: 'Answer from the documents.', document_uuids: documentUuids }),
      node('end', 'endCall', { prompt: 'Say goodbye.' }),
    ],
    edges: [{ ...edge('start', 'end'), data: { label: 'Goodbye', condition: 'The caller says goodbye.' } }],
  };
  const agentUuid = await createAgent(server.url, {}, workflow);
  const call = startCall(server.url, agentUuid, [`caller: ${question}`, 'listen', 'hangup'].join('\n'), { cloudonix });
  await call.ended;
  const run = await waitForRun(server.url, agentUuid, hasEnded);
  const events = await eventsOf(server.url, run.id);
  const dataOf = (type: string) => events.filter((event) => event.type === type).map(({ data }) => data);
  const said = (await transcriptOf(server.url, run.id)).filter(({ role }) => role === 'agent').map(({ text }) => text);
  return { said, retrieved: dataOf('knowledge-retrieved'), failed: dataOf('embedding-failed'), tools: dataOf('tool-finished') };
}

const embeddingOf = async (uuid: string) => (await send(server.url, 'GET', `/api/v1/documents/${uuid}`)).json['embedding'] as Record<string, unknown> | null;
const putModels = async (embedding: unknown) =>
  (await send(server.url, 'PUT', '/api/v1/organization/limits', { body: { default_models: embedding === null ? null : { embeddings: embedding } } })).status;

const handbook = '# Returns\nA bicycle is taken back within thirty days.\n\n# Lamps\nEvery lamp is made of brass.';

describe('documents of a server', () => {
  let handbookUuid: string;

  it('are uploaded, attached and published; a caller asks, the agent answers from them, and the run cites what it found', async () => {
    handbookUuid = await upload('handbook.md', handbook);
    const leafletUuid = await upload('leaflet.pdf', makePdf([['Parking is behind the house.'], ['Punctures are repaired at once.']]));
    expect(await embeddingOf(handbookUuid)).toBeNull();
    const { said, retrieved } = await ask([handbookUuid, leafletUuid], 'Are punctures repaired?');
    expect(said.join(' ')).toContain('Punctures are repaired at once.');
    const citation = { document_uuid: leafletUuid, document_name: 'leaflet.pdf', heading: [], page: 2, position: 1, score: expect.any(Number) as number };
    expect(retrieved).toEqual([{ tool_call_id: expect.any(String) as string, ranking: 'lexical', citations: [citation] }]);
    expect(embeddings.requests).toEqual([]);
  }, 120_000);

  it('get embeddings when the organization chooses a model, and answer questions in words that they do not use', async () => {
    const search = { body: { query: 'Can I get a refund for my bike?', document_uuids: [handbookUuid] } };
    expect((await send(server.url, 'POST', '/api/v1/documents/search', search)).json).toMatchObject({ ranking: 'lexical', items: [] });
    expect(await putModels({ vendor: 'openai', voice: 'x' })).toBe(422);
    expect(await putModels({ vendor: 'openai' })).toBe(200);
    await waitUntil('the embeddings', async () => (await embeddingOf(handbookUuid))?.['status'] === 'ready');
    expect(await embeddingOf(handbookUuid)).toEqual({ status: 'ready', vendor: 'openai', model: 'text-embedding-3-small', embedded_chunks: 2, failure: null });
    const { said, retrieved, failed } = await ask([handbookUuid], 'Can I get a refund for my bike?');
    expect(said.join(' ')).toContain('A bicycle is taken back within thirty days.');
    expect(retrieved).toMatchObject([{ ranking: 'fused', citations: [{ document_uuid: handbookUuid, heading: ['Returns'] }] }]);
    expect(failed).toEqual([]);
  }, 120_000);

  it('are searched by words while the vendor fails, and the run says why', async () => {
    fault = { kind: 'http', status: 503 };
    const { said, retrieved, failed } = await ask([handbookUuid], 'What is every lamp made of?');
    fault = undefined;
    expect(said.join(' ')).toContain('Every lamp is made of brass.');
    expect(retrieved).toMatchObject([{ ranking: 'lexical', citations: [{ heading: ['Lamps'] }] }]);
    expect(failed).toMatchObject([{ vendor: 'openai', model: 'text-embedding-3-small', code: 'vendor-unreachable' }]);
    expect(server.output().stdout).not.toContain('every lamp made of');
  }, 120_000);

  it('are embedded at their upload, by another model after a change, again on demand after a failure, and no more without one', async () => {
    fault = { kind: 'http', status: 401 };
    const uuid = await upload('prices.md', '# Prices\nA tube costs nine euros.');
    const failure = await waitFor('the failure', async () => (await embeddingOf(uuid))?.['failure']);
    expect(failure).toMatchObject({ code: 'vendor-unauthorized' });
    expect(await embeddingOf(uuid)).toMatchObject({ status: 'failed', embedded_chunks: 0 });
    fault = undefined;
    expect((await send(server.url, 'POST', '/api/v1/documents/embed')).status).toBe(202);
    await waitUntil('the embeddings', async () => (await embeddingOf(uuid))?.['status'] === 'ready');

    expect(await putModels({ vendor: 'openai', model: 'text-embedding-3-large', dimensions: 256 })).toBe(200);
    await waitUntil('the other model’s', async () => (await embeddingOf(uuid))?.['model'] === 'text-embedding-3-large' && (await embeddingOf(uuid))?.['status'] === 'ready');
    expect(embeddings.requests.at(-1)?.body).toMatchObject({ model: 'text-embedding-3-large', dimensions: 256 });

    expect(await putModels(null)).toBe(200);
    await waitUntil('their end', async () => (await embeddingOf(uuid)) === null);
    expect((await send(server.url, 'POST', '/api/v1/documents/search', { body: { query: 'tube' } })).json).toMatchObject({ ranking: 'lexical', items: [{ document_uuid: uuid }] });
  }, 120_000);
});
