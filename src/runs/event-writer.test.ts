import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AgentStreamError } from '../base/errors.js';
import { silentLog } from '../base/log.js';
import type { RunStore } from '../store/store.js';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { FLUSH_DELAY_MS } from './event-flusher.js';
import { MAX_QUEUED_EVENTS } from './event-queue.js';
import { CLOSE_PATIENCE_MS, createEventWriters, SHUTDOWN_TIMEOUT_MS } from './event-writer.js';
import type { RunEvent } from './events.js';

type Batches = Parameters<RunStore['appendEventBatches']>[0];

/** A database that can be told to fail, and keeps what it was given. */
function createFakeStore() {
  const stored = new Map<string, RunEvent[]>();
  const statements: Batches[] = [];
  let fails: (batches: Batches) => boolean = () => false;
  let refuses: (event: RunEvent) => boolean = () => false;
  return {
    stored,
    statements,
    failWhen(condition: (batches: Batches) => boolean) {
      fails = condition;
    },
    refuseWhen(condition: (event: RunEvent) => boolean) {
      refuses = condition;
    },
    runs: {
      async appendEventBatches(batches: Batches) {
        statements.push(batches);
        await Promise.resolve();
        if (fails(batches)) throw new AgentStreamError('database-unavailable');
        if (batches.some(({ events }) => events.some(refuses))) throw new AgentStreamError('internal-error', { details: { sqlState: '22P05' } });
        for (const { runId, events } of batches) stored.set(runId, [...(stored.get(runId) ?? []), ...events]);
      },
    },
  };
}

function setUp() {
  const clock = createVirtualClock();
  const store = createFakeStore();
  return { clock, store, writers: createEventWriters({ store, clock, log: silentLog }) };
}

const seqs = (events: readonly RunEvent[] | undefined) => events?.map((event) => event.seq);

describe('event writers', () => {
  it('stores what all calls appended within the delay by one statement', async () => {
    const { clock, store, writers } = setUp();
    for (let call = 0; call < 100; call += 1) {
      const writer = writers.open(`run-${call}`);
      writer.append('turn-started', { turn: 1 }, 20);
      writer.append('transcript-final', { text: 'hi' }, 40);
    }
    await clock.advance(FLUSH_DELAY_MS - 1);
    expect(store.statements).toHaveLength(0);
    await clock.advance(1);
    expect(store.statements).toHaveLength(1);
    expect(store.stored.size).toBe(100);
    expect(store.stored.get('run-7')).toEqual([
      { seq: 1, atMs: 20, type: 'turn-started', data: { turn: 1 } },
      { seq: 2, atMs: 40, type: 'transcript-final', data: { text: 'hi' } },
    ]);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('keeps order over failures, without loss or repetition', async () => {
    const { clock, store, writers } = setUp();
    const writer = writers.open('run');
    store.failWhen(() => true);
    for (let index = 0; index < 20; index += 1) {
      writer.append('turn-started', {}, index);
      await clock.advance(70);
    }
    expect(store.stored.size).toBe(0);
    store.failWhen(() => false);
    await clock.advance(6_000);
    expect(seqs(store.stored.get('run'))).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    expect(writer.droppedCount).toBe(0);
  });

  it('asks a failing database ever less often', async () => {
    const { clock, store, writers } = setUp();
    store.failWhen(() => true);
    writers.open('run').append('turn-started', {}, 0);
    await clock.advance(60_000);
    expect(store.statements.length).toBeGreaterThan(10);
    expect(store.statements.length).toBeLessThan(20);
  });

  it('does not let one run that cannot be stored hold up the others', async () => {
    const { clock, store, writers } = setUp();
    store.failWhen((batches) => batches.some((batch) => batch.runId === 'poisoned'));
    for (const runId of ['a', 'poisoned', 'b']) writers.open(runId).append('turn-started', {}, 0);
    await clock.advance(1_000);
    expect([...store.stored.keys()].sort()).toEqual(['a', 'b']);
  });

  it('drops what the database refuses for what it is, and nothing else', async () => {
    const { clock, store, writers } = setUp();
    store.refuseWhen((event) => event.type === 'poison');
    const [writer, other] = [writers.open('run'), writers.open('other')];
    for (const type of ['caller-said', 'poison', 'agent-said', 'poison', 'turn-started']) writer.append(type, {}, 0);
    other.append('caller-said', {}, 0);
    const flushed = writer.flush();
    await clock.advance(2_000);
    await flushed;
    expect(store.stored.get('run')?.map((event) => event.type)).toEqual(['caller-said', 'agent-said', 'turn-started']);
    expect(seqs(store.stored.get('other'))).toEqual([1]);
    expect(writer.droppedCount).toBe(2);
    writer.append('run-ended', {}, 0);
    await clock.advance(FLUSH_DELAY_MS * 10);
    expect(seqs(store.stored.get('run'))).toEqual([1, 3, 5, 6]);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('drops the oldest events but transcripts when the database is away for too long', async () => {
    const { clock, store, writers } = setUp();
    const writer = writers.open('run');
    store.failWhen(() => true);
    await clock.advance(0);
    for (let index = 0; index < MAX_QUEUED_EVENTS + 100; index += 1) {
      writer.append(index % 2 === 0 ? 'transcript-final' : 'vad-changed', {}, index);
    }
    expect(writer.droppedCount).toBe(100);
    store.failWhen(() => false);
    await clock.advance(10_000);
    const stored = store.stored.get('run') ?? [];
    expect(stored).toHaveLength(MAX_QUEUED_EVENTS);
    expect(stored.filter((event) => event.type === 'transcript-final')).toHaveLength((MAX_QUEUED_EVENTS + 100) / 2);
    expect(seqs(stored)).toEqual([...(seqs(stored) ?? [])].sort((a, b) => a - b));
  });

  it('flushes at once, and not later than asked', async () => {
    const { clock, store, writers } = setUp();
    const writer = writers.open('run');
    writer.append('turn-started', {}, 0);
    const flushed = writer.flush();
    await clock.advance(0);
    await flushed;
    expect(seqs(store.stored.get('run'))).toEqual([1]);

    store.failWhen(() => true);
    writer.append('turn-ended', {}, 0);
    const controller = new AbortController();
    const aborted = writer.flush(controller.signal);
    controller.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    await expect(writer.flush(AbortSignal.abort(new Error('never began')))).rejects.toThrow('never began');
  });

  it('closes with everything stored', async () => {
    const { clock, store, writers } = setUp();
    const writer = writers.open('run');
    writer.append('run-ended', {}, 0);
    const closed = writer.close();
    expect(writer.close()).toBe(closed);
    writer.append('too-late', {}, 0);
    await clock.advance(0);
    await closed;
    expect(store.stored.get('run')?.map((event) => event.type)).toEqual(['run-ended']);
    expect(writer.droppedCount).toBe(1);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('stores the last events of a call that ended while the database was away for minutes', async () => {
    const { clock, store, writers } = setUp();
    const writer = writers.open('run');
    store.failWhen(() => true);
    for (const type of ['caller-said', 'agent-said', 'run-ended']) writer.append(type, {}, 0);
    let isClosed = false;
    const closed = writer.close().then(() => (isClosed = true));
    await clock.advance(300_000);
    expect(isClosed).toBe(false);
    store.failWhen(() => false);
    await clock.advance(6_000);
    await closed;
    expect(store.stored.get('run')?.map((event) => event.type)).toEqual(['caller-said', 'agent-said', 'run-ended']);
    expect(writer.droppedCount).toBe(0);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('gives the last events up in the end', async () => {
    const { clock, store, writers } = setUp();
    const writer = writers.open('run');
    store.failWhen(() => true);
    writer.append('run-ended', {}, 0);
    const closed = writer.close();
    await clock.advance(CLOSE_PATIENCE_MS);
    await closed;
    expect(writer.droppedCount).toBe(1);
  });

  it('closes within its time-out where the database is away and the process ends, and leaves nothing behind', async () => {
    const { clock, store, writers } = setUp();
    const writer = writers.open('run');
    store.failWhen(() => true);
    writer.append('transcript-final', {}, 0);
    writer.append('run-ended', {}, 0);
    void writer.close();
    await clock.advance(1_000);
    const closed = writers.close();
    await clock.advance(SHUTDOWN_TIMEOUT_MS);
    await closed;
    expect(writer.droppedCount).toBe(2);
    expect(clock.pendingTimers()).toBe(0);
    store.failWhen(() => false);
    await clock.advance(60_000);
    expect(store.stored.size).toBe(0);
  });

  it('stores every event in order whatever fails in between', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ run: fc.nat(2), waitMs: fc.nat(300), isUp: fc.boolean() }), { maxLength: 30 }), async (steps) => {
        const { clock, store, writers } = setUp();
        const open = [0, 1, 2].map((run) => writers.open(`run-${run}`));
        const appended = [0, 0, 0];
        for (const { run, waitMs, isUp } of steps) {
          store.failWhen(() => !isUp);
          open[run]?.append('turn-started', {}, 0);
          appended[run] = (appended[run] ?? 0) + 1;
          await clock.advance(waitMs);
        }
        store.failWhen(() => false);
        await clock.advance(20_000);
        appended.forEach((count, run) => {
          expect(seqs(store.stored.get(`run-${run}`)) ?? []).toEqual(Array.from({ length: count }, (_, index) => index + 1));
        });
      }),
      { numRuns: 30 },
    );
  });
});
