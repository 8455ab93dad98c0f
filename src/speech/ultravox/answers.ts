import { createPartQueue, type PartQueue } from '../part-queue.js';
import type { RealtimePart } from '../realtime-model.js';

/** One answer of the agent, or its fixed words. */
export interface Answer {
  readonly parts: AsyncIterable<RealtimePart>;
  /** Nobody wants the rest: the vendor cannot be told, what still comes of it is dropped. */
  giveUp(reason: unknown): void;
}

/** Who answers to what the agent is saying: the protocol does not name its utterances, so that only their order tells them apart. */
export interface AnswerBook {
  /** A stage was asked for and has not been entered. */
  readonly isEntering: boolean;
  /** The answer that the vendor began by itself, for whoever asks for one; null: there is none. */
  claim(): Answer | null;
  /** An answer that begins with the next output, what was under way being interrupted. */
  expect(): Answer;
  /** An answer that begins when its stage is entered; what is said until then is dropped. */
  expectStage(): Answer;
  /** The stage's function is called. False: nobody waits for it. */
  enterStage(): boolean;
  text(text: string): void;
  audio(audio: Uint8Array): void;
  /** A function is called. False: nobody takes the call, so that it needs a result at once. */
  call(id: string, name: string, argumentsJson: string): boolean;
  /** The vendor's state: `idle`, `listening`, `thinking` or `speaking`. */
  state(state: string): void;
  /** The vendor stops speaking, because it was interrupted. */
  clear(): void;
  fail(error: unknown): void;
}

interface OpenAnswer extends Answer {
  readonly queue: PartQueue<RealtimePart>;
  /** The vendor began it by itself. */
  readonly isOwn: boolean;
  /** Somebody has asked for it. */
  isClaimed: boolean;
  phase: 'begun' | 'spoken' | 'calling' | 'given-up';
}

type Floor =
  | { readonly kind: 'quiet' }
  /** Output belongs to what was before, until `until` comes. */
  | { readonly kind: 'awaiting'; readonly answer: OpenAnswer; readonly until: 'stage' | 'interruption' }
  | { readonly kind: 'answering'; readonly answer: OpenAnswer };

function createAnswer(isOwn: boolean): OpenAnswer {
  const queue = createPartQueue<RealtimePart>();
  const answer: OpenAnswer = {
    parts: queue.parts,
    queue,
    isOwn,
    isClaimed: !isOwn,
    phase: 'begun',
    giveUp(reason) {
      answer.phase = 'given-up';
      queue.fail(reason);
    },
  };
  return answer;
}

/** Creates a book without answers. */
export function createAnswerBook(): AnswerBook {
  let floor: Floor = { kind: 'quiet' };
  let isSpeaking = false;

  /** The answer that output belongs to; null: it is dropped. */
  function open(): OpenAnswer | null {
    if (floor.kind === 'quiet') floor = { kind: 'answering', answer: createAnswer(true) };
    return floor.kind === 'answering' ? floor.answer : null;
  }

  function finish(): void {
    if (floor.kind !== 'answering') return;
    const { answer } = floor;
    floor = { kind: 'quiet' };
    answer.queue.push({ type: 'finish', reason: answer.phase === 'calling' ? 'tool-calls' : 'stop', usage: undefined });
    answer.queue.end();
  }

  /** What was under way is over: something else was asked for. */
  function take(next: Floor): void {
    finish();
    floor = next;
  }

  return {
    get isEntering() {
      return floor.kind === 'awaiting' && floor.until === 'stage';
    },
    claim() {
      if (floor.kind !== 'answering' || floor.answer.isClaimed || floor.answer.phase === 'given-up') return null;
      floor.answer.isClaimed = true;
      return floor.answer;
    },
    expect() {
      const answer = createAnswer(false);
      take(isSpeaking ? { kind: 'awaiting', answer, until: 'interruption' } : { kind: 'answering', answer });
      return answer;
    },
    expectStage() {
      const answer = createAnswer(false);
      take({ kind: 'awaiting', answer, until: 'stage' });
      return answer;
    },
    enterStage() {
      if (floor.kind !== 'awaiting' || floor.until !== 'stage') return false;
      floor = { kind: 'answering', answer: floor.answer };
      isSpeaking = false;
      return true;
    },
    text: (text) => open()?.queue.push({ type: 'text-delta', text }),
    audio: (audio) => open()?.queue.push({ type: 'audio', audio }),
    call(id, name, argumentsJson) {
      const answer = open();
      if (answer === null || answer.phase === 'given-up') return false;
      answer.queue.push({ type: 'tool-call', toolCall: { id, name, argumentsJson } });
      answer.phase = 'calling';
      // What the agent said before it called is heard out.
      if (!isSpeaking) finish();
      return true;
    },
    state(state) {
      const wasSpeaking = isSpeaking;
      isSpeaking = state === 'speaking';
      if (floor.kind === 'awaiting') {
        if (floor.until === 'interruption' && wasSpeaking && !isSpeaking) floor = { kind: 'answering', answer: floor.answer };
        return;
      }
      if (state === 'thinking' && floor.kind === 'quiet') open();
      else if (isSpeaking) {
        const answer = open();
        if (answer?.phase === 'begun') answer.phase = 'spoken';
      } else if (floor.kind === 'answering' && (wasSpeaking || (state === 'listening' && floor.answer.isOwn))) finish();
    },
    clear() {
      if (floor.kind === 'awaiting') {
        if (floor.until === 'interruption') floor = { kind: 'answering', answer: floor.answer };
      } else finish();
      isSpeaking = false;
    },
    fail(error) {
      const { answer } = { answer: null, ...floor };
      floor = { kind: 'quiet' };
      isSpeaking = false;
      answer?.queue.fail(error);
    },
  };
}
