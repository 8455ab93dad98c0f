import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { createStreamGate, type PendingPlace, type StreamGate } from './agent-stream-gate.js';

const carrier = '192.0.2.1';

const enterTimes = (gate: StreamGate, count: number, address: (index: number) => string, agent: (index: number) => string | null) =>
  Array.from({ length: count }, (_, index) => gate.enter(address(index), agent(index))).filter((place): place is PendingPlace => place !== null);

describe('the gate before the stream endpoint', () => {
  it.each([
    ['of one address', 200, () => carrier, (index: number) => `agent-${index % 10}`],
    ['of one address to one agent', 75, () => carrier, () => 'agent'],
    ['to one agent', 100, (index: number) => `192.0.2.${index % 10}`, () => 'agent'],
    ['in all', 1000, (index: number) => `192.0.${index % 100}.1`, (index: number) => `agent-${index}`],
  ])('bounds unanswered sockets %s, until they are answered or gone', (_name, bound, address, agent) => {
    const gate = createStreamGate(createVirtualClock());
    const places = enterTimes(gate, bound + 50, address, agent);
    expect(places).toHaveLength(bound);
    places[0]?.answered();
    places[1]?.gone();
    places[1]?.answered();
    expect(enterTimes(gate, 50, () => address(1), () => agent(1))).toHaveLength(2);
  });

  it('keeps places of an agent free of any one address, for the calls of others', () => {
    const gate = createStreamGate(createVirtualClock());
    expect(enterTimes(gate, 500, () => '203.0.113.9', () => 'agent')).toHaveLength(75);
    expect(enterTimes(gate, 20, () => carrier, () => 'agent')).toHaveLength(20);
    expect(enterTimes(gate, 200, () => '203.0.113.9', () => 'another')).toHaveLength(75);
  });

  it('lets an address try a few unknown agents per window, without shutting out what it knows', async () => {
    const clock = createVirtualClock();
    const gate = createStreamGate(clock);
    expect(enterTimes(gate, 100, () => carrier, () => null)).toHaveLength(20);
    expect(gate.enter(carrier, 'agent')).not.toBeNull();
    expect(gate.enter('192.0.2.2', null)).not.toBeNull();
    await clock.advance(10_000);
    expect(gate.enter(carrier, null)).not.toBeNull();
    gate.close();
    expect(clock.pendingTimers()).toBe(0);
  });

  it('stops an address whose sockets to an agent keep ending unanswered, for that agent and the window', async () => {
    const clock = createVirtualClock();
    const gate = createStreamGate(clock);
    for (let count = 0; count < 50; count += 1) gate.enter(carrier, 'agent')?.gone();
    expect(gate.enter(carrier, 'agent')).toBeNull();
    expect(gate.enter(carrier, 'another')).not.toBeNull();
    expect(gate.enter('192.0.2.2', 'agent')).not.toBeNull();
    await clock.advance(10_000);
    for (let count = 0; count < 200; count += 1) {
      const place = gate.enter(carrier, 'agent');
      expect(place).not.toBeNull();
      place?.answered();
      place?.gone();
    }
  });

  it('remembers no more addresses than it must', () => {
    const gate = createStreamGate(createVirtualClock());
    for (let index = 0; index < 10_000; index += 1) gate.enter(`10.0.${index >> 8}.${index & 255}`, null)?.gone();
    expect(gate.enter('10.9.9.9', null)).toBeNull();
    expect(gate.enter('10.9.9.9', 'agent')).not.toBeNull();
  });
});
