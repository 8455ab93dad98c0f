import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sleep, systemClock } from '../../src/base/clock.js';
import { startFakeCloudonix, type FakeCloudonix } from '../../src/simulator/fake-cloudonix.js';
import { SIMULATOR_BEARER_TOKEN, SIMULATOR_DOMAIN } from '../../src/simulator/place-call.js';
import {
  createAgent,
  createSimulatorConfig,
  eventsOf,
  hasEnded,
  liveCalls,
  runsOf,
  setConcurrencyLimit,
  startCall,
  transcriptOf,
  type LineJson,
  type OngoingCall,
} from '../support/installation.js';
import { expectHeard } from '../support/heard.js';
import { buildProgram, disposeProcesses, startServerProcess, type ServerProcess } from '../support/server-process.js';
import { waitUntil } from '../support/wait-for.js';

const CALLS = 20;

/** Two turns that are over when the server dies, and a long answer that it dies in. */
const twoTurnsAndAHalf = `
  caller: Where are you, what is the address?
  caller: How much is a ticket?
  wait: 60s
`;

let cloudonix: FakeCloudonix;
beforeAll(async () => {
  await buildProgram();
  cloudonix = await startFakeCloudonix({ domains: { [SIMULATOR_DOMAIN]: { bearerToken: SIMULATOR_BEARER_TOKEN } } });
}, 120_000);
afterAll(async () => {
  await disposeProcesses();
  await cloudonix.close();
});

/** All transcripts by run. */
async function transcripts(url: string, agentUuid: string): Promise<ReadonlyMap<string, readonly LineJson[]>> {
  const runs = await runsOf(url, agentUuid);
  return new Map(await Promise.all(runs.map(async ({ id }) => [id, await transcriptOf(url, id)] as const)));
}

/** What the turns that were over left: the caller's words, and the agent's as far as they were heard, should a caller have cut in. */
const turnsBeforeTheEnd = [
  { role: 'agent', text: 'Hello, this is the front desk. How can I help you?' },
  { role: 'caller', text: 'Where are you, what is the address?' },
  { role: 'agent', text: 'We are at twelve Harbour Street, next to the old lighthouse.' },
  { role: 'caller', text: 'How much is a ticket?' },
] as const;

describe('kill -9 of a server that holds 20 calls', () => {
  let former: ServerProcess;
  let server: ServerProcess;
  let agentUuid: string;
  let known: ReadonlyMap<string, readonly LineJson[]>;
  let calls: OngoingCall[];
  let downAtMs: number;
  const env = () => ({ CLOUDONIX_API_BASE_URL: cloudonix.baseUrl });

  beforeAll(async () => {
    former = await startServerProcess({ env: env() });
    await createSimulatorConfig(former.url);
    await setConcurrencyLimit(former.url, CALLS);
    agentUuid = await createAgent(former.url, { max_user_idle_timeout: 60 });
    calls = Array.from({ length: CALLS }, () => startCall(former.url, agentUuid, twoTurnsAndAHalf, { cloudonix }));
    await waitUntil(
      'two turns of every call',
      async () => {
        await sleep(systemClock, 500);
        const all = [...(await transcripts(former.url, agentUuid)).values()];
        return all.length === CALLS && all.every((lines) => lines.filter(({ role }) => role === 'caller').length === 2);
      },
      60_000,
    );
    known = await transcripts(former.url, agentUuid);
    expect(await liveCalls(former.url)).toBe(CALLS);
    downAtMs = systemClock.nowMs();
    former.kill('SIGKILL');
    expect(await former.exited()).toEqual({ code: null, signal: 'SIGKILL' });
    server = await startServerProcess({ dataDir: former.dataDir, env: env() });
  }, 120_000);

  it('leaves no run live, once the server is ready again', async () => {
    const upAfterMs = systemClock.nowMs() - downAtMs;
    const runs = await runsOf(server.url, agentUuid);
    const sweptAfterMs = systemClock.nowMs() - downAtMs;
    process.stdout.write(`kill -9 with ${CALLS} calls: up after ${upAfterMs.toFixed(0)} ms, no run live after ${sweptAfterMs.toFixed(0)} ms\n`);
    expect(runs).toHaveLength(CALLS);
    for (const run of runs) expect(run).toMatchObject({ state: 'failed', end_reason: 'node_lost', close_code: null });
    expect(sweptAfterMs).toBeLessThan(30_000);
  });

  it('lets every caller notice', async () => {
    for (const call of calls) expect((await call.ended).ending).toMatchObject({ type: 'closed', code: 1006 });
  });

  it('leaves transcripts up to the last turn, which the callers had heard', async () => {
    for (const [runId, lines] of await transcripts(server.url, agentUuid)) {
      expect(lines.slice(0, known.get(runId)?.length)).toEqual(known.get(runId));
      for (const [index, { role, text }] of turnsBeforeTheEnd.entries()) {
        expect(lines[index]?.role).toBe(role);
        if (role === 'caller') expect(lines[index]?.text).toBe(text);
        else expect([text.slice(0, lines[index]?.text.length), text.slice(0, 8)]).toEqual([lines[index]?.text, lines[index]?.text.slice(0, 8)]);
      }
    }
    for (const call of calls) {
      const [greeting, , answer] = turnsBeforeTheEnd;
      expectHeard(await call.ended, [greeting.text, answer.text], 'start');
    }
  });

  it('leaves events without a gap, none of them twice', async () => {
    for (const { id } of await runsOf(server.url, agentUuid)) {
      const seqs = (await eventsOf(server.url, id)).map(({ seq }) => seq);
      expect(seqs.length).toBeGreaterThan(10);
      expect(seqs).toEqual(seqs.map((_, index) => index + 1));
    }
  });

  it('frees every slot: as many calls as the limit allows are answered', async () => {
    expect(await liveCalls(server.url)).toBe(0);
    const again = Array.from({ length: CALLS }, () => startCall(server.url, agentUuid, 'listen', { cloudonix, lingerMs: 0 }));
    for (const call of again) {
      const { ending, turns } = await call.ended;
      expect(ending).toMatchObject({ type: 'closed', by: 'carrier' });
      expect(turns[0]).toMatchObject({ who: 'agent' });
    }
    await waitUntil('the end of all runs', async () => (await runsOf(server.url, agentUuid)).every(hasEnded));
    const endings = (await runsOf(server.url, agentUuid)).map(({ state, end_reason: endReason }) => `${state} ${endReason}`);
    expect(endings.filter((ending) => ending === 'completed caller_hangup')).toHaveLength(CALLS);
    expect(endings.filter((ending) => ending === 'failed node_lost')).toHaveLength(CALLS);
    await server.stop();
  });
});
