import { createMetronome, type Metronome } from '../../../src/audio/pacer.js';
import type { Clock } from '../../../src/base/clock.js';
import { silentLog } from '../../../src/base/log.js';
import type { CallOptions, CallOutcome } from '../../../src/call/call-options.js';
import { CallSession } from '../../../src/call/call-session.js';
import { openLegs } from '../../../src/call/legs.js';
import { createPhraseCache, type PhraseCache } from '../../../src/call/phrase-cache.js';
import { openRecorder } from '../../../src/call/recorder.js';
import { createToolRunner, type ToolPorts } from '../../../src/call/tools/run-tool.js';
import { createTransferDesk, type TransferMailboxes } from '../../../src/call/transfer-desk.js';
import { turnOptionsOf } from '../../../src/call/turn-settings.js';
import type { EventWriter } from '../../../src/runs/event-writer.js';
import type { RunEvent } from '../../../src/runs/events.js';
import { transcriptOf } from '../../../src/runs/transcript.js';
import { energyVoiceActivity } from '../../../src/speech/energy-voice-activity.js';
import { createFalloverFeed } from '../../../src/speech/fallback/fallover-feed.js';
import type { CascadedModels, ModelChoice, ResolvedModels, SpeechToSpeechModels } from '../../../src/speech/models.js';
import { createWorkMeter } from '../../../src/speech/work-meter.js';
import { cloudonixDialect } from '../../../src/telephony/cloudonix/dialect.js';
import { openMediaStream, type MediaStream } from '../../../src/telephony/media-stream.js';
import { attachClips } from '../../../src/workflow/attach-clips.js';
import { attachDocuments, type AttachedDocument } from '../../../src/workflow/attach-documents.js';
import { parseSettings } from '../../../src/workflow/settings.js';
import type { CallableTool } from '../../../src/workflow/tools/callable-tool.js';
import { startWorkflow } from '../../../src/workflow/step.js';
import { createVirtualClock, type VirtualClock } from '../virtual-clock.js';
import { edge, graphOf, node, toolsOf } from '../workflow-call.js';
import { createScriptedControl, type ScriptedControl, type ScriptedControlOptions } from './scripted-control.js';
import { createScriptedModel, type PassScript, type ScriptedModel } from './scripted-model.js';
import {
  createScriptedSpeechToText,
  createScriptedTextToSpeech,
  type ScriptedSpeechToText,
  type ScriptedSpeechToTextOptions,
  type ScriptedTextToSpeech,
  type UtteranceScript,
} from './scripted-speech.js';
import type { TaggedClip } from './tagged-clip.js';
import { VirtualCarrier, type MarkEcho } from './virtual-carrier.js';

/** What the agent of a virtual call says first, unless the test has a document of its own. */
export const GREETING = 'Hello. How can I help you?';

/** A document: a start node that greets, and an end node. */
const defaultNodes = [
  node('start', 'startCall', { greeting: GREETING, prompt: 'Help the caller.' }),
  node('end', 'endCall', { prompt: 'Say goodbye.' }),
];
const defaultEdges = [edge('start', 'end')];

/** The function the model calls to take the edge to the end node. */
export const END_TOOL = 'go_to_end';

/** How a virtual call is set up. Everything has a default. */
export interface VirtualCallOptions {
  readonly nodes?: readonly unknown[];
  readonly edges?: readonly unknown[];
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Tools that nodes name by UUID. */
  readonly tools?: readonly CallableTool[];
  readonly toolPorts?: Partial<ToolPorts>;
  /** Documents that nodes name by UUID. */
  readonly documents?: readonly AttachedDocument[];
  /** Recordings that the document names, with their sound. */
  readonly clips?: readonly TaggedClip[];
  /** The model's passes, in order. */
  readonly passes?: readonly PassScript[];
  readonly stt?: ScriptedSpeechToTextOptions;
  /** By number of the utterance, from 0: the greeting, unless it is cached. */
  readonly tts?: (index: number) => UtteranceScript;
  readonly control?: ScriptedControlOptions;
  /** Messages of the carrier's handshake, as they are on the wire. */
  readonly handshake?: readonly string[];
  readonly marks?: MarkEcho;
  /** How far the carrier's play-out lags behind. */
  readonly playoutDelayMs?: number;
  readonly remainingMs?: number;
  readonly recordingPath?: string;
  readonly phrases?: PhraseCache;
  /** Puts other vendors beside those of the call, or around them. */
  readonly compose?: (plain: PlainVendors) => Partial<CascadedModels>;
  /** Puts a speech-to-speech model in their place. */
  readonly realtime?: (plain: PlainVendors) => SpeechToSpeechModels;
  /** Changes what the call is made of: to inject faults. */
  readonly adjust?: (options: CallOptions) => CallOptions;
  /** Happens between handshake and answer. */
  readonly beforeAnswer?: (carrier: VirtualCarrier) => Promise<void> | void;
}

/** The vendors of a virtual call, each of which does what its script says. */
export interface PlainVendors {
  readonly clock: Clock;
  readonly stt: ScriptedSpeechToText;
  readonly tts: ScriptedTextToSpeech;
  readonly llm: ScriptedModel;
  /** Which word of the caller's ends in a frame. */
  readonly wordEndingIn: (frame: Uint8Array) => string | undefined;
}

/** One answered call in virtual time. */
export interface VirtualCall {
  readonly clock: VirtualClock;
  readonly carrier: VirtualCarrier;
  readonly session: CallSession;
  readonly stream: MediaStream;
  readonly metronome: Metronome;
  readonly stt: ScriptedSpeechToText;
  readonly tts: ScriptedTextToSpeech;
  readonly llm: ScriptedModel;
  readonly control: ScriptedControl;
  readonly desk: TransferMailboxes;
  /** Where the provider posts about the destinations of warm transfers. */
  readonly callbackUrls: readonly string[];
  readonly events: readonly RunEvent[];
  /** Null while the call lives. */
  readonly outcome: CallOutcome | null;
  /** Events when the outcome settled. */
  readonly eventsAtEnd: number;
  advance(ms: number): Promise<void>;
  /** Advances until it holds. Throws where it does not within the limit. */
  until(holds: () => boolean, limitMs?: number): Promise<void>;
  /** Advances until an event of the type is there (the `count`th), and returns it. */
  untilEvent(type: string, count?: number, limitMs?: number): Promise<RunEvent>;
  eventsOf(type: string): readonly RunEvent[];
  /** `agent: …` and `caller: …`, as the run's transcript shows them. */
  transcript(): readonly string[];
}

const choice: ModelChoice = { vendor: 'scripted', model: 'scripted', reason: 'agent', isSimulated: true };

/** An event writer that keeps everything. */
function createEventLog(): { events: RunEvent[]; writer: EventWriter } {
  const events: RunEvent[] = [];
  return {
    events,
    writer: {
      append: (type, data, atMs) => void events.push({ seq: events.length + 1, atMs, type, data }),
      flush: () => Promise.resolve(),
      close: () => Promise.resolve(),
      droppedCount: 0,
    },
  };
}

/** The desk of a node that shares its database with nobody. */
const virtualDesk = () =>
  createTransferDesk({
    publicUrl: () => 'https://agents.example',
    secretKey: Buffer.alloc(32, 1),
    notifications: { notify: async () => undefined, subscribe: () => () => undefined },
    log: silentLog,
  });

function noteUrls(desk: TransferMailboxes, urls: string[]): TransferMailboxes {
  return {
    deliver: desk.deliver,
    open(onProgress) {
      const mailbox = desk.open(onProgress);
      urls.push(mailbox.callbackUrl);
      return mailbox;
    },
  };
}

function settingsOf(options: VirtualCallOptions) {
  const parsed = parseSettings(options.settings ?? {});
  if (!parsed.ok) throw new Error(parsed.problems.map(({ field, message }) => `${field}: ${message}`).join('; '));
  return parsed.settings;
}

/** A Cloudonix stream reaches an agent, and the call is answered: everything between socket and vendors is the real thing. */
export async function answerVirtualCall(options: VirtualCallOptions = {}): Promise<VirtualCall> {
  const clock = createVirtualClock();
  const carrier = new VirtualCarrier(clock, { marks: options.marks ?? 'never', playoutDelayMs: options.playoutDelayMs ?? 0 });
  const stream = openMediaStream({ socket: carrier.socket.asWebSocket(), clock, log: silentLog });
  const { events, writer } = createEventLog();
  const wordEndingIn = (frame: Uint8Array) => carrier.wordEndingIn(frame);
  const stt = createScriptedSpeechToText(clock, wordEndingIn, options.stt ?? {});
  const tts = createScriptedTextToSpeech(clock, options.tts ?? (() => ({})));
  const llm = createScriptedModel(clock, options.passes ?? []);
  const control = createScriptedControl(clock, carrier, options.control ?? {});
  const callbackUrls: string[] = [];
  const desk = noteUrls(virtualDesk().of('cloudonix'), callbackUrls);
  const metronome = createMetronome(clock);
  const settings = settingsOf(options);
  const plainGraph = graphOf(options.nodes ?? defaultNodes, options.edges ?? defaultEdges, { settings, tools: toolsOf(...(options.tools ?? [])) });
  const clips = options.clips ?? [];
  tts.others.push(...clips);
  const graph = attachClips(attachDocuments(plainGraph, options.documents ?? []), clips);
  const plain = { kind: 'cascaded' as const, stt, llm, tts, choice: { stt: choice, llm: choice, tts: choice }, fallovers: createFalloverFeed(), meter: createWorkMeter() };
  const vendors = { clock, stt, tts, llm, wordEndingIn };
  const models: ResolvedModels = options.realtime?.(vendors) ?? { ...plain, ...options.compose?.(vendors) };

  carrier.open(options.handshake);
  const start = await stream.handshake(cloudonixDialect);
  const startedAtMs = clock.nowMs();
  const recorder = await openRecorder(options.recordingPath ?? null, ({ message }) => writer.append('recording-failed', { message }, clock.nowMs()));
  await options.beforeAnswer?.(carrier);
  const legs = openLegs(models, { language: settings.language, keyterms: [] });
  const callOptions: CallOptions = {
    runId: '01980000-0000-7000-8000-000000000001',
    stream,
    capabilities: cloudonixDialect.capabilities,
    startedAtMs,
    control,
    call: { sessionId: start.sessionId, account: 'acme.cloudonix.net' },
    calledNumber: start.to,
    graph,
    workflowState: startWorkflow(graph, {}),
    settings,
    turnOptions: turnOptionsOf(settings, legs),
    models,
    tools: createToolRunner({
      clock,
      fetch: () => Promise.reject(new Error('a virtual call reaches no network')),
      credentialOf: () => Promise.resolve(null),
      onFault: (error) => writer.append('tool-fault', { message: String(error) }, clock.nowMs()),
      ...options.toolPorts,
    }),
    legs,
    recorder,
    events: writer,
    phrases: options.phrases ?? createPhraseCache(),
    clips: new Map(clips.map(({ uuid, audio }) => [uuid, audio])),
    metronome,
    voiceActivity: energyVoiceActivity,
    transfers: desk,
    remainingMs: options.remainingMs ?? null,
    clock: clock satisfies Clock,
    log: silentLog,
  };
  const session = new CallSession(options.adjust?.(callOptions) ?? callOptions);
  let outcome: CallOutcome | null = null;
  let eventsAtEnd = 0;
  void session.outcome.then((result) => {
    outcome = result;
    eventsAtEnd = events.length;
  });

  const until = async (holds: () => boolean, limitMs = 60_000) => {
    const deadlineMs = clock.nowMs() + limitMs;
    while (!holds()) {
      if (clock.nowMs() >= deadlineMs) throw new Error(`It did not come about within ${limitMs} ms.\n${describe(events)}`);
      await clock.advance(20);
      // The disk works in real time: once the stream is over, it is waited for.
      if (options.recordingPath !== undefined && carrier.socket.isOver) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const eventsOf = (type: string) => events.filter((event) => event.type === type);
  return {
    clock,
    carrier,
    session,
    stream,
    metronome,
    stt,
    tts,
    llm,
    control,
    desk,
    callbackUrls,
    events,
    get outcome() {
      return outcome;
    },
    get eventsAtEnd() {
      return eventsAtEnd;
    },
    advance: (ms) => clock.advance(ms),
    until,
    async untilEvent(type, count = 1, limitMs) {
      await until(() => eventsOf(type).length >= count, limitMs);
      const found = eventsOf(type)[count - 1];
      if (found === undefined) throw new Error('unreachable');
      return found;
    },
    eventsOf,
    transcript: () => transcriptOf(events).map(({ role, text, interrupted }) => `${role}: ${text}${interrupted === true ? ' —' : ''}`),
  };
}

/** The events as lines, for failures. */
function describe(events: readonly RunEvent[]): string {
  return events.map(({ atMs, type, data }) => `${String(atMs).padStart(7)} ${type} ${JSON.stringify(data)}`).join('\n');
}
