import type { AgentStreamError } from '../base/errors.js';
import type { Fallover } from '../speech/fallback/lineup.js';
import type { Leg } from '../speech/vendor.js';
import type { ResolvedModels } from '../speech/models.js';
import type { VoiceActivityName } from '../speech/voice-activity.js';
import { createCallLog } from './call-log.js';
import type { CallOutcome } from './call-options.js';
import type { DialogueListener } from './dialogue-listener.js';
import { snakeCaseKeys } from './record-json.js';
import type { Recorder } from './recorder.js';
import type { Reply } from './reply.js';

/** Appends to the run's event log, stamped with the call clock. */
export type RecordEvent = (type: string, data?: Readonly<{ [key: string]: unknown }>) => void;

/** Longest arguments and results of tools that are recorded, characters. */
const MAX_RECORDED_LENGTH = 4000;

/** What the run shows of the dialogue: events, transcript lines, latencies and usage. */
export type CallReporter = Pick<
  DialogueListener,
  | ('onNodeEntered' | 'onWaitEnded' | 'onToolCalled' | 'onToolFinished' | 'onExtracted' | 'onExtractionFailed')
  | ('onModelUsage' | 'onVoiceUsage' | 'onReplyPrepared' | 'onPreparedReplyDropped' | 'onHedged' | 'onFillerSaid')
> & {
  onReplyStarted(reply: Reply, turnId: number | null): void;
  onReplyEnded(replyId: string, said: { text: string; isInterrupted: boolean; turnId: number }): void;
  onCallerSaid(turn: { turnId: number; text: string; startMs: number; speechEndMs: number }): void;
  onTranscriptFinal(): void;
  onVendorFailed(leg: Leg, vendor: string, error: AgentStreamError): void;
  onVendorFallover(fallover: Fallover): void;
  onAnswered(choice: ResolvedModels['choice'], voiceActivity: VoiceActivityName): void;
  /** What the call used and where its turns' time went. */
  summary(durationMs: number, tracks: Pick<Recorder, 'callerLevels' | 'agentLevels'>): Pick<CallOutcome, 'usage' | 'turns'>;
};

/** The vendors in use, as events show them. */
export function modelsRecord(choice: ResolvedModels['choice']): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(choice).map(([leg, model]) => [leg, snakeCaseKeys(model)]));
}

/** Creates the reporter of one call. `originMs` is the monotonic time of the call clock's zero. */
export function createCallReporter(options: {
  readonly record: RecordEvent;
  readonly nowMs: () => number;
  readonly originMs: number;
}): CallReporter {
  const { record, nowMs } = options;
  const callLog = createCallLog();
  const replyStartedAtMs = new Map<string, number>();
  let lastTranscriptAtMs: number | null = null;

  return {
    onNodeEntered: (nodeId, name) => record('node-entered', { node_id: nodeId, name }),
    onWaitEnded: () => record('wait-ended'),
    onToolCalled: ({ name, argumentsJson }) => record('tool-called', { name, arguments: argumentsJson.slice(0, MAX_RECORDED_LENGTH) }),
    onToolFinished: ({ name, kind, result, durationMs }) => {
      const { toolCallId: id } = result;
      record('tool-finished', {
        name,
        kind,
        tool_call_id: id,
        ok: !result.isError,
        duration_ms: durationMs,
        result: result.text.slice(0, MAX_RECORDED_LENGTH),
      });
      const { retrieval } = result;
      if (retrieval === undefined) return;
      if (retrieval.failure !== null) record('embedding-failed', { tool_call_id: id, ...retrieval.failure });
      record('knowledge-retrieved', { tool_call_id: id, ranking: retrieval.ranking, citations: retrieval.citations.map(snakeCaseKeys) });
    },
    onExtracted: (nodeId, { values, problems }) => record('variables-extracted', { node_id: nodeId, values, problems }),
    onExtractionFailed: (nodeId, { code, message }) => record('extraction-failed', { node_id: nodeId, code, message }),
    onModelUsage: (usage) => callLog.addUsage({ modelInputTokens: usage.inputTokens, modelOutputTokens: usage.outputTokens }),
    onVoiceUsage: (chars) => callLog.addUsage({ ttsChars: chars }),
    onReplyPrepared: (replyId, turnId) => record('reply-prepared', { reply_id: replyId, turn_id: turnId }),
    onPreparedReplyDropped(replyId) {
      callLog.addUsage({ droppedReplies: 1 });
      record('prepared-reply-dropped', { reply_id: replyId });
    },
    onHedged: (replyId, { from, to, afterMs, winner }) =>
      record('model-hedged', {
        reply_id: replyId,
        from: from.vendor,
        from_model: from.model,
        to: to.vendor,
        to_model: to.model,
        after_ms: afterMs,
        winner,
      }),
    onFillerSaid: (replyId) => record('filler-said', { reply_id: replyId }),
    onTranscriptFinal() {
      lastTranscriptAtMs = nowMs();
    },
    onCallerSaid({ turnId, text, startMs, speechEndMs }) {
      callLog.addUsage({ callerTurns: 1 });
      callLog.addTurn({ turnId, startMs, speechEndMs, committedAtMs: nowMs(), transcriptAtMs: lastTranscriptAtMs });
      record('caller-said', { turn_id: turnId, text, start_ms: Math.round(startMs), end_ms: Math.round(speechEndMs) });
    },
    onReplyStarted(reply, turnId) {
      const latency = turnId === null ? null : callLog.addReply(turnId, reply.timings, options.originMs);
      replyStartedAtMs.set(reply.id, nowMs());
      record('reply-started', { reply_id: reply.id, turn_id: turnId, ...(latency === null ? {} : { latency: snakeCaseKeys(latency) }) });
    },
    onReplyEnded(replyId, said) {
      const startMs = replyStartedAtMs.get(replyId);
      replyStartedAtMs.delete(replyId);
      if (said.text === '' || startMs === undefined) return;
      callLog.addUsage({ agentReplies: 1, interruptions: said.isInterrupted ? 1 : 0 });
      record('agent-said', {
        turn_id: said.turnId,
        text: said.text,
        start_ms: Math.round(startMs),
        end_ms: Math.round(nowMs()),
        interrupted: said.isInterrupted,
      });
    },
    onAnswered: (choice, voiceActivity) => record('call-answered', { models: modelsRecord(choice), voice_activity: voiceActivity }),
    summary(durationMs, { callerLevels, agentLevels }) {
      callLog.addUsage({ sttAudioMs: durationMs });
      return { usage: callLog.usage, turns: callLog.latencies(callerLevels, agentLevels) };
    },
    onVendorFallover: ({ leg, from, to, code }) =>
      record('vendor-fallback', { leg, from: from.vendor, from_model: from.model, to: to.vendor, to_model: to.model, code }),
    onVendorFailed: (leg, vendor, error) => record('vendor-failed', { leg, vendor, code: error.code, message: error.message }),
  };
}
