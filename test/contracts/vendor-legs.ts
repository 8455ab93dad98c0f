import type { ErrorCode } from '../../src/base/errors.js';
import { anthropic } from '../../src/speech/anthropic/anthropic.js';
import { assemblyai } from '../../src/speech/assemblyai/assemblyai.js';
import { azure } from '../../src/speech/azure/azure.js';
import { cartesia } from '../../src/speech/cartesia/cartesia.js';
import { deepgram } from '../../src/speech/deepgram/deepgram.js';
import { elevenlabs } from '../../src/speech/elevenlabs/elevenlabs.js';
import { googleCloud } from '../../src/speech/google/google-cloud.js';
import { google } from '../../src/speech/google/google.js';
import { groq } from '../../src/speech/groq/groq.js';
import { openaiCompatible } from '../../src/speech/openai-compatible/openai-compatible.js';
import { rime } from '../../src/speech/rime/rime.js';
import { soniox } from '../../src/speech/soniox/soniox.js';
import { speechmatics } from '../../src/speech/speechmatics/speechmatics.js';
import type { Leg, VendorModule } from '../../src/speech/vendor.js';
import { startFakeAnthropic } from '../support/fakes/anthropic.js';
import { startFakeAssemblyai } from '../support/fakes/assemblyai.js';
import { startFakeAzure } from '../support/fakes/azure.js';
import { startFakeCartesia } from '../support/fakes/cartesia.js';
import { startFakeDeepgramVoice } from '../support/fakes/deepgram-voice.js';
import { startFakeDeepgram } from '../support/fakes/deepgram.js';
import { startFakeElevenlabsScribe } from '../support/fakes/elevenlabs-scribe.js';
import { startFakeElevenlabsVoice } from '../support/fakes/elevenlabs-voice.js';
import { startFakeGoogleCloudVoice } from '../support/fakes/google-cloud-voice.js';
import { startFakeGoogle } from '../support/fakes/google.js';
import { startFakeGroq } from '../support/fakes/groq.js';
import { startFakeUltravox } from '../support/fakes/ultravox.js';
import { ultravox } from '../../src/speech/ultravox/ultravox.js';
import { startFakeGeminiLive, type LiveFault } from '../support/fakes/gemini-live.js';
import { startFakeOpenaiRealtime } from '../support/fakes/openai-realtime.js';
import { startFakeOpenaiSpeech } from '../support/fakes/openai-speech-to-speech.js';
import { startFakeTranscriptions, type TranscriptionFault } from '../support/fakes/openai-transcriptions.js';
import { startFakeOpenaiVoice } from '../support/fakes/openai-voice.js';
import { startFakeOpenai } from '../support/fakes/openai.js';
import type { RecogniserFault } from '../support/fakes/recogniser-server.js';
import { startFakeRime } from '../support/fakes/rime.js';
import type { ModelFault } from '../support/fakes/scripted-model.js';
import { startFakeSoniox } from '../support/fakes/soniox.js';
import type { VoiceFault } from '../support/fakes/speech-queue.js';
import { startFakeSpeechmatics } from '../support/fakes/speechmatics.js';
import type { VendorServer } from '../support/fakes/vendor-server.js';

/** A row of the list of faults: F7 ears, F8 model, F9 voice. F10 (it lasts) and F11 (it passes) are what every row is put through. */
export type FaultGroup = 'F7' | 'F8' | 'F9';

/** One thing that a vendor's protocol lets go wrong, on every connection or request while it lasts. */
export interface LegFault {
  readonly group: FaultGroup;
  readonly what: string;
  /** What the call is told when it lasts; for a stall, where the vendor is not given up, null. */
  readonly code: ErrorCode | null;
  /** The vendor goes silent: it must be noticed in this time, ms of virtual time. */
  readonly noticedWithinMs?: number;
  /** It reads no more, and so cannot see that it was left: its sockets are not counted. */
  readonly isDeaf?: boolean;
}

/** A fake that breaks on demand. */
export interface BreakableFake {
  readonly baseUrl: string;
  /** Sockets that are open, or requests under way where connections are the process's and stay alive. */
  leftOpen(): number;
  close(): Promise<void>;
}

/** One leg of one vendor, by one of its protocols. */
export interface VendorLegRow {
  readonly vendor: VendorModule;
  readonly leg: Leg;
  /** Tells rows of one vendor and leg apart. */
  readonly mode: string;
  readonly settings: Record<string, unknown>;
  readonly faults: readonly LegFault[];
  /** `dealFault` is asked at each connection or request which fault of `faults` it meets. */
  start(dealFault: () => LegFault | null): Promise<BreakableFake>;
}

type Cases<Fault> = readonly (LegFault & { readonly fault: Fault })[];
type Options<Fault> = { readonly apiKey: string; readonly fault: () => Fault | undefined };

/** What a protocol's rows share. */
interface Protocol<Fault> {
  readonly leg: Leg;
  readonly cases: Cases<Fault>;
}

function row<Fault>(
  { leg, cases }: Protocol<Fault>,
  vendor: VendorModule,
  start: (options: Options<Fault>) => Promise<BreakableFake>,
  { mode = '', settings = {} }: { readonly mode?: string; readonly settings?: Record<string, unknown> } = {},
): VendorLegRow {
  return {
    vendor,
    leg,
    mode,
    settings,
    faults: cases,
    start: (dealFault) =>
      start({
        apiKey: 'test-key',
        fault() {
          const dealt = dealFault();
          return cases.find((each) => each === dealt)?.fault;
        },
      }),
  };
}

const bySockets = async (starting: Promise<VendorServer>): Promise<BreakableFake> => {
  const fake = await starting;
  return { baseUrl: fake.wsUrl, leftOpen: () => fake.openSockets(), close: () => fake.close() };
};
const byRequests = async (starting: Promise<VendorServer & { readonly requests: readonly { readonly outcome: string | null }[] }>): Promise<BreakableFake> => {
  const fake = await starting;
  return { baseUrl: fake.httpUrl, leftOpen: () => fake.requests.filter(({ outcome }) => outcome === null).length, close: () => fake.close() };
};

/** Silence that a vendor is left for. */
export const STALL_MS = 2000;
/** A recogniser's connection is looked at each second. */
const WATCHED_STALL_MS = 3000;
/** What is asked by requests has longer where it has no spare (docs/vendors.md). With one it is left after {@link STALL_MS}. */
const MODEL_PATIENCE_MS = 8000;
const REQUEST_VOICE_PATIENCE_MS = 6000;

/** What may go wrong with any connection that takes audio. */
const connectionFaults = [
  { group: 'F7', what: '401', code: 'vendor-unauthorized', fault: { upgrade: { kind: 'http', status: 401 } } },
  { group: 'F7', what: '429', code: 'vendor-rate-limited', fault: { upgrade: { kind: 'http', status: 429 } } },
  { group: 'F7', what: '503', code: 'vendor-unreachable', fault: { upgrade: { kind: 'http', status: 503 } } },
  { group: 'F7', what: 'reset before it opens', code: 'vendor-unreachable', fault: { upgrade: { kind: 'reset' } } },
  { group: 'F7', what: 'reset in speech', code: 'vendor-unreachable', fault: { socket: { kind: 'cut' }, afterAudioMs: 60 } },
  { group: 'F7', what: 'close 1011', code: 'vendor-unreachable', fault: { socket: { kind: 'close', code: 1011 }, afterAudioMs: 60 } },
  { group: 'F7', what: 'upgrade unanswered', code: 'vendor-unreachable', noticedWithinMs: STALL_MS, fault: { upgrade: { kind: 'hang' } } },
  { group: 'F7', what: 'stops reading', code: null, noticedWithinMs: WATCHED_STALL_MS, isDeaf: true, fault: { socket: { kind: 'stop-reading' }, afterAudioMs: 60 } },
] as const satisfies Cases<RecogniserFault & LiveFault>;

const recogniser: Protocol<RecogniserFault> = {
  leg: 'stt',
  cases: [
    ...connectionFaults,
    { group: 'F7', what: 'garbage', code: 'vendor-protocol', fault: { results: 'garbage' } },
    { group: 'F7', what: 'no results', code: null, noticedWithinMs: WATCHED_STALL_MS, fault: { results: 'none' } },
  ],
};

/** Messages that it cannot read are no answer to it: it is found out by the answer that stays away. */
const openaiRecogniser: Protocol<RecogniserFault> = {
  leg: 'stt',
  cases: recogniser.cases.map((each) => (each.what === 'garbage' ? { ...each, code: 'vendor-unreachable' } : each)),
};

const transcriptions: Protocol<TranscriptionFault> = {
  leg: 'stt',
  cases: [
    { group: 'F7', what: '401', code: 'vendor-unauthorized', fault: { kind: 'http', status: 401 } },
    { group: 'F7', what: '429', code: 'vendor-rate-limited', fault: { kind: 'http', status: 429 } },
    { group: 'F7', what: '503', code: 'vendor-unreachable', fault: { kind: 'http', status: 503 } },
    { group: 'F7', what: 'reset before an answer', code: 'vendor-unreachable', fault: { kind: 'reset' } },
    { group: 'F7', what: 'reset in the answer', code: 'vendor-unreachable', fault: { kind: 'cut' } },
    { group: 'F7', what: 'garbage', code: 'vendor-protocol', fault: { kind: 'garbage' } },
    { group: 'F7', what: 'request unanswered', code: 'vendor-unreachable', noticedWithinMs: MODEL_PATIENCE_MS, fault: { kind: 'hang' } },
  ],
};

const model: Protocol<ModelFault> = {
  leg: 'llm',
  cases: [
    { group: 'F8', what: '401', code: 'vendor-unauthorized', fault: { kind: 'http', status: 401 } },
    { group: 'F8', what: '429', code: 'vendor-rate-limited', fault: { kind: 'http', status: 429 } },
    { group: 'F8', what: '503', code: 'vendor-unreachable', fault: { kind: 'http', status: 503 } },
    { group: 'F8', what: 'reset before an answer', code: 'vendor-unreachable', fault: { kind: 'reset' } },
    { group: 'F8', what: 'reset in the answer', code: 'vendor-unreachable', fault: { kind: 'cut', afterTokens: 3 } },
    { group: 'F8', what: 'an end without a reason', code: 'vendor-unreachable', fault: { kind: 'unfinished', afterTokens: 3 } },
    { group: 'F8', what: 'no first token', code: 'vendor-unreachable', noticedWithinMs: MODEL_PATIENCE_MS, fault: { kind: 'no-first-token' } },
  ],
};

const voiceStalls = (noticedWithinMs: number): Cases<SharedVoiceFault> => [
  { group: 'F9', what: 'silent from the start', code: 'vendor-unreachable', noticedWithinMs, fault: { upgrade: { kind: 'hang' } } },
  { group: 'F9', what: 'stall in a sentence', code: 'vendor-unreachable', noticedWithinMs, fault: { audio: 'stall', afterAudioMs: 300 } },
];
/** Errors by the vendor's own names and numbers have tests of their own. */
type SharedVoiceFault = Exclude<VoiceFault, { readonly error: string }>;
const voiceFailures: Cases<SharedVoiceFault> = [
  { group: 'F9', what: '401', code: 'vendor-unauthorized', fault: { upgrade: { kind: 'http', status: 401 } } },
  { group: 'F9', what: '429', code: 'vendor-rate-limited', fault: { upgrade: { kind: 'http', status: 429 } } },
  { group: 'F9', what: '503', code: 'vendor-unreachable', fault: { upgrade: { kind: 'http', status: 503 } } },
  { group: 'F9', what: 'reset before an answer', code: 'vendor-unreachable', fault: { upgrade: { kind: 'reset' } } },
  { group: 'F9', what: 'reset in a sentence', code: 'vendor-unreachable', fault: { socket: { kind: 'cut' }, afterAudioMs: 500 } },
  { group: 'F9', what: 'no audio', code: 'vendor-protocol', fault: { audio: 'empty' } },
  { group: 'F9', what: 'garbage', code: 'vendor-protocol', fault: { audio: 'garbage' } },
];
const voice: Protocol<SharedVoiceFault> = {
  leg: 'tts',
  cases: [...voiceFailures, ...voiceStalls(STALL_MS), { group: 'F9', what: 'close 1011', code: 'vendor-unreachable', fault: { socket: { kind: 'close', code: 1011 }, afterAudioMs: 500 } }],
};
const requestVoice: Protocol<SharedVoiceFault> = { leg: 'tts', cases: [...voiceFailures, ...voiceStalls(REQUEST_VOICE_PATIENCE_MS)] };

const realtime: Protocol<LiveFault> = {
  leg: 'realtime',
  cases: [
    ...connectionFaults,
    { group: 'F7', what: 'garbage', code: 'vendor-protocol', fault: { messages: 'garbage' } },
    { group: 'F7', what: 'no session', code: 'vendor-unreachable', noticedWithinMs: STALL_MS, fault: { session: 'silent' } },
  ],
};

/** Speaks fast enough that a sentence takes a moment. */
const pace = 40;

/** Every leg of every vendor that is behind a network, by each protocol it has. A new vendor gets a row here, or the suite fails. */
export const vendorLegRows: readonly VendorLegRow[] = [
  row(recogniser, deepgram, (options) => bySockets(startFakeDeepgram(options)), { mode: 'nova' }),
  row(recogniser, deepgram, (options) => bySockets(startFakeDeepgram(options)), { mode: 'flux', settings: { model: 'flux-general-en' } }),
  row(recogniser, assemblyai, (options) => bySockets(startFakeAssemblyai(options))),
  row(recogniser, soniox, (options) => bySockets(startFakeSoniox(options))),
  row(recogniser, speechmatics, (options) => bySockets(startFakeSpeechmatics(options))),
  row(recogniser, elevenlabs, (options) => bySockets(startFakeElevenlabsScribe(options))),
  row(openaiRecogniser, openaiCompatible, (options) => bySockets(startFakeOpenaiRealtime(options)), { mode: 'realtime', settings: { mode: 'realtime' } }),
  row(
    transcriptions,
    openaiCompatible,
    async (options) => {
      const fake = await startFakeTranscriptions({ ...options, transcribe: () => 'alpha' });
      return { baseUrl: fake.httpUrl, leftOpen: () => fake.openRequests(), close: () => fake.close() };
    },
    { mode: 'segments', settings: { mode: 'segments' } },
  ),
  row(model, openaiCompatible, (options) => byRequests(startFakeOpenai({ ...options, interTokenMs: 2 }))),
  row(model, anthropic, (options) => byRequests(startFakeAnthropic({ ...options, interTokenMs: 2 }))),
  row(model, google, (options) => byRequests(startFakeGoogle({ ...options, interTokenMs: 2 }))),
  row(model, groq, (options) => byRequests(startFakeGroq({ ...options, interTokenMs: 2 }))),
  row(voice, cartesia, (options) => bySockets(startFakeCartesia({ ...options, pace }))),
  row(voice, elevenlabs, (options) => bySockets(startFakeElevenlabsVoice({ ...options, pace }))),
  row(voice, deepgram, (options) => bySockets(startFakeDeepgramVoice({ ...options, pace }))),
  row(voice, rime, (options) => bySockets(startFakeRime({ ...options, pace }))),
  row(requestVoice, openaiCompatible, (options) => byRequests(startFakeOpenaiVoice({ ...options, pace }))),
  row(requestVoice, azure, (options) => byRequests(startFakeAzure({ ...options, pace }))),
  row(requestVoice, googleCloud, (options) => byRequests(startFakeGoogleCloudVoice({ ...options, pace }))),
  row(realtime, openaiCompatible, (options) => bySockets(startFakeOpenaiSpeech({ ...options, pace }))),
  row(realtime, google, (options) => bySockets(startFakeGeminiLive(options))),
  row(realtime, ultravox, (options) => bySockets(startFakeUltravox(options))),
];

/** How a row is named in test titles. */
export const titleOf = ({ vendor, leg, mode }: VendorLegRow): string => `${vendor.name} ${leg}${mode === '' ? '' : ` (${mode})`}`;
