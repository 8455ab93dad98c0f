import type { TurnLatency } from '../runs/events.js';
import type { ReplyTimings } from './reply.js';
import { heardGapMs, type LevelTrack } from './tracks.js';

/** Turns whose details are kept; later turns still count. A call of an hour has about 300. */
const MAX_TURNS = 2000;

/** What the call used, for the run's `usage`. */
export interface CallUsage {
  readonly sttAudioMs: number;
  readonly ttsChars: number;
  readonly modelInputTokens: number;
  readonly modelOutputTokens: number;
  readonly callerTurns: number;
  readonly agentReplies: number;
  readonly interruptions: number;
  /** Replies that were begun on a pause and dropped unheard. */
  readonly droppedReplies: number;
}

/** A committed caller turn, all times on the call clock. */
export interface CallerTurn {
  readonly turnId: number;
  readonly startMs: number;
  readonly speechEndMs: number;
  /** When the last words of the turn were settled. */
  readonly transcriptAtMs: number | null;
  readonly committedAtMs: number;
}

/** Adds up what one call used and where its turns' time went. Plain data; the session feeds it. */
export interface CallLog {
  addUsage(part: Partial<CallUsage>): void;
  addTurn(turn: CallerTurn): void;
  /** The reply to a turn was put on the wire. `originMs`: the clock's monotonic time at call clock 0. */
  addReply(turnId: number, timings: ReplyTimings, originMs: number): TurnLatency | null;
  readonly usage: CallUsage;
  /** Per-turn parts, with the gap the caller heard measured on the recorded tracks. */
  latencies(caller: LevelTrack, agent: LevelTrack): readonly TurnLatency[];
}

/** Creates an empty log. */
export function createCallLog(): CallLog {
  const turns = new Map<number, { turn: CallerTurn; latency: TurnLatency; reply: { readonly timings: ReplyTimings; readonly startMs: number } | null }>();
  let usage: CallUsage = {
    sttAudioMs: 0,
    ttsChars: 0,
    modelInputTokens: 0,
    modelOutputTokens: 0,
    callerTurns: 0,
    agentReplies: 0,
    interruptions: 0,
    droppedReplies: 0,
  };

  return {
    get usage() {
      return usage;
    },
    addUsage(part) {
      const sum = { ...usage };
      for (const key of Object.keys(part) as (keyof CallUsage)[]) sum[key] += part[key] ?? 0;
      usage = sum;
    },
    addTurn(turn) {
      if (turns.size >= MAX_TURNS) return;
      const latency: TurnLatency = {
        turnId: turn.turnId,
        endpointingMs: round(turn.committedAtMs - turn.speechEndMs),
        ...(turn.transcriptAtMs === null ? {} : { transcriptMs: round(Math.max(0, turn.transcriptAtMs - turn.speechEndMs)) }),
      };
      turns.set(turn.turnId, { turn, latency, reply: null });
    },
    addReply(turnId, timings, originMs) {
      const entry = turns.get(turnId);
      if (entry === undefined || entry.reply !== null || timings.firstFrameAtMs === undefined) return null;
      const headStartMs = round(entry.turn.committedAtMs - (timings.requestedAtMs - originMs));
      entry.latency = { ...entry.latency, ...(headStartMs > 0 ? { headStartMs } : {}) };
      entry.reply = { timings, startMs: timings.firstFrameAtMs - originMs };
      return { ...entry.latency, ...replyParts(timings) };
    },
    latencies: (caller, agent) =>
      [...turns.values()].map(({ turn, latency, reply }) => {
        if (reply === null) return latency;
        const gapMs = heardGapMs(caller, agent, { startMs: turn.startMs, endMs: turn.speechEndMs, replyStartMs: reply.startMs });
        // A reply that began with a filler has its other parts only now.
        return { ...latency, ...replyParts(reply.timings), ...(gapMs === null ? {} : { heardGapMs: round(gapMs) }) };
      }),
  };
}

/** The parts of a reply that could be measured. A reply of fixed words has no model parts. */
function replyParts(timings: ReplyTimings): Partial<TurnLatency> {
  const span = (from: number | undefined, to: number | undefined): number | undefined =>
    from === undefined || to === undefined ? undefined : round(Math.max(0, to - from));
  const parts = {
    modelFirstTokenMs: span(timings.modelRequestedAtMs, timings.firstTokenAtMs),
    firstClauseMs: span(timings.firstTokenAtMs, timings.voiceRequestedAtMs),
    voiceFirstByteMs: span(timings.voiceRequestedAtMs, timings.firstByteAtMs),
    firstFrameMs: timings.hasFiller === true ? undefined : span(timings.firstByteAtMs, timings.firstFrameAtMs),
    hedged: timings.isHedged,
    filler: timings.hasFiller,
  };
  return Object.fromEntries(Object.entries(parts).filter(([, value]) => value !== undefined));
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
