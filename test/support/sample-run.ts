import type { Run } from '../../src/store/store.js';

/** A run that ended as the caller hung up. */
export function sampleRun(change: Partial<Run> = {}): Run {
  return {
    id: '01890000-0000-7000-8000-000000000001',
    name: 'WR-AGS-00000001',
    organizationId: '01890000-0000-7000-8000-000000000002',
    ownerUserId: '01890000-0000-7000-8000-000000000003',
    agentUuid: '11111111-2222-4333-8444-555555555555',
    agentVersion: 3,
    telephonyConfigId: null,
    callType: 'inbound',
    mode: 'cloudonix',
    state: 'completed',
    initialContext: { provider: 'cloudonix', caller_number: '+15550001111' },
    gatheredContext: { nodes_visited: ['Reception'], name: 'Ada' },
    logs: {},
    sessionId: null,
    endReason: 'caller_hangup',
    closeCode: 1000,
    closeReason: '',
    createdAt: new Date('2026-01-01T00:00:00Z'),
    answeredAt: new Date('2026-01-01T00:00:01Z'),
    endedAt: new Date('2026-01-01T00:01:01Z'),
    durationMs: 60_400,
    usage: {},
    cost: {},
    latency: {},
    analysis: null,
    recordingPath: 'recordings/a.wav',
    recordingExpiresAt: null,
    recordingDeletedAt: null,
    nodeId: 'node',
    ...change,
  };
}
