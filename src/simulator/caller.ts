import { FRAME_MS, mulawDurationMs } from '../audio/frame.js';
import type { SpeechToText, SpeechToTextEvent } from '../speech/speech-to-text.js';
import type { CallerStep, SpeakWhen } from './caller-script.js';
import { openCarrierStream, type CarrierEvent, type CarrierOptions, type CarrierStream, type StreamEnding } from './carrier.js';
import { createConversation, type Conversation } from './conversation.js';
import { createDeferred } from './deferred.js';
import type { ExchangeStats } from './media-exchange.js';
import type { ConversationTurn } from './turn-log.js';

/** How long the caller waits for an answer before speaking or going on regardless. */
export const ANSWER_TIMEOUT_MS = 15_000;

/** What a person takes to begin after the other has clearly finished, on top of the pause that shows it. */
const REACTION_MS = 100;

/** From one key press to the next. */
const KEY_GAP_MS = 200;

/** How long the recogniser may take for its last words once the call is over. */
const LAST_WORDS_TIMEOUT_MS = 1_000;

/** How long the caller stays on the line, silent, once the script is done. */
export const DEFAULT_LINGER_MS = 10_000;

/** A script and what its steps sound like. */
export interface CallerPart {
  readonly steps: readonly CallerStep[];
  /** The audio of each `say` and `play-wav` step, by the step's index. */
  readonly clips: ReadonlyMap<number, Uint8Array>;
  /** After the last step; 0 hangs up at once. */
  readonly lingerMs: number;
}

/** One scripted call. */
export interface ScriptedCallOptions {
  readonly carrier: Omit<CarrierOptions, 'onEvent' | 'onFrame'>;
  /** A script; or a caller who decides as the call goes, and hangs up. */
  readonly part: CallerPart | CallerMind;
  /** Understands what the caller hears. */
  readonly recogniser: SpeechToText;
  /** After this the caller hangs up, wherever the script is. */
  readonly maxDurationMs: number;
  readonly onTurn?: (turn: ConversationTurn) => void;
  readonly onEvent?: (event: CarrierEvent) => void;
  /** The stream is there: to end it from outside, as the carrier does when its REST API is told to. */
  readonly onStream?: (stream: CarrierStream) => void;
}

/** What a scripted call came to. */
export interface CallResult {
  readonly ending: StreamEnding;
  /** Frames exchanged, in time. */
  readonly durationMs: number;
  readonly turns: readonly ConversationTurn[];
  readonly stats: ExchangeStats;
  readonly recording: { readonly caller: Uint8Array; readonly agent: Uint8Array };
  /** Steps that could not be done as written, such as an answer that never came. */
  readonly problems: readonly string[];
}

/** Lets steps wait for something to become true in the call, checked after every frame. */
export interface FrameWaits {
  /** False where `timeoutMs` of the call passed, or the call ended, first. */
  until(isTrue: () => boolean, timeoutMs: number): Promise<boolean>;
  check(atMs: number): void;
  close(): void;
}

function createFrameWaits(): FrameWaits {
  let waits: { isTrue: () => boolean; untilMs: number; resolve: (value: boolean) => void }[] = [];
  let nowMs = 0;
  let isClosed = false;
  return {
    until(isTrue, timeoutMs) {
      if (isClosed) return Promise.resolve(false);
      const { promise, resolve } = createDeferred<boolean>();
      waits.push({ isTrue, untilMs: nowMs + timeoutMs, resolve });
      return promise;
    },
    check(atMs) {
      nowMs = atMs;
      waits = waits.filter((wait) => {
        if (wait.isTrue()) wait.resolve(true);
        else if (atMs >= wait.untilMs) wait.resolve(false);
        else return true;
        return false;
      });
    },
    close() {
      isClosed = true;
      for (const wait of waits.splice(0)) wait.resolve(false);
    },
  };
}

/** What a caller acts on. */
export interface CallerStage {
  readonly stream: CarrierStream;
  readonly conversation: Conversation;
  readonly waits: FrameWaits;
  readonly problems: string[];
  /** When the caller last did something; an answer is an agent turn that began after it. */
  lastActMs: number;
}

/** Plays the caller's side of one call. Every wait ends with the call. */
export type CallerMind = (stage: CallerStage) => Promise<void>;

/** `reactMs` after the agent's turn that answers the caller's last act. */
async function waitForAnswer(stage: CallerStage): Promise<void> {
  const { conversation, waits } = stage;
  const hasAnswered = () => conversation.agentTurnStartMs > stage.lastActMs;
  if (!(await waits.until(hasAnswered, ANSWER_TIMEOUT_MS))) return void stage.problems.push('the agent gave no answer');
  await waits.until(() => !conversation.isAgentSpeaking, Number.POSITIVE_INFINITY);
  await waits.until(() => false, REACTION_MS);
}

async function waitToSpeak(stage: CallerStage, when: SpeakWhen): Promise<void> {
  const { conversation, stream, waits } = stage;
  if (when.type === 'at-once') return;
  if (when.type === 'agent-finished') return waitForAnswer(stage);
  const isDue = () =>
    conversation.isAgentSpeaking &&
    conversation.agentTurnStartMs > stage.lastActMs &&
    stream.nowMs() - conversation.agentTurnStartMs >= when.afterMs;
  if (!(await waits.until(isDue, ANSWER_TIMEOUT_MS + when.afterMs))) stage.problems.push('the agent did not speak long enough to be interrupted');
}

/** Presses keys of a phone, one after the other. */
export async function pressKeys(stage: CallerStage, digits: string): Promise<void> {
  for (const digit of digits) {
    stage.lastActMs = stage.stream.nowMs();
    stage.stream.sendDtmf(digit);
    stage.conversation.keyPressed(digit, stage.stream.nowMs());
    await stage.waits.until(() => false, KEY_GAP_MS);
  }
}

async function doStep(stage: CallerStage, step: CallerStep, clip: Uint8Array | undefined): Promise<void> {
  switch (step.type) {
    case 'say':
    case 'play-wav': {
      await waitToSpeak(stage, step.when);
      stage.conversation.announce(step.type === 'say' ? step.text : `(${step.path})`);
      stage.lastActMs = stage.stream.nowMs();
      await stage.stream.speak(clip ?? new Uint8Array(0));
      return;
    }
    case 'wait':
      return void (await stage.waits.until(() => false, step.forMs));
    case 'listen':
      return waitForAnswer(stage);
    case 'dtmf':
      return pressKeys(stage, step.digits);
    case 'hang-up':
      return stage.stream.hangUp();
    case 'drop':
      return stage.stream.drop();
  }
}

/** Runs the script to its end or the call's; then stays on the line for a while and hangs up. */
async function playPart(stage: CallerStage, part: CallerPart): Promise<void> {
  for (const [index, step] of part.steps.entries()) await doStep(stage, step, part.clips.get(index));
  await stage.waits.until(() => false, part.lingerMs);
  stage.stream.hangUp();
}

function noteTranscript(conversation: Conversation, event: SpeechToTextEvent, problems: string[]): void {
  if (event.type === 'transcript-final') {
    const { startMs, endMs } = event;
    conversation.agentWords(event.text, startMs === undefined || endMs === undefined ? null : { startMs, endMs });
  }
  if (event.type === 'finalized') conversation.wordsSettled();
  if (event.type === 'stt-failed') problems.push('the caller’s recogniser failed: turns of the agent have no text');
}

/**
 * Plays one call: the carrier's side of the stream, and a person who speaks, presses keys and listens as the script says.
 * Never throws for what the server does; that is in the result.
 */
export async function runScriptedCall(options: ScriptedCallOptions): Promise<CallResult> {
  const problems: string[] = [];
  const waits = createFrameWaits();
  const listening = new AbortController();
  let heardAll = createDeferred<void>();
  const conversation = createConversation({
    onTurn: (turn) => options.onTurn?.(turn),
    onAgentTurnEnded: () => ears.finalize(),
  });
  const ears = options.recogniser.open({
    language: 'en',
    keyterms: [],
    signal: listening.signal,
    onEvent(event) {
      noteTranscript(conversation, event, problems);
      if (event.type === 'finalized') heardAll.resolve();
    },
  });
  const stream = openCarrierStream({
    ...options.carrier,
    onEvent(event) {
      if (event.type === 'cleared') conversation.cleared(event.atMs);
      options.onEvent?.(event);
    },
    onFrame(index, said, heard) {
      ears.push(heard);
      conversation.frame(index, said, heard);
      const atMs = (index + 1) * FRAME_MS;
      waits.check(atMs);
      if (atMs >= options.maxDurationMs) stream.hangUp();
    },
  });
  options.onStream?.(stream);

  const { part } = options;
  const play: CallerMind = typeof part === 'function' ? part : (stage) => playPart(stage, part);
  const playing = stream.opened.then((isOpen) =>
    isOpen ? play({ stream, conversation, waits, problems, lastActMs: -1 }) : undefined,
  );
  const ending = await stream.ended;
  waits.close();
  await playing;
  heardAll = createDeferred<void>();
  ears.finalize();
  const lastWords = options.carrier.clock.setTimer(LAST_WORDS_TIMEOUT_MS, heardAll.resolve);
  await heardAll.promise;
  lastWords.cancel();
  listening.abort();
  ears.close();
  conversation.finish();
  const recording = stream.recording();
  return { ending, durationMs: mulawDurationMs(recording.caller.length), turns: conversation.turns, stats: stream.stats(), recording, problems };
}
