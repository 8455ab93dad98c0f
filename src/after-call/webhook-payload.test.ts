import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sampleRun } from '../../test/support/sample-run.js';
import { encodePayload, MAX_PAYLOAD_BYTES, webhookPayload, webhookPayloadSchema } from './webhook-payload.js';

const at = { publicUrl: 'https://calls.example.com', occurredAt: new Date('2026-01-02T00:00:00Z') };

describe('messages', () => {
  it('tell how a run ended, and link to what is long', () => {
    const payload = webhookPayloadSchema.parse(webhookPayload('run.ended', sampleRun(), at));
    expect(payload).toMatchObject({
      type: 'run.ended',
      timestamp: '2026-01-01T00:01:01.000Z',
      data: {
        run: {
          state: 'completed',
          end_reason: 'caller_hangup',
          duration_ms: 60_400,
          gathered_context: { name: 'Ada' },
          transcript_url: 'https://calls.example.com/api/v1/runs/01890000-0000-7000-8000-000000000001/transcript',
          recording_url: 'https://calls.example.com/api/v1/runs/01890000-0000-7000-8000-000000000001/recording',
        },
      },
    });
  });

  it('link to no recording that was deleted', () => {
    const payload = webhookPayload('run.ended', sampleRun({ recordingDeletedAt: new Date('2026-01-01T12:00:00Z') }), at);
    expect(payload.data.run?.recording_url).toBeNull();
  });

  it('tell of a start what was known at the start, however late they are written', () => {
    const live = sampleRun({ state: 'running', endReason: null, closeCode: null, closeReason: null, endedAt: null, durationMs: null, recordingPath: null, gatheredContext: {} });
    const payload = webhookPayload('run.started', sampleRun(), at);
    expect(payload).toEqual(webhookPayload('run.started', live, at));
    expect(webhookPayloadSchema.parse(payload)).toMatchObject({ timestamp: '2026-01-01T00:00:01.000Z', data: { run: { state: 'running', end_reason: null } } });
  });

  it('of a test hold no run', () => {
    expect(webhookPayloadSchema.parse(webhookPayload('endpoint.test', null, at))).toEqual({ type: 'endpoint.test', timestamp: '2026-01-02T00:00:00.000Z', data: { run: null } });
  });

  it('stay within 20 kB, dropping the contexts and nothing else', () => {
    const contexts = fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.string({ minLength: 5_000, maxLength: 15_000 })), { maxKeys: 4 });
    fc.assert(
      fc.property(contexts, contexts, (initialContext, gatheredContext) => {
        const whole = webhookPayload('run.ended', sampleRun({ initialContext, gatheredContext }), at);
        const body = encodePayload(whole);
        expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES);
        const { initial_context: initial, gathered_context: gathered, ...facts } = webhookPayloadSchema.parse(JSON.parse(body)).data.run ?? {};
        expect(whole.data.run).toMatchObject(facts);
        if (Buffer.byteLength(JSON.stringify(whole)) <= MAX_PAYLOAD_BYTES) expect([initial, gathered]).not.toContain(null);
        else expect(gathered).toBeNull();
      }),
      { numRuns: 50 },
    );
  });
});
