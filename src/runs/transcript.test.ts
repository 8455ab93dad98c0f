import { describe, expect, it } from 'vitest';
import type { RunEvent } from './events.js';
import { transcriptOf } from './transcript.js';

const event = (seq: number, type: string, data: Record<string, unknown>): RunEvent => ({ seq, atMs: seq * 100, type, data });

describe('transcriptOf', () => {
  it('keeps what was said, in the order of the call clock', () => {
    const lines = transcriptOf([
      event(1, 'turn-started', { turn_id: 1 }),
      event(3, 'agent-said', { turn_id: 1, text: 'Good morning, how', start_ms: 900, end_ms: 1500, interrupted: true }),
      event(2, 'caller-said', { turn_id: 1, text: 'Hello', start_ms: 100, end_ms: 600 }),
    ]);
    expect(lines).toEqual([
      { turnId: 1, role: 'caller', text: 'Hello', startMs: 100, endMs: 600 },
      { turnId: 1, role: 'agent', text: 'Good morning, how', startMs: 900, endMs: 1500, interrupted: true },
    ]);
  });

  it('passes over what nobody heard and what does not fit', () => {
    expect(
      transcriptOf([
        event(1, 'agent-said', { turn_id: 1, text: '  ', start_ms: 0, end_ms: 0 }),
        event(2, 'caller-said', { text: 'no turn', start_ms: 0, end_ms: 0 }),
        event(3, 'transcript-final', { turn_id: 1, text: 'not said', start_ms: 0, end_ms: 0 }),
      ]),
    ).toEqual([]);
  });
});
