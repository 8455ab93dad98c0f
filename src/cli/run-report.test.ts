import { describe, expect, it } from 'vitest';
import { runShape } from './api-shapes.js';
import { describeRun } from './run-report.js';

const run = {
  ...{ id: 'r', name: 'WR-AGS-1', agent_uuid: 'a', agent_version: 1, mode: 'cloudonix', state: 'completed', initial_context: {}, gathered_context: {} },
  ...{ end_reason: 'caller_hangup', close_code: 1000, close_reason: '', created_at: '2026-01-01T00:00:00.000Z', answered_at: null, ended_at: null, duration_ms: 1000 },
};
const costLines = (cost: unknown) => {
  const lines = describeRun(runShape.parse({ ...run, cost })).map((line) => line.trim());
  return lines.slice(lines.findIndex((line) => line.startsWith('recording')) + 1);
};

describe('runs show', () => {
  it('tells what the call cost, part by part, and what of it is unknown', () => {
    const cost = {
      total: '0.007240',
      currency: 'USD',
      parts: [{ leg: 'stt', vendor: 'deepgram', model: 'nova-3', quantity: 90.5, unit: 'second', amount: '0.007240' }],
      unknown: [{ leg: 'telephony', vendor: 'cloudonix', model: '', quantity: 1, unit: 'second' }],
    };
    expect(costLines(cost)).toEqual(['cost                     0.007240 USD', '0.007240  90.5 seconds deepgram nova-3 (stt)', 'unknown   1 second cloudonix (telephony)']);
  });

  it('says nothing of it where nothing is known', () => {
    expect(costLines({})).toEqual([]);
    expect(costLines(undefined)).toEqual([]);
  });
});
