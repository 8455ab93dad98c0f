import { describe, expect, it } from 'vitest';
import { loadSteppedSilero } from '../support/stepped-silero.js';
import { amplitudeAt, lineSound, music } from '../support/virtual/line-sounds.js';
import { whileAnswering } from '../support/virtual/scenes.js';

const silero = await loadSteppedSilero(1);

/** Soft music from the middle of an answer, without end, for so long. */
async function playMusic(hears: typeof silero, forMs: number) {
  const call = await whileAnswering(
    hears === null ? {} : { adjust: (options) => ({ ...options, voiceActivity: hears.voiceActivity(() => options.clock.nowMs()) }) },
  );
  call.carrier.setBackground(lineSound(music(amplitudeAt(-25))));
  const endMs = call.clock.nowMs() + forMs;
  while (call.clock.nowMs() < endMs && call.outcome === null) {
    await call.advance(20);
    await hears?.step();
  }
  return call;
}

describe('soft music behind a caller who is not there', () => {
  it('is a voice to the energy detector: turn after turn without words, and the call does not end', async () => {
    const call = await playMusic(null, 60_000);
    expect(call.eventsOf('turn-without-words').length).toBeGreaterThan(0);
    expect(call.outcome).toBeNull();
    call.carrier.stops();
    await call.until(() => call.outcome !== null);
  });

  it.skipIf(silero === null)('is none to Silero: nothing falters, and the call ends after two questions', async () => {
    const call = await playMusic(silero, 60_000);
    expect(call.eventsOf('interruption-false')).toEqual([]);
    expect(call.eventsOf('turn-without-words')).toEqual([]);
    expect(call.carrier.controlsAt('clear')).toEqual([]);
    expect(call.outcome?.ending.endReason).toBe('idle_timeout');
    expect(call.outcome?.durationMs).toBeLessThan(45_000);
  });
});
