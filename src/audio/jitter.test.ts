import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAME_BYTES, MULAW_SILENCE } from './frame.js';
import { createJitter, MAX_GAP_MS } from './jitter.js';

function open() {
  const frames: Uint8Array[] = [];
  const gaps: number[] = [];
  const jitter = createJitter({ onFrame: (frame) => void frames.push(Uint8Array.from(frame)), onGap: (gapMs) => void gaps.push(gapMs) });
  /** The first byte of each frame: which message it came from, or `-` for silence. */
  const order = () => frames.map((frame) => (frame[0] === MULAW_SILENCE ? '-' : String(frame[0]))).join(' ');
  return { jitter, frames, gaps, order };
}

const message = (id: number, bytes = FRAME_BYTES) => new Uint8Array(bytes).fill(id);

describe('createJitter', () => {
  it('passes messages in order through, the very bytes', () => {
    const received: Uint8Array[] = [];
    const jitter = createJitter({ onFrame: (frame) => void received.push(frame), onGap: () => undefined });
    const messages = [1, 2, 3].map((id) => message(id));
    messages.forEach((audio, n) => jitter.push(audio, n + 1, n * 20));
    expect(received).toHaveLength(3);
    received.forEach((frame, n) => expect(frame).toBe(messages[n]));
  });

  it('keeps what it holds apart from the sender’s buffer', () => {
    const { jitter, order } = open();
    const scratch = Buffer.alloc(FRAME_BYTES);
    for (const id of [1, 3, 2, 4]) jitter.push(scratch.fill(id), id, (id - 1) * 20);
    expect(order()).toBe('1 2 3 4');
  });

  it('puts messages in order within 60 ms', () => {
    const { jitter, order, gaps } = open();
    for (const id of [1, 3, 2, 5, 6, 4, 7]) jitter.push(message(id), id, (id - 1) * 20);
    expect(order()).toBe('1 2 3 4 5 6 7');
    expect(gaps).toEqual([]);
    expect(jitter.counts()).toMatchObject({ reordered: 2, late: 0, gaps: 0 });
  });

  it('fills what is still missing after 60 ms with silence, and drops it when it comes late', () => {
    const { jitter, order, gaps } = open();
    for (const id of [1, 3, 4]) jitter.push(message(id), id, (id - 1) * 20);
    expect(order()).toBe('1');
    jitter.push(message(5), 5, 80);
    jitter.push(message(2), 2, 20);
    jitter.push(message(6), 6, 100);
    expect(order()).toBe('1 - 3 4 5 6');
    expect(gaps).toEqual([20]);
    expect(jitter.counts()).toMatchObject({ late: 1, gaps: 1 });
  });

  it('drops duplicates, both delivered and held ones', () => {
    const { jitter, order } = open();
    for (const id of [1, 2, 2, 4, 4, 3, 3, 5]) jitter.push(message(id), id, (id - 1) * 20);
    expect(order()).toBe('1 2 3 4 5');
    expect(jitter.counts().duplicates).toBeGreaterThanOrEqual(2);
  });

  it('does not wait at a hole in the numbers that the timestamps show to be none', () => {
    const { jitter, order } = open();
    jitter.push(message(1), 10, 0);
    jitter.push(message(2), 12, 20);
    jitter.push(message(3), 13, 40);
    expect(order()).toBe('1 2 3');
  });

  it('fills a pause of the stream from its timestamps, 10 s at most', () => {
    const { jitter, frames, gaps } = open();
    jitter.push(message(1), 1, 0);
    jitter.push(message(2), 2, 520);
    expect(frames).toHaveLength(27);
    jitter.push(message(3), 3, 1_000_000);
    expect(frames).toHaveLength(27 + MAX_GAP_MS / 20 + 1);
    jitter.push(message(4), 4, 1_000_020);
    expect(frames).toHaveLength(27 + MAX_GAP_MS / 20 + 2);
    expect(gaps).toEqual([500, 999_460]);
  });

  it('ignores timestamps that merely jitter, and those that go back', () => {
    const { jitter, gaps, order } = open();
    [0, 31, 35, 72, 79, 0, 20, 40].forEach((timestampMs, n) => jitter.push(message(n + 1), n + 1, timestampMs));
    expect(gaps).toEqual([]);
    expect(order()).toBe('1 2 3 4 5 6 7 8');
  });

  it.each([
    ['frames of 20 ms', 160, 60],
    ['messages of a second, soon after the start', 8000, 3],
    ['messages of 30 s', 240_000, 2],
  ])('follows a count that starts again, losing nothing: %s', (_, bytes, restartAfter) => {
    const { jitter, frames } = open();
    const sent: number[] = [];
    const send = (count: number, firstId: number) => {
      for (let n = 0; n < count; n += 1) {
        sent.push(firstId + n);
        jitter.push(message(firstId + n, bytes), n + 1, (n * bytes) / 8);
      }
    };
    send(restartAfter, 1);
    send(3, 100);
    jitter.flush();
    const ids = [...Buffer.concat(frames)].filter((id, at, all) => id !== all[at - 1]);
    expect(ids).toEqual(sent);
    expect(jitter.counts()).toEqual({ duplicates: 0, late: 0, reordered: 0, gaps: 0 });
  });

  it('does not take messages that all come twice for a new count, however long they are', () => {
    const { jitter, frames } = open();
    for (const id of [1, 1, 2, 2, 3, 3]) jitter.push(message(id, 16_000), id, NaN);
    expect(frames).toHaveLength(300);
    expect(jitter.counts().duplicates).toBe(3);
  });

  it('does not take one stray message for a new count', () => {
    const { jitter, order } = open();
    for (const id of [101, 102, 1, 103, 104]) jitter.push(message(id), id, NaN);
    expect(order()).toBe('101 102 103 104');
  });

  it('follows a count that leaps ahead, with 10 s of silence at most', () => {
    const { jitter, frames } = open();
    jitter.push(message(1), 1, NaN);
    for (let n = 0; n < 20; n += 1) jitter.push(message(2), 1_000_000 + n, NaN);
    expect(frames).toHaveLength(1 + MAX_GAP_MS / 20 + 20);
  });

  it('inserts no more than 30 s of silence ahead of the audio that comes', () => {
    const { jitter, frames, gaps } = open();
    const messages = 1000;
    for (let n = 0; n < messages; n += 1) jitter.push(message(1), n + 1, n * 60_000);
    expect(gaps).toHaveLength(messages - 1);
    expect(frames.length * 20).toBeLessThanOrEqual(30_000 + 2 * messages * 20);
  });

  it('counts by sequence where there are no timestamps, and takes all where there is no sequence', () => {
    const counted = open();
    for (const id of [1, 4, 5, 6]) counted.jitter.push(message(id), id, NaN);
    expect(counted.order()).toBe('1 - - 4 5 6');
    const plain = open();
    for (const id of [1, 2, 3]) plain.jitter.push(message(id), NaN, NaN);
    expect(plain.order()).toBe('1 2 3');
  });

  it('cuts any chunk size into frames and pads the last on flush', () => {
    const { jitter, frames } = open();
    jitter.push(message(1, 100), 1, NaN);
    jitter.push(message(2, 400), 2, NaN);
    expect(frames).toHaveLength(3);
    jitter.flush();
    expect(frames).toHaveLength(4);
    expect([...(frames[0] ?? [])]).toEqual([...message(1, 100), ...message(2, 60)]);
    expect(frames[3]?.[19]).toBe(2);
    expect(frames[3]?.[20]).toBe(MULAW_SILENCE);
  });

  it('gives whole frames, each message once and in order, for any arrival', () => {
    const arrival = fc.array(fc.record({ sequence: fc.integer({ min: 1, max: 40 }), bytes: fc.integer({ min: 1, max: 200 }) }), { maxLength: 60 });
    fc.assert(
      fc.property(arrival, (messages) => {
        const { jitter, frames } = open();
        const first = new Map<number, number>();
        for (const { sequence, bytes } of messages) {
          if (!first.has(sequence)) first.set(sequence, bytes);
          jitter.push(message(sequence, bytes), sequence, NaN);
        }
        jitter.flush();
        const ids = Buffer.concat(frames).filter((byte) => byte !== MULAW_SILENCE);
        const runs = [...ids].filter((id, n) => id !== ids[n - 1]);
        expect(frames.every((frame) => frame.length === FRAME_BYTES)).toBe(true);
        expect(runs).toEqual([...new Set(runs)].sort((x, y) => x - y));
        for (const id of runs) expect(ids.filter((byte) => byte === id)).toHaveLength(first.get(id) ?? -1);
      }),
      { numRuns: 500 },
    );
  });

  it('gives back any order within the window', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 3, maxLength: 60 }), (delays) => {
        const { jitter, order, gaps } = open();
        const arrivals = delays.map((delay, n) => ({ id: n + 1, at: n + delay })).sort((a, b) => a.at - b.at || a.id - b.id);
        const first = arrivals.findIndex(({ id }) => id === 1);
        if (first !== 0) return;
        for (const { id } of arrivals) jitter.push(message(id), id, (id - 1) * 20);
        jitter.flush();
        expect(order()).toBe(delays.map((_, n) => n + 1).join(' '));
        expect(gaps).toEqual([]);
      }),
      { numRuns: 1000 },
    );
  });
});
