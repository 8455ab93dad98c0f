import type { LanguageModel, LanguageModelRequest } from '../speech/language-model.js';
import { streamModelPass } from '../speech/model-pass.js';
import type { RealtimePart, RealtimeSession } from '../speech/realtime-model.js';
import type { Speaker, StreamedSegment } from './speaker.js';

/** One pass of whoever answers, and where its words become speech. */
export interface Answer {
  /** @throws AgentStreamError whatever the vendor threw; the request's signal's reason on abort */
  readonly parts: AsyncIterable<RealtimePart>;
  readonly segment: StreamedSegment;
  /** True: its parts bring the speech with the words. */
  readonly isSpoken: boolean;
}

/** Who answers the caller in one call: a language model whose words a voice speaks, or a model that speaks itself. */
export interface Responder {
  /** Begins a pass within the reply of `speaker`. */
  answer(request: LanguageModelRequest, speaker: Speaker): Answer;
  /** The reply of `speaker` is over, and so much of it was heard. */
  settle(speaker: Speaker, heardMs: number): void;
}

/** A language model: the voice speaks what it writes. What was heard is in the messages of its next pass. */
export const createWrittenResponder = (model: LanguageModel): Responder => ({
  answer: (request, speaker) => ({ parts: streamModelPass(model, request), segment: speaker.stream(), isSpoken: false }),
  settle: () => undefined,
});

/** A speech-to-speech model: it is told what else the caller heard, and how much of its own words. */
export function createSpokenResponder(session: RealtimeSession): Responder {
  const tell = (speaker: Speaker, heardMs: number) => {
    for (const text of speaker.takeSaid(heardMs)) session.noteSaid(text);
  };
  return {
    answer(request, speaker) {
      tell(speaker, Infinity);
      const response = session.respond(request);
      const parts = streamModelPass({ stream: () => response.parts }, request);
      return { parts, segment: speaker.receive((heardMs) => response.settle(heardMs)), isSpoken: true };
    },
    settle(speaker, heardMs) {
      tell(speaker, heardMs);
      speaker.settle(heardMs);
    },
  };
}
