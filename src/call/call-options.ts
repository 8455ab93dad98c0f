import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import type { Metronome } from '../audio/pacer.js';
import type { EventWriter } from '../runs/event-writer.js';
import type { TurnLatency } from '../runs/events.js';
import type { EndReason } from '../runs/lifecycle.js';
import type { Hedge } from '../speech/language-model.js';
import type { Fallover } from '../speech/fallback/lineup.js';
import type { ResolvedModels } from '../speech/models.js';
import type { Leg } from '../speech/vendor.js';
import type { VendorWork } from '../speech/work-meter.js';
import type { VoiceActivity } from '../speech/voice-activity.js';
import type { DialectCapabilities } from '../telephony/dialect.js';
import type { MediaStream } from '../telephony/media-stream.js';
import type { ProviderCall, ProviderControl } from '../telephony/provider.js';
import type { TurnOptions } from '../turn/options.js';
import type { WorkflowGraph } from '../workflow/graph.js';
import type { Variables, WorkflowState } from '../workflow/engine.js';
import type { WorkflowSettings } from '../workflow/settings.js';
import type { CallUsage } from './call-log.js';
import type { ClipSounds } from './clip-resolver.js';
import type { OpenLegs } from './legs.js';
import type { PhraseCache } from './phrase-cache.js';
import type { Recorder } from './recorder.js';
import type { ToolRunner } from './tools/run-tool.js';
import type { TransferMailboxes } from './transfer-desk.js';

/** How a call ended, and with what the stream is closed. */
export interface CallEnding {
  readonly endReason: EndReason;
  readonly close: { readonly code: number; readonly reason: string };
}

/** What a call leaves behind, for its run. */
export interface CallOutcome {
  readonly ending: CallEnding;
  readonly durationMs: number;
  /** True where the recording is complete on disk. */
  readonly isRecorded: boolean;
  readonly usage: CallUsage;
  /** What each vendor did, for its price. */
  readonly work: readonly VendorWork[];
  readonly turns: readonly TurnLatency[];
  /** The vendors that were in use at the end. */
  readonly models: ResolvedModels['choice'];
  readonly nodesVisited: readonly string[];
  readonly variables: Variables;
}

/** Everything one call is made of. The stream's handshake is done and its session validated. */
export interface CallOptions {
  readonly runId: string;
  readonly stream: MediaStream;
  readonly capabilities: DialectCapabilities;
  /** Monotonic time of the call clock's zero: when `start` arrived. */
  readonly startedAtMs: number;
  readonly control: ProviderControl;
  readonly call: ProviderCall;
  readonly calledNumber: string | undefined;
  readonly graph: WorkflowGraph;
  readonly workflowState: WorkflowState;
  readonly settings: WorkflowSettings;
  readonly turnOptions: TurnOptions;
  readonly models: ResolvedModels;
  readonly tools: ToolRunner;
  readonly legs: OpenLegs;
  readonly recorder: Recorder;
  readonly events: EventWriter;
  readonly phrases: PhraseCache;
  /** Of the recordings that the graph has attached. */
  readonly clips: ClipSounds;
  readonly metronome: Metronome;
  readonly voiceActivity: VoiceActivity;
  readonly transfers: TransferMailboxes;
  /** What the owner's quota leaves for this call; null: unlimited. */
  readonly remainingMs: number | null;
  readonly clock: Clock;
  readonly log: Log;
  /** A vendor failed during the call; for counting. */
  readonly onVendorFailed?: (leg: Leg, vendor: string, code: string) => void;
  /** The call went on with another vendor; for counting. */
  readonly onVendorFallover?: (fallover: Fallover) => void;
  /** A request to the model was sent twice; for counting. */
  readonly onModelHedged?: (hedge: Hedge) => void;
}
