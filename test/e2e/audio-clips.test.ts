import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MAX_CLIP_FILE_BYTES } from '../../src/audio/clip.js';
import { encodeMulaw } from '../../src/audio/g711.js';
import { encodeWav } from '../../src/audio/wav.js';
import { systemClock } from '../../src/base/clock.js';
import { runCli } from '../../src/cli/main.js';
import { createOutput } from '../../src/cli/output.js';
import type { Agent } from '../../src/store/store.js';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { media, placeStream, stop } from '../support/stream-carrier.js';
import { waitUntil } from '../support/wait-for.js';

let server: CallServer;
beforeAll(async () => {
  server = await startCallServer();
}, 60_000);
afterAll(() => server.stop());

const tone = Int16Array.from({ length: 8000 }, (_, at) => 9000 * Math.sin((2 * Math.PI * 300 * at) / 8000));
const toneWav = encodeWav({ sampleRateHz: 8000, channels: [tone] });

async function upload(file: Uint8Array, query: Record<string, string>) {
  const response = await fetch(`${server.node.url}/api/v1/audio-clips?${new URLSearchParams(query).toString()}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${server.tenant.key}`, 'content-type': 'audio/wav' },
    body: new Uint8Array(file),
  });
  return { status: response.status, json: (await response.json()) as Record<string, unknown> };
}

const uploaded = async (transcript = 'Welcome to Acme.') => String((await upload(toneWav, { name: 'Welcome', transcript })).json['uuid']);

const documentOf = (uuid: string) => ({
  nodes: [
    { id: 's', type: 'startCall', data: { name: 'Start', prompt: 'Help.', greeting: 'Hello from the voice.', greeting_type: 'audio', greeting_recording_id: uuid } },
    { id: 'n', type: 'say', data: { name: 'Note', recording_id: uuid } },
    { id: 'e', type: 'endCall', data: { name: 'End', prompt: 'Say goodbye.' } },
  ],
  edges: [
    { id: 's-n', source: 's', target: 'n', data: { label: 'Note', condition: 'The caller wants it.', transition_speech_type: 'audio', transition_speech_recording_id: uuid } },
    { id: 'n-e', source: 'n', target: 'e', data: { label: 'End' } },
  ],
});

/** One call that is hung up once its greeting was heard: its events, and the audio that came before its first mark. */
async function greetingOf(agent: Agent) {
  const carrier = await placeStream(server, server.streamUrl(agent.uuid));
  const live = await server.waitForRun(agent, ({ state }) => state === 'running');
  await waitUntil('the greeting to be heard', async () => (await server.eventsOf(live)).some(({ type }) => type === 'agent-said'));
  carrier.send(media(), stop);
  await carrier.closed;
  const run = await server.endedRun(agent);
  const audio = Buffer.concat(carrier.received.filter(({ event }) => event === 'media').map((message) => Buffer.from((message['media'] as { payload: string }).payload, 'base64')));
  return { run, events: await server.eventsOf(run), audio };
}

describe('a call whose agent greets with a recording', () => {
  it('is heard byte by byte; once the clip is deleted the voice speaks, and the run says so', async () => {
    const uuid = await uploaded();
    const agent = await server.createAgent({ workflow: documentOf(uuid) });
    const first = await greetingOf(agent);
    expect(first.audio.equals(Buffer.from(encodeMulaw(tone)))).toBe(true);
    expect(first.events.find(({ type }) => type === 'agent-said')?.data).toMatchObject({ text: 'Welcome to Acme.', interrupted: false });
    expect(first.events.map(({ type }) => type)).not.toContain('audio-clip-missing');
    expect(first.run.usage).toMatchObject({ tts_chars: 0 });

    expect((await server.request('DELETE', `/api/v1/audio-clips/${uuid}`)).status).toBe(204);
    const second = await greetingOf(agent);
    expect(second.events.find(({ type }) => type === 'agent-said')?.data).toMatchObject({ text: 'Hello from the voice.' });
    expect(second.events.filter(({ type }) => type === 'audio-clip-missing').map(({ data }) => data)).toEqual([{ recording_id: uuid, code: 'not-found' }]);
    expect(server.logLines.join('')).not.toContain(uuid);
  }, 30_000);

  it('is written in a chat by what is said in it', async () => {
    const agent = await server.createAgent({ workflow: documentOf(await uploaded('Welcome to the chat.')) });
    const { json } = await server.request('POST', `/api/v1/agents/${agent.uuid}/chats`, {});
    expect(JSON.stringify(json)).toContain('Welcome to the chat.');
  });
});

describe('an agent that names recordings', () => {
  const create = (uuid: string) => server.request('POST', '/api/v1/agents', { name: 'A', workflow_definition: documentOf(uuid) });

  it('is published while they are there, and refused by field where they are not', async () => {
    const uuid = await uploaded();
    expect((await create(uuid)).status).toBe(201);
    await server.request('DELETE', `/api/v1/audio-clips/${uuid}`);
    const refused = await create(uuid);
    expect([refused.status, (refused.json['errors'] as Record<string, unknown>[]).map(({ element_id: id, path, message }) => [id, path, message])]).toEqual([
      422,
      [
        ['s', 'data.greeting_recording_id', `there is no audio clip ${uuid}`],
        ['n', 'data.recording_id', `there is no audio clip ${uuid}`],
        ['s-n', 'data.transition_speech_recording_id', `there is no audio clip ${uuid}`],
      ],
    ]);
  });

  it('goes out and comes back as it is; without its clips it is told what to do', async () => {
    const uuid = await uploaded();
    const agent = (await create(uuid)).json['uuid'] as string;
    const { json: exported } = await server.request('GET', `/api/v1/agents/${agent}/export`);
    const again = await server.request('POST', '/api/v1/agents/import', exported);
    expect([again.status, again.json['dropped']]).toEqual([201, []]);
    expect((again.json['content'] as Record<string, unknown>)['workflow_definition']).toEqual(exported['workflow_definition']);

    const elsewhere = await server.request('POST', '/api/v1/agents/import?dry_run=true', exported, await server.createTenant());
    const dropped = elsewhere.json['dropped'] as { path: string; why: string }[];
    expect(dropped.map(({ path }) => path)).toEqual(expect.arrayContaining(['nodes.0.data.greeting_recording_id', 'nodes.1.data.recording_id', 'edges.0.data.transition_speech_recording_id']));
    expect(dropped[0]?.why).toMatch(/upload the recording/);
    // A node without words or recording says nothing.
    expect((elsewhere.json['problems'] as { element_id: string; path: string }[]).map(({ element_id: id, path }) => [id, path])).toEqual([['n', 'data.text']]);
  });
});

describe('an upload', () => {
  it.each<[string, Buffer, Record<string, string>, number, string, RegExp]>([
    ['an MP3', Buffer.from('ID3\x04\x00\x00\x00\x00\x00\x00abcdef', 'latin1'), { name: 'A' }, 422, 'clip-unreadable', /This is an MP3\. Convert it to WAV/],
    ['more than a minute', encodeWav({ sampleRateHz: 8000, channels: [new Int16Array(8000 * 61)] }), { name: 'A' }, 422, 'clip-unreadable', /61\.0 s/],
    ['nothing', Buffer.alloc(0), { name: 'A' }, 422, 'invalid-request', /./],
    ['too large a file', Buffer.alloc(MAX_CLIP_FILE_BYTES + 1), { name: 'A' }, 413, 'body-too-large', /./],
    ['a clip without a name', toneWav, {}, 422, 'invalid-request', /./],
    ['a field that is not known', toneWav, { name: 'A', language: 'en' }, 422, 'invalid-request', /./],
    ['too long a transcript', toneWav, { name: 'A', transcript: 'x'.repeat(1501) }, 422, 'invalid-request', /./],
  ])('of %s is refused', async (_name, file, query, status, code, detail) => {
    const answer = await upload(file, query);
    expect([answer.status, answer.json['code']]).toEqual([status, code]);
    expect(answer.json['detail']).toMatch(detail);
  });

  it('with a transcript of any script fits', async () => {
    const transcript = '語'.repeat(1500);
    expect((await upload(toneWav, { name: '語'.repeat(200), transcript })).json).toMatchObject({ transcript });
  });
});

describe('the command line', () => {
  it('uploads, lists and deletes', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'agent-stream-clips-'));
    const file = join(directory, 'closing time.wav');
    await writeFile(file, toneWav);
    const cli = async (...argv: string[]) => {
      const written = { stdout: '', stderr: '' };
      const sink = (name: keyof typeof written) => ({ write: (text: string) => (written[name] += text) });
      const output = createOutput({ stdout: sink('stdout'), stderr: sink('stderr'), hasColor: false });
      const env = { AGENT_STREAM_URL: server.node.url, AGENT_STREAM_API_KEY: server.tenant.key };
      const exitCode = await runCli(['clips', ...argv], { env, output, clock: systemClock, fetch, signal: new AbortController().signal });
      return { exitCode, ...written };
    };
    try {
      const added = await cli('add', file, '--transcript', 'We close at six.');
      expect(added).toMatchObject({ exitCode: 0, stderr: '' });
      const uuid = /^(\S{36}) {2}closing time, 1\.0 s\n$/.exec(added.stdout)?.[1] ?? '';
      expect((await cli('list')).stdout).toMatch(new RegExp(`${uuid} +closing time +1\\.0 +We close at six\\.`));
      expect((await cli('remove', uuid)).stdout).toBe('Deleted\n');
      expect((await cli('list')).stdout).not.toContain(uuid);
      expect((await cli('add', 'gone.wav')).stderr).toMatch(/cannot read gone\.wav/);
      await writeFile(file, 'OggS and so on');
      expect((await cli('add', file)).stderr).toMatch(/This is an Ogg or Opus file\. Convert it to WAV/);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
