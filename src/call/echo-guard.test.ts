import { describe, expect, it } from 'vitest';
import { FRAME_BYTES, FRAME_MS } from '../audio/frame.js';
import { encodeMulaw } from '../audio/g711.js';
import { createEchoGuard } from './echo-guard.js';

/** A tone at a level below full scale; −Infinity: silence. */
function frameAt(dbfs: number, hertz = 600): Uint8Array {
  const amplitude = 32_767 * 10 ** (dbfs / 20);
  return encodeMulaw(Int16Array.from({ length: FRAME_BYTES }, (_, n) => Math.round(amplitude * Math.sin((2 * Math.PI * hertz * n) / 8000))));
}

/** Levels that rise and fall as speech does, never the same for long: −12 to −30 dBFS. */
const levelAt = (frame: number): number => -21 + 6 * Math.sin(frame * 0.7) + 3 * Math.sin(frame * 0.23 + 1);

/** The agent speaks for so many frames; `caller` says what comes from the other side. Returns the frames that were no echo. */
function run(frames: number, caller: (frame: number) => Uint8Array, guard = createEchoGuard(), fromFrame = 0): number[] {
  const heard: number[] = [];
  for (let frame = fromFrame; frame < fromFrame + frames; frame += 1) {
    guard.noteSent(frameAt(levelAt(frame)), (frame + 8) * FRAME_MS);
    if (!guard.isEcho(caller(frame), frame * FRAME_MS)) heard.push(frame);
  }
  return heard;
}

/** The agent's words, so much softer and `delay` frames after they were played. */
const echo = (db: number, delay: number) => (frame: number) => frameAt(frame < 8 + delay ? -Infinity : levelAt(frame - 8 - delay) + db);

describe('the echo guard', () => {
  it.each([
    [-15, 0],
    [-15, 6],
    [-25, 12],
    [-35, 22],
  ])('explains an echo at %i dB, %i frames late, from the first', (db, delay) => {
    expect(run(500, echo(db, delay)).filter((frame) => frame >= 8)).toEqual([]);
  });

  it('lets through whoever is louder than that, at once, and their soft sounds too', () => {
    const guard = createEchoGuard();
    run(104, echo(-25, 6), guard);
    const caller = (frame: number) => frameAt(frame % 8 < 4 ? -20 : -38);
    expect(run(48, caller, guard, 104)).toHaveLength(48);
  });

  it('learns that there is no echo: a caller 16 dB below the agent is taken for it at first, and heard after two seconds', () => {
    const guard = createEchoGuard();
    expect(run(28, () => frameAt(-28), guard).filter((frame) => frame >= 15)).toEqual([]);
    run(120, () => frameAt(-Infinity), guard, 28);
    expect(run(40, () => frameAt(-28), guard, 148).length).toBeGreaterThanOrEqual(38);
  });

  it('learns an echo that begins in the middle of a call', () => {
    const guard = createEchoGuard();
    run(200, () => frameAt(-Infinity), guard);
    const heard = run(400, echo(-14, 6), guard, 200);
    expect(heard.filter((frame) => frame > 260)).toEqual([]);
  });

  it('explains nothing while the agent is silent, and what was cleared is not heard', () => {
    const guard = createEchoGuard();
    expect(guard.isEcho(frameAt(-50), 0)).toBe(false);
    for (let frame = 0; frame < 20; frame += 1) guard.noteSent(frameAt(-15), frame * FRAME_MS);
    guard.noteCleared(0);
    expect(guard.isEcho(frameAt(-50), 200)).toBe(false);
  });
});
