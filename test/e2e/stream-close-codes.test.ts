import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { repeat, systemClock } from '../../src/base/clock.js';
import { errorCatalogue } from '../../src/base/error-catalogue.js';
import { terminalStateOf } from '../../src/runs/lifecycle.js';
import { hasEnded, startCallServer, type CallServer } from '../support/call-server.js';
import { connected, openCarrier, placeStream, startMessage, stop } from '../support/stream-carrier.js';
import { waitUntil } from '../support/wait-for.js';
import { callCases } from './stream-close-calls.js';
import type { CloseCase } from './stream-close-cases.js';
import { handshakeCases } from './stream-close-handshakes.js';
import { refusalCases } from './stream-close-refusals.js';

let server: CallServer;
beforeAll(async () => {
  server = await startCallServer();
});
afterAll(() => server.stop());
afterEach(() => {
  vi.restoreAllMocks();
  server.cloudonix.setBehaviour('get-session', []);
});

const titled = (cases: readonly CloseCase[]) => cases.map((one) => [`${one.close.code} ${one.close.reason}: ${one.when}`, one] as const);

async function play(closeCase: CloseCase): Promise<void> {
  const tenant = await server.createTenant();
  const agent = await server.createAgent({ ...closeCase.agent, tenant });
  const carrier = await closeCase.play({ server, agent, tenant });
  expect(await carrier.closed).toEqual(closeCase.close);

  const { code: closeCode, reason: closeReason } = closeCase.close;
  const { end } = closeCase;
  if (end === null) expect(await server.runsOf(agent)).toEqual([]);
  else expect(await server.endedRun(agent)).toMatchObject({ state: terminalStateOf(end), endReason: end, closeCode, closeReason });
  const listed = closeCase.isListed ? [{ closeCode, reason: closeReason }] : [];
  await vi.waitFor(async () => expect(await server.refusalsOf(agent)).toEqual(listed));
}

describe('a stream that is refused leaves no run', () => {
  it.each(titled(refusalCases))('%s', (_title, closeCase) => play(closeCase));

  it('1008 Concurrent call limit reached: of the agent', async () => {
    const agent = await server.createAgent({ settings: { limits: { concurrent_calls: 1 } } });
    const first = await placeStream(server, server.streamUrl(agent.uuid));
    await first.heard();
    const second = await openCarrier(server.streamUrl(agent.uuid));
    expect(await second.closed).toEqual({ code: 1008, reason: 'Concurrent call limit reached' });
    first.socket.close();
    await server.endedRun(agent);
    expect(await server.runsOf(agent)).toHaveLength(1);
    expect(await server.refusalsOf(agent)).toEqual([{ closeCode: 1008, reason: 'Concurrent call limit reached' }]);
    const third = await placeStream(server, server.streamUrl(agent.uuid));
    await third.heard();
    third.socket.close();
    await server.endedRun(agent);
  });
});

describe('a stream whose handshake fails leaves a failed run', () => {
  it.each(titled(handshakeCases))('%s', (_title, closeCase) => play(closeCase));

  it('4409 This call already has a stream: of several sockets that claim a session at once, all but one', async () => {
    const agent = await server.createAgent();
    const first = await openCarrier(server.streamUrl(agent.uuid));
    const others = await Promise.all([1, 2, 3].map(() => openCarrier(server.streamUrl(agent.uuid), { session: first.session })));
    const carriers = [first, ...others];
    server.cloudonix.addSession(server.tenant.domain, first.session);
    for (const carrier of carriers) carrier.send(connected, startMessage(first.session, server.tenant.domain));
    const closings: number[] = [];
    for (const { closed } of carriers) void closed.then(({ code }) => closings.push(code));
    await waitUntil('all but one to be closed', () => closings.length === 3);
    expect(closings).toEqual([4409, 4409, 4409]);
    const answered = carriers.filter(({ socket }) => socket.readyState === socket.OPEN);
    expect(answered).toHaveLength(1);
    await answered[0]?.heard();
    answered[0]?.send(stop);
    await waitUntil('all runs to end', async () => (await server.runsOf(agent)).every(hasEnded));
    const reasons = (await server.runsOf(agent)).map(({ endReason }) => endReason);
    expect(reasons.toSorted()).toEqual(['caller_hangup', 'handshake_error', 'handshake_error', 'handshake_error']);
  });

  it('4408 Handshake timeout: whatever it sends or does not send for ten seconds', async () => {
    const silences: readonly (readonly string[])[] = [[], ['{"event":"connected","protocol":"Call"}']];
    const played = silences.map(async (messages) => {
      const agent = await server.createAgent();
      const carrier = await openCarrier(server.streamUrl(agent.uuid));
      carrier.send(...messages);
      const pinging = repeat(systemClock, 500, () => carrier.socket.ping());
      expect(await carrier.closed).toEqual({ code: 4408, reason: 'Handshake timeout' });
      pinging.cancel();
      expect(await server.endedRun(agent)).toMatchObject({ state: 'failed', endReason: 'handshake_error', closeCode: 4408, closeReason: 'Handshake timeout' });
    });
    await Promise.all(played);
  });
});

describe('a stream whose call was answered leaves what happened', () => {
  it.each(titled(callCases))('%s', (_title, closeCase) => play(closeCase));
});

it('every error that closes a stream is shown above', () => {
  const shown = new Set([...refusalCases, ...handshakeCases, ...callCases].map(({ error }) => error));
  const closing = Object.entries(errorCatalogue).filter(([, entry]) => entry.closeCode !== undefined);
  const missing = closing.map(([code]) => code).filter((code) => code !== 'handshake-timeout' && !shown.has(code as never));
  expect(missing).toEqual([]);
  for (const { error, close } of [...refusalCases, ...handshakeCases, ...callCases]) {
    if (error !== null) expect(errorCatalogue[error]).toMatchObject({ closeCode: close.code, message: close.reason });
  }
});
