/** Where a run is. Exactly one of the last two is reached, exactly once. */
export type RunState = 'initialized' | 'running' | 'completed' | 'failed';

/**
 * Who or what ended a run. The terminal state follows from it: a run is `completed` when a conversation took place and ended as
 * the caller, the agent or its rules meant it to, and `failed` when something broke.
 */
export const endReasons = {
  caller_hangup: { state: 'completed', meaning: 'The caller hung up.' },
  agent_hangup: { state: 'completed', meaning: 'The agent said goodbye and hung up.' },
  transferred: { state: 'completed', meaning: 'The call was handed to another destination.' },
  idle_timeout: { state: 'completed', meaning: 'The caller stayed silent through every check.' },
  max_duration: { state: 'completed', meaning: 'The call reached its maximum duration.' },
  quota_exceeded: { state: 'completed', meaning: 'The owner’s quota ran out during the call.' },
  operator_hangup: { state: 'completed', meaning: 'The call was ended through the API.' },
  voicemail: { state: 'completed', meaning: 'A voicemail system answered.' },
  drained: { state: 'completed', meaning: 'The node shut down and the drain deadline passed.' },
  handshake_error: { state: 'failed', meaning: 'The provider’s handshake or session validation failed.' },
  provider_error: { state: 'failed', meaning: 'The telephony provider broke the stream’s protocol or vanished.' },
  vendor_error: { state: 'failed', meaning: 'A speech or language vendor failed and nothing could replace it.' },
  node_lost: { state: 'failed', meaning: 'The node that held the call died.' },
  internal_error: { state: 'failed', meaning: 'A fault of this server.' },
} as const satisfies Record<string, { state: 'completed' | 'failed'; meaning: string }>;

/** One of the keys of {@link endReasons}. */
export type EndReason = keyof typeof endReasons;

/** How a call ended, as its run records it. */
export interface RunEnding {
  readonly endReason: EndReason;
  /** Close code and reason the stream's socket ended with, ours or the peer's; null where there was none. */
  readonly closeCode: number | null;
  readonly closeReason: string | null;
}

/** The terminal state that follows from the reason. */
export function terminalStateOf(endReason: EndReason): 'completed' | 'failed' {
  return endReasons[endReason].state;
}
