import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { expectCleanEnd } from '../support/virtual/call-invariants.js';
import { outputsOf, readRecording, replay, writeRecording, type RecordedOutput } from '../support/virtual/recorded-call.js';

const FOLDER = join(import.meta.dirname, 'recordings');

/** Times may move by a frame. */
const TOLERANCE_MS = 20;

/** `UPDATE_RECORDINGS=1` writes what came out into the recordings: read the difference before it is committed. */
const isUpdating = process.env['UPDATE_RECORDINGS'] === '1';

const withoutTimes = ({ at_ms: _atMs, until_ms: _untilMs, ...rest }: RecordedOutput) => rest;

describe('a recorded call', () => {
  it.each(readdirSync(FOLDER).filter((name) => name.endsWith('.jsonl')))('%s is answered as it was', async (name) => {
    const recorded = readRecording(join(FOLDER, name));
    const call = await replay(recorded);
    const outputs = outputsOf(call);
    if (isUpdating) writeRecording(join(FOLDER, name), recorded, outputs);
    const expected = isUpdating ? outputs : recorded.outputs;
    expect(outputs.map(withoutTimes)).toEqual(expected.map(withoutTimes));
    for (const [index, output] of outputs.entries()) {
      expect(Math.abs(output.at_ms - (expected[index]?.at_ms ?? NaN))).toBeLessThanOrEqual(TOLERANCE_MS);
      if (output.until_ms !== undefined) expect(Math.abs(output.until_ms - (expected[index]?.until_ms ?? NaN))).toBeLessThanOrEqual(TOLERANCE_MS);
    }
    await expectCleanEnd(call, String(call.outcome?.ending.endReason));
  });

  it('is there for each kind', () => {
    expect(readdirSync(FOLDER)).toHaveLength(9);
  });
});
