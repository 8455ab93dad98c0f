import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createVirtualClock } from '../../test/support/virtual-clock.js';
import { FRAME_BYTES, FRAME_MS, MULAW_SILENCE } from '../audio/frame.js';
import { createMetronome } from '../audio/pacer.js';
import { createPlayout, DEFAULT_LEAD_MS, type PlayoutOptions } from './playout.js';

const LEAD_FRAMES = DEFAULT_LEAD_MS / FRAME_MS;

const audio = (ms: number, fill = 1) => new Uint8Array(ms * 8).fill(fill);

interface Overrides extends Partial<Pick<PlayoutOptions, 'leadMs' | 'capabilities'>> {
  readonly onHeard?: (itemId: string) => void;
}

function open({ onHeard, ...overrides }: Overrides = {}) {
  const virtual = createVirtualClock();
  let stallMs = 0;
  const clock = { ...virtual, setTimer: (delayMs: number, callback: () => void) => virtual.setTimer(delayMs + stallMs, callback) };
  const metronome = createMetronome(clock);
  const sent: { atMs: number; playAtMs: number; frame: Buffer }[] = [];
  const marks: string[] = [];
  const events: string[] = [];
  const note = (name: string) => (itemId: string, value: number) => void events.push(`${name} ${itemId} ${Math.round(value)}`);
  let clears = 0;
  const playout = createPlayout({
    clock,
    metronome,
    send: () => undefined,
    sendMark: (name) => void marks.push(name),
    sendClear: () => void (clears += 1),
    capabilities: { marks: 'unreliable', clear: true, maxLeadMs: 200 },
    listener: {
      onItemStarted: note('started'),
      onItemHeard(itemId, atMs) {
        note('heard')(itemId, atMs);
        onHeard?.(itemId);
      },
      onUnderrun: note('underrun'),
      onFrameSent: (frame, playAtMs) => void sent.push({ atMs: clock.nowMs(), playAtMs, frame: Buffer.from(frame) }),
      onCleared: (atMs) => void events.push(`cleared ${atMs}`),
      onQueueOverflow: note('overflow'),
    },
    onFault: (error) => {
      throw error;
    },
    ...overrides,
  });
  return { clock, metronome, playout, sent, marks, events, clears: () => clears, stall: (ms: number) => void (stallMs = ms) };
}

describe('createPlayout', () => {
  it('sends the first frame at once and keeps its lead, frame by frame', async () => {
    const { clock, playout, sent, events, metronome } = open();
    playout.begin('a');
    playout.append('a', audio(1000));
    playout.end('a');
    expect(sent).toHaveLength(LEAD_FRAMES);
    expect(events).toEqual(['started a 0']);
    for (let atMs = 20; atMs <= 1000 - DEFAULT_LEAD_MS; atMs += 20) {
      await clock.advance(20);
      expect(sent).toHaveLength(LEAD_FRAMES + atMs / 20);
    }
    sent.forEach(({ playAtMs }, n) => expect(playAtMs).toBe(n * 20));
    await clock.advance(DEFAULT_LEAD_MS - 1);
    expect(events).toHaveLength(1);
    await clock.advance(21);
    expect(events).toEqual(['started a 0', 'heard a 1000']);
    expect(metronome.size()).toBe(0);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('bounds the lead by 200 ms and by the carrier', () => {
    const long = open({ leadMs: 5000 });
    long.playout.begin('a');
    long.playout.append('a', audio(1000));
    expect(long.sent).toHaveLength(10);
    const short = open({ leadMs: 200, capabilities: { marks: 'none', clear: false, maxLeadMs: 60 } });
    short.playout.begin('a');
    short.playout.append('a', audio(1000));
    expect(short.sent).toHaveLength(3);
  });

  it('sends whole frames only: a part waits for more, and the tail is padded with silence', async () => {
    const { clock, playout, sent } = open();
    playout.begin('a');
    playout.append('a', audio(25));
    expect(sent).toHaveLength(1);
    await clock.advance(10);
    playout.append('a', audio(20));
    expect(sent).toHaveLength(2);
    playout.end('a');
    expect(sent).toHaveLength(3);
    expect(sent.every(({ frame }) => frame.length === FRAME_BYTES)).toBe(true);
    expect([...(sent[2]?.frame ?? [])]).toEqual([...audio(5), ...new Uint8Array(120).fill(MULAW_SILENCE)]);
  });

  it('plays items one after the other, each from a frame of its own', async () => {
    const { clock, playout, sent, events } = open();
    playout.begin('a');
    playout.begin('b');
    playout.append('b', audio(40, 2));
    expect(sent).toHaveLength(0);
    playout.append('a', audio(30, 1));
    playout.end('a');
    playout.end('b');
    expect(sent.map(({ frame }) => frame[0])).toEqual([1, 1, 2, 2]);
    await clock.advance(100);
    expect(events).toEqual(['started a 0', 'started b 0', 'heard a 40', 'heard b 80']);
  });

  it('counts an underrun within an item and starts its schedule anew', async () => {
    const { clock, playout, sent, events } = open();
    playout.begin('a');
    playout.append('a', audio(40));
    await clock.advance(100);
    playout.append('a', audio(40));
    playout.end('a');
    expect(sent.map(({ playAtMs }) => playAtMs)).toEqual([0, 20, 100, 120]);
    expect(events).toEqual(['started a 0', 'underrun a 60']);
    await clock.advance(60);
    expect(events.at(-1)).toBe('heard a 140');
  });

  it('counts an underrun after an interruption that was none from when feeding went on', async () => {
    const { clock, playout, events } = open();
    playout.begin('a');
    playout.append('a', audio(40));
    await clock.advance(45);
    playout.interrupt();
    await clock.advance(100);
    playout.resume();
    await clock.advance(200);
    playout.append('a', audio(40));
    playout.end('a');
    expect(events).toEqual(['started a 0', 'cleared 45', 'underrun a 200']);
  });

  it('holds and resumes without losing anything; a hold is no underrun', async () => {
    const { clock, playout, sent, events } = open();
    playout.begin('a');
    playout.append('a', audio(400));
    playout.end('a');
    await clock.advance(20);
    playout.hold();
    await clock.advance(40);
    expect(sent).toHaveLength(LEAD_FRAMES + 1);
    playout.resume();
    expect(sent).toHaveLength(LEAD_FRAMES + 3);
    sent.forEach(({ playAtMs }, n) => expect(playAtMs).toBe(n * 20));
    playout.hold();
    await clock.advance(1000);
    playout.resume();
    expect(sent[LEAD_FRAMES + 3]?.playAtMs).toBe(1060);
    await clock.advance(400);
    expect(events.map((event) => event.split(' ')[0])).toEqual(['started', 'heard']);
  });

  it('goes on from what was heard after an interruption that was none', async () => {
    const { clock, playout, sent, events, clears } = open();
    playout.begin('a');
    playout.append('a', Uint8Array.from({ length: 3200 }, (_, n) => Math.floor(n / FRAME_BYTES)));
    playout.end('a');
    await clock.advance(110);
    const sentBefore = sent.length;
    playout.interrupt();
    playout.interrupt();
    expect(clears()).toBe(1);
    expect(events).toContain('cleared 110');
    expect(playout.position('a')).toMatchObject({ sentMs: 100, heardMs: 100 });
    await clock.advance(300);
    expect(sent).toHaveLength(sentBefore);
    playout.resume();
    expect(sent[sentBefore]).toMatchObject({ atMs: 410, playAtMs: 410 });
    expect(sent[sentBefore]?.frame[0]).toBe(5);
    await clock.advance(400);
    expect(events).toEqual(['started a 0', 'cleared 110', 'heard a 720']);
  });

  it('discards what is queued, tells what was heard, and plays the next item at once', async () => {
    const { clock, playout, sent, clears, metronome } = open();
    playout.begin('a');
    playout.append('a', audio(400));
    playout.begin('b');
    await clock.advance(65);
    expect(playout.discard()).toEqual([
      { itemId: 'a', heardMs: 60 },
      { itemId: 'b', heardMs: 0 },
    ]);
    expect(clears()).toBe(1);
    expect(metronome.size()).toBe(0);
    playout.append('a', audio(400));
    expect(playout.position('a')).toMatchObject({ heardMs: 60 });
    const before = sent.length;
    playout.begin('c');
    playout.append('c', audio(20));
    expect(sent[before]).toMatchObject({ atMs: 65, playAtMs: 65 });
    expect(playout.discard()).toHaveLength(1);
    expect(clears()).toBe(2);
    await clock.advance(1000);
    expect(playout.discard()).toEqual([]);
    expect(clears()).toBe(2);
  });

  it('does not clear where the carrier cannot, and stays in time with what it still plays', async () => {
    const { clock, playout, sent, clears } = open({ capabilities: { marks: 'none', clear: false, maxLeadMs: 100 } });
    playout.begin('a');
    playout.append('a', audio(400));
    playout.interrupt();
    await clock.advance(10);
    playout.discard();
    expect(clears()).toBe(0);
    playout.begin('b');
    playout.append('b', audio(20));
    await clock.advance(20);
    expect(sent.at(-1)?.playAtMs).toBe(100);
  });

  it('marks each item’s end and about every second, and hears early where the clock agrees', async () => {
    const { clock, playout, marks, events } = open();
    playout.begin('a');
    playout.append('a', audio(2500));
    playout.end('a');
    await clock.advance(2410);
    expect(marks).toEqual(['m1', 'm2', 'm3']);
    playout.onMark('m3');
    expect(events).toEqual(['started a 0']);
    playout.onMark('never-sent');
    await clock.advance(100);
    expect(events.at(-1)).toBe('heard a 2500');
    playout.onMark('m3');
    expect(events).toHaveLength(2);
  });

  it('hears an item whose audio has already gone out when its end becomes known', async () => {
    const { clock, playout, marks, events } = open();
    playout.begin('a');
    playout.append('a', audio(40));
    await clock.advance(300);
    playout.end('a');
    expect(marks).toEqual(['m1']);
    expect(events).toEqual(['started a 0', 'heard a 300']);
    playout.begin('empty');
    playout.end('empty');
    expect(events.at(-1)).toBe('heard empty 300');
  });

  it('catches up after a stall by one lead at most', async () => {
    const { clock, playout, sent, stall } = open();
    playout.begin('a');
    playout.append('a', audio(2000));
    await clock.advance(20);
    stall(500);
    await clock.advance(20);
    stall(0);
    const before = sent.length;
    await clock.advance(519);
    expect(sent).toHaveLength(before);
    await clock.advance(1);
    expect(sent.length - before).toBe(LEAD_FRAMES);
    expect(sent.at(-1)?.playAtMs).toBe(560 + DEFAULT_LEAD_MS - FRAME_MS);
  });

  it.each([40, 100, DEFAULT_LEAD_MS - FRAME_MS])('bridges a stall of %d ms: the caller hears no hole', async (stallMs) => {
    const { clock, playout, sent, events, stall } = open();
    playout.begin('a');
    playout.append('a', audio(2000));
    playout.end('a');
    await clock.advance(20);
    stall(stallMs);
    await clock.advance(20);
    stall(0);
    await clock.advance(20 + stallMs);
    // The frame due at 60 is late by the stall, and the lead is complete again at once.
    expect(sent.at(-1)?.atMs).toBe(60 + stallMs);
    expect(sent).toHaveLength(LEAD_FRAMES + (60 + stallMs) / FRAME_MS);
    await clock.advance(3000);
    sent.forEach(({ playAtMs }, n) => expect(playAtMs).toBe(n * FRAME_MS));
    expect(events).toEqual(['started a 0', 'heard a 2000']);
  });

  it('drops what exceeds 120 s, with an event', () => {
    const { playout, events } = open();
    playout.begin('a');
    playout.append('a', audio(119_000));
    playout.append('a', audio(3000));
    // What was sent waits no more.
    expect(playout.position('a').totalMs).toBe(120_000 + DEFAULT_LEAD_MS);
    expect(events).toEqual(['started a 0', `overflow a ${2000 - DEFAULT_LEAD_MS}`]);
  });

  it('does nothing once closed, and holds no timer', async () => {
    const { clock, playout, sent } = open();
    playout.begin('a');
    playout.append('a', audio(1000));
    playout.close();
    playout.append('a', audio(1000));
    playout.begin('b');
    playout.append('b', audio(1000));
    playout.end('b');
    playout.resume();
    playout.interrupt();
    await clock.advance(1000);
    expect(sent).toHaveLength(LEAD_FRAMES);
    expect(playout.discard()).toEqual([]);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('lets a listener begin the next item, discard, or close from its callback', async () => {
    const opened = open({
      onHeard(itemId) {
        if (itemId === 'c') return opened.playout.close();
        const next = itemId === 'a' ? 'b' : 'c';
        opened.playout.begin(next);
        opened.playout.append(next, audio(20));
        opened.playout.end(next);
      },
    });
    const { clock, playout, sent, events } = opened;
    playout.begin('a');
    playout.append('a', audio(20));
    playout.end('a');
    await clock.advance(200);
    expect(sent.map(({ atMs }) => atMs)).toEqual([0, 20, 40]);
    expect(events.map((event) => event.slice(0, 9))).toEqual(['started a', 'heard a 2', 'started b', 'heard b 4', 'started c', 'heard c 6']);
    expect(clock.pendingTimers()).toBe(0);
  });

  it('never has more than the lead out, never loses or repeats heard audio, through any history', async () => {
    const step = fc.constantFrom('append', 'append', 'wait', 'wait', 'hold', 'interrupt', 'resume', 'end');
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(step, fc.integer({ min: 1, max: 130 })), { maxLength: 25 }), async (steps) => {
        const { clock, playout, sent, events } = open();
        playout.begin('a');
        let queuedMs = 0;
        let isOpen = true;
        for (const [action, ms] of steps) {
          if (action === 'append' && isOpen) playout.append('a', audio(((queuedMs += ms), ms)));
          if (action === 'wait') await clock.advance(ms);
          if (action === 'hold') playout.hold();
          if (action === 'interrupt') playout.interrupt();
          if (action === 'resume') playout.resume();
          if (action === 'end') {
            playout.end('a');
            isOpen = false;
          }
          const last = sent.at(-1);
          if (last !== undefined) expect(last.playAtMs + 20 - last.atMs).toBeLessThanOrEqual(DEFAULT_LEAD_MS + 0.01);
        }
        playout.resume();
        playout.end('a');
        await clock.advance(queuedMs + 500);
        expect(events.filter((event) => event.startsWith('heard'))).toHaveLength(1);
        expect(events.filter((event) => event.startsWith('started')).length).toBe(queuedMs > 0 ? 1 : 0);
        expect(playout.position('a')).toMatchObject({ heardMs: queuedMs, sentMs: queuedMs });
        expect(clock.pendingTimers()).toBe(0);
      }),
      { numRuns: 60 },
    );
  });
});
