import type { RecognisedWord, Recognition } from './recogniser-wire.js';
import type { SpeechToTextEvent } from './speech-to-text.js';

/** Tells the call what a recogniser understood, over all its connections. */
export interface RecogniserReport {
  /** A connection takes audio from `originMs` of the stream on: words before it that were not settled are settled as they are. */
  ready(originMs: number): void;
  /** `originMs`: where in the stream the connection's audio clock begins. */
  take(recognition: Recognition, originMs: number): void;
  finalized(): void;
}

/** Creates one that hands its events to `emit`. */
export function createRecogniserReport(emit: (event: SpeechToTextEvent) => void): RecogniserReport {
  let isReady = false;
  /** The last revisable text, and its words with their ends on the stream's clock. */
  let revised: { readonly text: string; readonly words: readonly RecognisedWord[] } = { text: '', words: [] };
  return {
    ready(originMs) {
      const lost = revised.words.filter((word) => word.endMs <= originMs);
      if (lost.length > 0) emit({ type: 'transcript-final', text: lost.map((word) => word.text).join(' ') });
      revised = { text: '', words: [] };
      if (!isReady) emit({ type: 'stt-ready' });
      isReady = true;
    },
    take(recognition, originMs) {
      switch (recognition.type) {
        case 'text-revised': {
          const { text, words = [] } = recognition;
          if (text === '' || text === revised.text) return;
          revised = { text, words: words.map((word) => ({ text: word.text, endMs: originMs + word.endMs })) };
          emit({ type: 'transcript-interim', text });
          return;
        }
        case 'text-settled': {
          const { text, startMs, endMs } = recognition;
          revised = { text: '', words: [] };
          if (text !== '') emit({ type: 'transcript-final', text, startMs: originMs + startMs, endMs: originMs + endMs });
          return;
        }
        case 'speech-start':
        case 'turn-pause':
        case 'turn-resumed':
        case 'turn-end':
          emit({ type: recognition.type });
          return;
        default:
      }
    },
    finalized: () => emit({ type: 'finalized' }),
  };
}
