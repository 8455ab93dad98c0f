import { FRAME_BYTES, FRAME_MS } from '../../src/audio/frame.js';
import { createEchoGuard } from '../../src/call/echo-guard.js';
import type { SileroModel } from '../../src/speech/silero/silero-model.js';
import { createSileroDetector, type SileroDetector } from '../../src/speech/silero/silero-detector.js';
import type { WindowRing } from '../../src/speech/silero/window-ring.js';
import { energyVoiceActivity } from '../../src/speech/energy-voice-activity.js';
import type { VoiceActivityDetector, VoiceActivityEvent } from '../../src/speech/voice-activity.js';
import { defaultTurnOptions, type TurnOptions } from '../../src/turn/options.js';
import { transition } from '../../src/turn/transition.js';
import { initialTurnState, type TurnEvent, type TurnState } from '../../src/turn/turn.js';
import type { LabelledTrack } from './labelled-set.js';

/** From a window to its answer in the model's thread: the wait for other calls' windows, and a batch. Measured answers are simulated so. */
const ANSWER_DELAY_MS = 5;

/** Speech may be found so long after its label's end, and still be it. */
const TAIL_MS = 150;

const PAUSE_MS = 200;

/** What was found in one track. */
export interface Verdict {
  readonly name: string;
  readonly minutes: number;
  readonly utterances: number;
  readonly misses: number;
  /** `speech-start` where there was no speech. */
  readonly falseStarts: number;
  /** `clear` of an agent who speaks on and on, where there was no speech: the whole turn machine, with its back-off. */
  readonly falseCutIns: number;
  /** First speech frame → `hold`, and → `clear`, of each utterance, ms. */
  readonly holdMs: readonly number[];
  readonly clearMs: readonly number[];
}

interface Found {
  readonly type: VoiceActivityEvent['type'];
  readonly atMs: number;
}

/** How the detectors are to listen. */
export interface JudgeOptions {
  readonly confirmMs: number | null;
  readonly silero: { readonly model: SileroModel; readonly ring: WindowRing } | null;
}

/** Runs the agent's side of the turn through what was found: it speaks on and on, and nobody says a word that is understood. */
function cutInsOf(found: readonly Found[], options: TurnOptions): readonly { type: 'hold-playout' | 'clear-playout'; atMs: number }[] {
  const effects: { type: 'hold-playout' | 'clear-playout'; atMs: number }[] = [];
  let state: TurnState = initialTurnState;
  let timerAtMs = Infinity;
  const feed = (event: TurnEvent) => {
    const next = transition(state, event, options);
    state = next.state;
    for (const effect of next.effects) {
      if (effect.type === 'hold-playout' || effect.type === 'clear-playout') effects.push({ type: effect.type, atMs: event.atMs });
      if (effect.type === 'set-timer') timerAtMs = event.atMs + effect.delayMs;
      if (effect.type === 'cancel-timer') timerAtMs = Infinity;
    }
  };
  feed({ type: 'reply-requested', atMs: 0, replyId: 'r', allowInterrupt: true });
  feed({ type: 'reply-started', atMs: 0, replyId: 'r' });
  for (const { type, atMs } of found) {
    if (timerAtMs <= atMs) {
      const dueMs = timerAtMs;
      timerAtMs = Infinity;
      feed({ type: 'timer-fired', timer: 'false-interruption', atMs: dueMs });
    }
    feed(type === 'speech-pause' ? { type, atMs, speechEndMs: atMs } : { type, atMs });
  }
  return effects;
}

function verdictOf(track: LabelledTrack, found: readonly Found[]): Verdict {
  const { spans } = track;
  const isSpeech = (atMs: number) => spans.some((span) => atMs >= span.startMs - FRAME_MS && atMs <= span.endMs + TAIL_MS);
  // Every utterance meets an agent who has just begun to speak.
  const perSpan = spans.map(({ startMs, endMs }) => {
    const effects = cutInsOf(found.filter(({ atMs }) => atMs >= startMs - FRAME_MS && atMs <= endMs + TAIL_MS), defaultTurnOptions);
    const first = (type: string) => effects.find((effect) => effect.type === type)?.atMs;
    return { startMs, hold: first('hold-playout'), clear: first('clear-playout') };
  });
  const delays = (read: (span: (typeof perSpan)[number]) => number | undefined) =>
    perSpan.flatMap((span) => {
      const atMs = read(span);
      return atMs === undefined ? [] : [atMs - span.startMs];
    });
  const isFalse = ({ atMs }: { atMs: number }) => !isSpeech(atMs);
  return {
    name: track.name,
    minutes: track.durationMs / 60_000,
    utterances: spans.length,
    misses: perSpan.filter(({ clear }) => clear === undefined).length,
    falseStarts: found.filter((event) => event.type === 'speech-start' && isFalse(event)).length,
    falseCutIns: spans.length > 0 ? 0 : cutInsOf(found, defaultTurnOptions).filter(({ type }) => type === 'clear-playout').length,
    holdMs: delays(({ hold }) => hold),
    clearMs: delays(({ clear }) => clear),
  };
}

/** All tracks side by side, frame by frame, in virtual time: what a detector finds in each. */
export async function judge(tracks: readonly LabelledTrack[], { confirmMs, silero }: JudgeOptions): Promise<readonly Verdict[]> {
  let nowMs = 0;
  const lanes = tracks.map((track, index) => {
    const found: Found[] = [];
    const onEvent = ({ type }: VoiceActivityEvent) => found.push({ type, atMs: nowMs });
    const options = { confirmMs, pauseMs: PAUSE_MS, onEvent };
    const slot = silero && { ring: silero.ring, slot: index, nowMs: () => nowMs, isAlive: () => true, onLate: lateInVirtualTime, onClose: () => undefined };
    const model: SileroDetector | null = slot && createSileroDetector(slot, options);
    const detector: VoiceActivityDetector = model ?? energyVoiceActivity.open(options);
    return { track, found, model, detector, guard: createEchoGuard() };
  });
  const frames = Math.max(...tracks.map(({ audio }) => Math.floor(audio.length / FRAME_BYTES)));
  for (let index = 0; index < frames; index += 1) {
    nowMs = (index + 1) * FRAME_MS;
    for (const { track, detector, guard } of lanes) {
      const at = index * FRAME_BYTES;
      if (at + FRAME_BYTES > track.audio.length) continue;
      if (track.agent !== null) guard.noteSent(track.agent.subarray(at, at + FRAME_BYTES), index * FRAME_MS);
      const frame = track.audio.subarray(at, at + FRAME_BYTES);
      detector.push(frame, guard.isEcho(frame, index * FRAME_MS));
    }
    if (silero === null) continue;
    while ((await silero.model.scoreWaiting()) > 0) continue;
    nowMs += ANSWER_DELAY_MS;
    for (const { model } of lanes) model?.takeAnswers();
  }
  for (const { detector } of lanes) detector.close();
  return lanes.map(({ track, found }) => verdictOf(track, found));
}

function lateInVirtualTime(): never {
  throw new Error('An answer was late though the model was waited for');
}
