import { describe, expect, it } from 'vitest';
import { amplitudeAt, lineSound, mix, music, noise, talker, tone, type Samples } from '../../test/support/virtual/line-sounds.js';
import { createBeepDetector } from './beep-detector.js';
import { FRAME_BYTES, FRAME_MS, MULAW_SILENCE } from './frame.js';

const SILENCE = new Uint8Array(FRAME_BYTES).fill(MULAW_SILENCE);

/** How many beeps are found in so much of a sound, with silence after it. */
function beepsIn(samples: Samples, ms: number): number {
  const sound = lineSound(samples);
  const detector = createBeepDetector();
  let count = 0;
  for (let atMs = 0; atMs < ms + 100; atMs += FRAME_MS) if (detector.push((atMs < ms ? sound(atMs) : null) ?? SILENCE)) count += 1;
  return count;
}

describe('a beep', () => {
  it.each([860, 875, 925, 1000, 1020, 1111, 1250, 1375, 1400])('of %i Hz is found once it is over', (hertz) => {
    expect(beepsIn(tone(hertz, amplitudeAt(-12)), 400)).toBe(1);
  });

  it('is found on a noisy line, and softly', () => {
    expect(beepsIn(mix(tone(1000, amplitudeAt(-20)), noise(amplitudeAt(-36))), 300)).toBe(1);
    expect(beepsIn(tone(1000, amplitudeAt(-35)), 300)).toBe(1);
  });

  it('is none where it is too short, too long, outside the band or moving', () => {
    expect(beepsIn(tone(1000, amplitudeAt(-12)), 160)).toBe(0);
    expect(beepsIn(tone(1000, amplitudeAt(-12)), 3200)).toBe(0);
    for (const hertz of [440, 620, 1800, 2100]) expect([hertz, beepsIn(tone(hertz, amplitudeAt(-12)), 400)]).toEqual([hertz, 0]);
    const sweep: Samples = (n) => amplitudeAt(-12) * Math.sin(2 * Math.PI * (850 * (n / 8000) + 0.5 * 900 * (n / 8000) ** 2));
    expect(beepsIn(sweep, 600)).toBe(0);
  });

  it('is not heard in music, noise, keys or half a minute of speech', async () => {
    expect(beepsIn(music(9000), 20_000)).toBe(0);
    expect(beepsIn(noise(9000), 5000)).toBe(0);
    expect(beepsIn(mix(tone(941, 6000), tone(1336, 6000)), 400)).toBe(0);
    for (const pitch of [30, 60, 80]) {
      const speech = await talker(pitch, 20_000, ['Oh, you are through to the voicemail of the clinic.', 'Please leave your name, and we will call you back soon. Aaaah. Ooooh.']);
      expect([pitch, beepsIn(speech, 30_000)]).toEqual([pitch, 0]);
    }
  });
});
