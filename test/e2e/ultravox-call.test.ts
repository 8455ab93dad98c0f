import { afterAll, beforeAll, expect, it } from 'vitest';
import { startCallServer, type CallServer } from '../support/call-server.js';
import { hearBuiltinVoice, speakBuiltinVoice } from '../support/fakes/builtin-voice.js';
import { startFakeUltravox, type FakeUltravox, type UltravoxScript } from '../support/fakes/ultravox.js';
import { BOOKED, booking, createAnswers, expectBooking, holdCall } from '../support/realtime-scene.js';

/** A whole call with Ultravox: the server as it runs, a simulated carrier and caller, and a fake that speaks the vendor's protocol. */
let server: CallServer;
let fake: FakeUltravox;
const answers = createAnswers<UltravoxScript>();

beforeAll(async () => {
  fake = await startFakeUltravox({ apiKey: 'ultravox-key', transcribe: hearBuiltinVoice, render: speakBuiltinVoice, firstByteMs: 250, respond: () => answers.next() });
  server = await startCallServer({ env: { ULTRAVOX_API_KEY: 'ultravox-key', ULTRAVOX_BASE_URL: fake.httpUrl } });
});
afterAll(async () => {
  await server.stop();
  await fake.close();
});

it('greets, follows the workflow’s edges stage by stage, is interrupted, and hangs up after its last words', async () => {
  answers.set(booking.answers);
  expectBooking(await holdCall(server, booking.script, { realtime: { vendor: 'ultravox' } }));

  const [connection] = fake.connections;
  expect(fake.connections).toHaveLength(1);
  expect(connection?.problems).toEqual([]);
  // The vendor cut its own memory where the caller interrupted it.
  const cut = connection?.remembered.find(({ text }) => text === BOOKED);
  expect(cut?.audioMs).toBeLessThan((await speakBuiltinVoice(BOOKED)).length / 8);
  // One stage per node, each with its prompt, and no more.
  expect(connection?.stages.map(({ systemPrompt }) => /Find out|Book a table|Say goodbye/.exec(String(systemPrompt))?.[0])).toEqual(['Find out', 'Book a table', 'Say goodbye']);
  expect(connection?.messages.at(-1)).toEqual({ type: 'hang_up' });
});
