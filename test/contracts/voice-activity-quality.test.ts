import { beforeAll, describe, expect, it } from 'vitest';
import { judge, type Verdict } from '../../bench/vad/judge.js';
import { renderLabelledSet, type LabelledTrack } from '../../bench/vad/labelled-set.js';
import { loadSteppedSilero } from '../support/stepped-silero.js';

/** Bounds with room; `npm run bench -- vad` prints the figures, on a longer set. */
const MINUTES = 1;

const silero = await loadSteppedSilero(32);
let set: readonly LabelledTrack[] = [];
beforeAll(async () => {
  set = await renderLabelledSet(MINUTES, ['bundled']);
});

const median = (values: readonly number[]) => values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? NaN;

describe.each([
  { name: 'energy', model: null, clearMs: 190, isHere: true },
  { name: 'silero', model: silero, clearMs: 140, isHere: silero !== null },
])('the labelled set, by $name', ({ name, model, clearMs, isHere }) => {
  it.skipIf(!isHere)('no utterance is missed, none is late, and few other sounds are taken for one', async () => {
    const verdicts = await judge(set, { confirmMs: null, silero: model });
    const of = (track: string): Verdict => {
      const verdict = verdicts.find((candidate) => candidate.name === track);
      if (verdict === undefined) throw new Error(`there is no track ${track}`);
      return verdict;
    };
    for (const verdict of verdicts.filter(({ utterances }) => utterances > 0)) {
      expect(verdict).toMatchObject({ misses: 0, falseStarts: 0 });
      expect(median(verdict.clearMs)).toBeLessThanOrEqual(clearMs);
    }
    for (const track of ['silence', 'noise', 'noise that comes and goes', 'hum', 'ring-back', 'DTMF', 'clicks', 'echo -15 dB', 'echo -25 dB', 'echo -35 dB']) {
      expect({ track, falseStarts: of(track).falseStarts }).toEqual({ track, falseStarts: 0 });
    }
    // However wrong the detector is, the turn machine stops trusting it.
    for (const { falseCutIns } of verdicts) expect(falseCutIns).toBeLessThanOrEqual(2);
    if (name === 'silero') for (const track of ['soft music', 'busy', 'coughs']) expect(of(track).falseStarts).toBeLessThanOrEqual(1);
  });
});
