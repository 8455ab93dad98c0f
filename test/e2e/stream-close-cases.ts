import type { ErrorCode } from '../../src/base/errors.js';
import type { EndReason } from '../../src/runs/lifecycle.js';
import type { Agent } from '../../src/store/store.js';
import type { AgentOptions, CallServer, CallTenant } from '../support/call-server.js';
import { placeStream, type Closing, type StreamCarrier } from '../support/stream-carrier.js';

/** Where a case is played. */
export interface CloseStage {
  readonly server: CallServer;
  readonly agent: Agent;
  readonly tenant: CallTenant;
}

/** One way in which a stream ends. */
export interface CloseCase {
  /** The entry of the error catalogue that it shows; null: nothing went wrong. */
  readonly error: ErrorCode | null;
  readonly when: string;
  /** What the carrier must see. */
  readonly close: Closing;
  /** Why the run ended; null: none was minted. */
  readonly end: EndReason | null;
  /** Whether the owner finds it among the refusals. */
  readonly isListed: boolean;
  /** How the agent differs. */
  readonly agent?: Omit<AgentOptions, 'tenant'>;
  /** Plays the carrier up to where somebody closes the socket. */
  play(stage: CloseStage): Promise<{ readonly closed: Promise<Closing> }>;
}

type Play = CloseCase['play'];

/** A case that leaves no run. */
export const refusedCase = (error: ErrorCode, when: string, close: Closing, play: Play, options: Partial<CloseCase> = {}): CloseCase => ({
  ...{ error, when, close, play, end: null, isListed: true },
  ...options,
});

/** A case whose run ends for `end`. */
export const endedCase = (error: ErrorCode | null, when: string, close: Closing, end: EndReason, play: Play, options: Partial<CloseCase> = {}): CloseCase => ({
  ...{ error, when, close, play, end, isListed: false },
  ...options,
});

/** A call to the stage's agent that was answered: the agent has spoken. */
export async function answered({ server, agent, tenant }: CloseStage): Promise<StreamCarrier> {
  const carrier = await placeStream(server, server.streamUrl(agent.uuid), { tenant });
  await carrier.heard();
  await server.waitForRun(agent, (run) => run.state === 'running');
  return carrier;
}
