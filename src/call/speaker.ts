import { mulawDurationMs } from '../audio/frame.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import type { TextToSpeech, TextToSpeechEvent, TextToSpeechStream, Utterance } from '../speech/text-to-speech.js';
import type { SpokenSegment } from './heard-text.js';
import type { PhraseCache } from './phrase-cache.js';

/** Largest phrase kept for the cache while it streams: 60 s of mu-law. */
const MAX_CACHED_PHRASE_BYTES = 60 * 8000;

/** Where a reply's audio goes and what is measured on the way. */
export interface SpeakerSink {
  append(audio: Uint8Array): void;
  /** Text was handed to the voice for the first time. */
  onVoiceRequested(): void;
  /** The voice's first audio arrived. */
  onFirstByte(): void;
}

/** The voice of one call. */
export interface Voice {
  readonly product: TextToSpeech;
  readonly stream: TextToSpeechStream;
  readonly phrases: PhraseCache;
}

/** Speaks one reply, segment after segment, and remembers which words lie where in its audio. */
export interface Speaker {
  readonly segments: readonly SpokenSegment[];
  /** Characters that were sent to the vendor (cached phrases cost nothing). */
  readonly vendorChars: number;
  /**
   * Speaks fixed words, from the cache where they are known. Resolves when their audio is complete.
   * @throws AgentStreamError `vendor-*`
   */
  say(text: string): Promise<void>;
  /** Begins a segment whose text streams in. */
  stream(): StreamedSegment;
  /** Stops at once; pending promises reject with the call's abort reason. */
  cancel(): void;
}

/** A segment under way. */
export interface StreamedSegment {
  push(text: string): void;
  /** No more text. Resolves when the audio is complete. @throws AgentStreamError `vendor-*` */
  end(): Promise<void>;
}

interface MutableSegment {
  text: string;
  startMs: number;
  audioMs: number;
  isComplete: boolean;
}

/** Creates the speaker of one reply. */
export function createSpeaker(voice: Voice, sink: SpeakerSink): Speaker {
  const segments: MutableSegment[] = [];
  let totalMs = 0;
  let vendorChars = 0;
  let current: { utterance: Utterance; reject: (error: Error) => void } | null = null;

  const openSegment = (): MutableSegment => {
    const segment = { text: '', startMs: totalMs, audioMs: 0, isComplete: false };
    segments.push(segment);
    return segment;
  };

  const addAudio = (segment: MutableSegment, audio: Uint8Array) => {
    if (totalMs === 0) sink.onFirstByte();
    const durationMs = mulawDurationMs(audio.length);
    segment.audioMs += durationMs;
    totalMs += durationMs;
    sink.append(audio);
  };

  /** One utterance at the vendor, with what it brings going to `segment`. */
  const openUtterance = (segment: MutableSegment, onAudio?: (audio: Uint8Array) => void) => {
    let settle: { resolve: () => void; reject: (error: Error) => void } | undefined;
    const done = new Promise<void>((resolve, reject) => {
      settle = { resolve, reject };
    });
    done.catch(() => undefined);
    const onEvent = (event: TextToSpeechEvent) => {
      if (event.type === 'audio') {
        addAudio(segment, event.audio);
        onAudio?.(event.audio);
      } else if (event.type === 'tts-end') {
        segment.isComplete = true;
        settle?.resolve();
      } else if (event.type === 'tts-failed') settle?.reject(event.error);
    };
    const utterance = voice.stream.speak(onEvent);
    sink.onVoiceRequested();
    current = { utterance, reject: (error) => settle?.reject(error) };
    return { utterance, done };
  };

  const speakText = async (segment: MutableSegment, text: string) => {
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    const { utterance, done } = openUtterance(segment, (audio) => {
      sizeBytes += audio.length;
      if (sizeBytes <= MAX_CACHED_PHRASE_BYTES) chunks.push(Uint8Array.from(audio));
    });
    vendorChars += text.length;
    utterance.push(text);
    utterance.end();
    await done;
    if (sizeBytes <= MAX_CACHED_PHRASE_BYTES) voice.phrases.set(voice.product.cacheKey, text, Buffer.concat(chunks));
  };

  /** A voice that failed before it was heard may be asked once more: it reconnects by itself. */
  const respeakOnce = async (segment: MutableSegment, error: unknown) => {
    const failure = toAgentStreamError(error, 'vendor-failed');
    if (!failure.retryable || segment.audioMs > 0) throw failure;
    await speakText(segment, segment.text);
  };

  return {
    segments,
    get vendorChars() {
      return vendorChars;
    },
    async say(text) {
      const segment = openSegment();
      segment.text = text;
      const cached = voice.phrases.get(voice.product.cacheKey, text);
      if (cached !== undefined) {
        addAudio(segment, cached);
        segment.isComplete = true;
        return;
      }
      await speakText(segment, text).catch((error: unknown) => respeakOnce(segment, error));
    },
    stream() {
      const segment = openSegment();
      let open: { utterance: Utterance; done: Promise<void> } | null = null;
      return {
        push(text) {
          open ??= openUtterance(segment);
          segment.text += text;
          vendorChars += text.length;
          open.utterance.push(text);
        },
        async end() {
          if (open === null) return;
          open.utterance.end();
          await open.done.catch((error: unknown) => respeakOnce(segment, error));
        },
      };
    },
    cancel() {
      current?.utterance.cancel();
      current?.reject(new AgentStreamError('vendor-failed', { message: 'The reply was cancelled' }));
      current = null;
    },
  };
}
