import { mulawDurationMs } from '../audio/frame.js';
import { AgentStreamError } from '../base/errors.js';
import type { TextToSpeech, TextToSpeechEvent, TextToSpeechStream, Utterance } from '../speech/text-to-speech.js';
import type { ClipSounds } from './clip-resolver.js';
import { heardText, type SpokenSegment } from './heard-text.js';
import type { PhraseCache } from './phrase-cache.js';
import { createPhraseRecording } from './phrase-recording.js';

/** Where a reply's audio goes and what is measured on the way. */
export interface SpeakerSink {
  append(audio: Uint8Array): void;
  /** Audio of a filler, all of it. */
  appendFiller(audio: Uint8Array): void;
  /** Text is handed to the voice. */
  onVoiceRequested(): void;
  /** The first audio arrived, but for a filler's. */
  onFirstByte(): void;
}

/** The voice of one call. */
export interface Voice {
  readonly product: TextToSpeech;
  /** What the stream was opened with: a voice may speak the same words differently in another language. */
  readonly language: string;
  readonly stream: TextToSpeechStream;
  readonly phrases: PhraseCache;
  /** Recordings that are played in place of words. */
  readonly clips: ClipSounds;
}

/** Speaks one reply, segment after segment, and remembers which words lie where in its audio. */
export interface Speaker {
  readonly segments: readonly SpokenSegment[];
  /** Characters that were sent to the vendor (cached phrases cost nothing). */
  readonly vendorChars: number;
  /** True once the vendor gave audio: cached phrases prove nothing of it. */
  readonly hasSpoken: boolean;
  /**
   * Speaks fixed words: as the clip in which they are said, else from the cache where they are known. Resolves when their audio is complete.
   * @throws AgentStreamError `vendor-*`
   */
  say(text: string, clipId?: string): Promise<void>;
  /**
   * Says a filler: from the cache at once, else when the voice has spoken all of it, unless `signal` fires before: the reply's own words begin.
   * Resolves in either case, also where the voice fails: whether it works its next words show. Rejects only with a fault of this program.
   */
  fill(text: string, signal: AbortSignal): Promise<void>;
  /** Adds ready audio that has no words. */
  play(audio: Uint8Array): void;
  /** Begins a segment whose text streams in, and is spoken by the voice. */
  stream(): StreamedSegment;
  /** Begins a segment of a model that speaks: its audio comes with the text. `settle` learns how much of it was heard, in ms of its audio. */
  receive(settle: (heardMs: number) => void): StreamedSegment;
  /** Takes the fixed words that a model which speaks has not been told of yet, as far as they were heard. */
  takeSaid(heardMs: number): readonly string[];
  /** The reply is over: those who spoke a segment themselves learn what was heard of it. */
  settle(heardMs: number): void;
  /** Gives up what is being spoken: the wait for it rejects, unless the voice may be asked once more. */
  fail(error: AgentStreamError): void;
  /** Stops for good: the pending wait rejects, and what comes later is ignored. */
  cancel(): void;
}

/** A segment under way. */
export interface StreamedSegment {
  push(text: string): void;
  /** Audio that came with the text, where the model speaks. */
  append(audio: Uint8Array): void;
  /**
   * No more text. Resolves when the audio is complete. `isBroken`: the model failed, and what it said may be behind its words.
   * @throws AgentStreamError `vendor-*`
   */
  end(isBroken?: boolean): Promise<void>;
}

interface MutableSegment {
  text: string;
  readonly startMs: number;
  audioMs: number;
  isComplete: boolean;
  readonly origin: SegmentOrigin;
}

/** Whose words a segment holds. `fixed`: nobody's who remembers them, until they are taken by {@link Speaker.takeSaid}. */
type SegmentOrigin = { readonly kind: 'fixed'; isTaken: boolean } | { readonly kind: 'written' } | { readonly kind: 'spoken'; readonly settle: (heardMs: number) => void };

/** An utterance at the vendor. */
interface OpenUtterance {
  readonly utterance: Utterance;
  readonly done: Promise<void>;
  readonly reject: (error: unknown) => void;
}

const cancelled = () => new AgentStreamError('vendor-failed', { message: 'The reply was cancelled' });

/** Creates the speaker of one reply. */
export function createSpeaker(voice: Voice, sink: SpeakerSink): Speaker {
  return new ReplySpeaker(voice, sink);
}

class ReplySpeaker implements Speaker {
  readonly segments: MutableSegment[] = [];
  vendorChars = 0;
  hasSpoken = false;
  readonly #voice: Voice;
  readonly #sink: SpeakerSink;
  #totalMs = 0;
  /** Of it, what fillers took. */
  #fillerMs = 0;
  #current: OpenUtterance | null = null;
  #isCancelled = false;

  constructor(voice: Voice, sink: SpeakerSink) {
    this.#voice = voice;
    this.#sink = sink;
  }

  get #voiceKey(): string {
    return this.#keyOf(this.#voice.product.cacheKey);
  }

  #keyOf(cacheKey: string): string {
    return `${cacheKey}\u0000${this.#voice.language}`;
  }

  async say(text: string, clipId?: string): Promise<void> {
    const segment = this.#openSegment(text, { kind: 'fixed', isTaken: false });
    const clip = clipId === undefined ? undefined : this.#voice.clips.get(clipId);
    if (clip !== undefined) return this.#addReady(segment, clip);
    if (this.#sayCached(segment, [this.#voice.product.cacheKey])) return;
    await this.#speakText(segment)
      .catch((error: unknown) => this.#respeakOnce(segment, error))
      .catch((error: unknown) => {
        // Words in the voice that another vendor once gave are better than silence.
        const isLost = this.#isCancelled || segment.audioMs > 0 || !(error instanceof AgentStreamError);
        if (isLost || !this.#sayCached(segment, this.#voice.product.spareCacheKeys ?? [])) throw error;
      });
  }

  async fill(text: string, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#playFiller(text)) return;
    const { promise: done, resolve, reject } = settlement();
    const key = this.#voiceKey;
    const recording = createPhraseRecording();
    const receive = (event: TextToSpeechEvent) => {
      if (event.type === 'audio') recording.add(event.audio);
      else resolve();
      if (event.type !== 'tts-end') return;
      this.#keepPhrase(key, text, recording.audio);
      this.#playFiller(text);
    };
    this.vendorChars += text.length;
    const utterance = this.#voice.stream.speak((event) => {
      // What goes wrong here is this call's fault: it must not surface in the vendor's code.
      try {
        if (!signal.aborted) receive(event);
      } catch (error) {
        reject(error);
      }
    });
    const drop = () => {
      utterance.cancel();
      resolve();
    };
    signal.addEventListener('abort', drop, { once: true });
    utterance.push(text);
    utterance.end();
    await done.finally(() => signal.removeEventListener('abort', drop));
  }

  #playFiller(text: string): boolean {
    const audio = this.#voice.phrases.get(this.#voiceKey, text);
    if (audio === undefined) return false;
    const segment = this.#openSegment(text, { kind: 'written' });
    segment.audioMs = mulawDurationMs(audio.length);
    segment.isComplete = true;
    this.#totalMs += segment.audioMs;
    this.#fillerMs += segment.audioMs;
    this.#sink.appendFiller(audio);
    return true;
  }

  #sayCached(segment: MutableSegment, cacheKeys: readonly string[]): boolean {
    const { phrases } = this.#voice;
    for (const cacheKey of cacheKeys) {
      const audio = phrases.get(this.#keyOf(cacheKey), segment.text);
      if (audio === undefined) continue;
      this.#addReady(segment, audio);
      return true;
    }
    return false;
  }

  play(audio: Uint8Array): void {
    this.#addReady(this.#openSegment('', { kind: 'written' }), audio);
  }

  stream(): StreamedSegment {
    // Where it begins is known with its first words: a filler may come before them.
    let begun: { readonly segment: MutableSegment; readonly open: OpenUtterance } | null = null;
    const begin = () => {
      const segment = this.#openSegment('', { kind: 'written' });
      return { segment, open: this.#openUtterance(segment) };
    };
    return {
      append: () => undefined,
      push: (text) => {
        begun ??= begin();
        begun.segment.text += text;
        this.vendorChars += text.length;
        begun.open.utterance.push(text);
      },
      end: async () => {
        if (begun === null) return;
        const { segment, open } = begun;
        open.utterance.end();
        await open.done.catch((error: unknown) => this.#respeakOnce(segment, error));
      },
    };
  }

  receive(settle: (heardMs: number) => void): StreamedSegment {
    const segment = this.#openSegment('', { kind: 'spoken', settle });
    return {
      append: (audio) => {
        if (this.#isCancelled) return;
        this.hasSpoken = true;
        this.#addAudio(segment, audio);
      },
      push: (text) => {
        segment.text += text;
      },
      end: (isBroken = false) => {
        // Words without sound were heard by nobody.
        if (segment.audioMs === 0) segment.text = '';
        else if (isBroken) segment.text = heardText([segment], segment.startMs + segment.audioMs);
        segment.isComplete = true;
        return Promise.resolve();
      },
    };
  }

  takeSaid(heardMs: number): readonly string[] {
    return this.segments.flatMap((segment) => {
      const { origin } = segment;
      if (origin.kind !== 'fixed' || origin.isTaken) return [];
      origin.isTaken = true;
      const text = heardText([segment], heardMs);
      return text === '' ? [] : [text];
    });
  }

  settle(heardMs: number): void {
    for (const { origin, startMs, audioMs } of this.segments) {
      if (origin.kind === 'spoken') origin.settle(audioMs === 0 ? 0 : Math.max(0, heardMs - startMs));
    }
  }

  fail(error: AgentStreamError): void {
    const open = this.#current;
    this.#current = null;
    open?.reject(error);
    open?.utterance.cancel();
  }

  cancel(): void {
    this.#isCancelled = true;
    this.fail(cancelled());
  }

  #openSegment(text: string, origin: SegmentOrigin): MutableSegment {
    const segment = { text, startMs: this.#totalMs, audioMs: 0, isComplete: false, origin };
    this.segments.push(segment);
    return segment;
  }

  /** The segment's whole audio. */
  #addReady(segment: MutableSegment, audio: Uint8Array): void {
    this.#addAudio(segment, audio);
    segment.isComplete = true;
  }

  #addAudio(segment: MutableSegment, audio: Uint8Array): void {
    if (this.#totalMs === this.#fillerMs) this.#sink.onFirstByte();
    const durationMs = mulawDurationMs(audio.length);
    segment.audioMs += durationMs;
    this.#totalMs += durationMs;
    this.#sink.append(audio);
  }

  /** One utterance at the vendor, with what it brings going to `segment`. */
  #openUtterance(segment: MutableSegment, onAudio: (audio: Uint8Array) => void = () => undefined): OpenUtterance {
    if (this.#isCancelled) throw cancelled();
    const { promise: done, resolve, reject } = settlement();
    const receive = (event: TextToSpeechEvent) => {
      if (event.type === 'audio') {
        this.hasSpoken = true;
        this.#addAudio(segment, event.audio);
        onAudio(event.audio);
      } else if (event.type === 'tts-end') {
        completeSegment(segment);
        resolve();
      } else if (event.type === 'tts-failed') reject(event.error);
    };
    this.#sink.onVoiceRequested();
    const utterance = this.#voice.stream.speak((event) => {
      // What goes wrong here is this call's fault: it must not surface in the vendor's code.
      try {
        if (!this.#isCancelled) receive(event);
      } catch (error) {
        reject(error);
      }
    });
    this.#current = { utterance, done, reject };
    return this.#current;
  }

  async #speakText(segment: MutableSegment): Promise<void> {
    const { text } = segment;
    const key = this.#voiceKey;
    const recording = createPhraseRecording();
    const { utterance, done } = this.#openUtterance(segment, (audio) => recording.add(audio));
    this.vendorChars += text.length;
    utterance.push(text);
    utterance.end();
    await done;
    this.#keepPhrase(key, text, recording.audio);
  }

  #keepPhrase(key: string, text: string, audio: Uint8Array | null): void {
    // Where another voice has gone on with it, it is nobody's.
    if (audio !== null && key === this.#voiceKey) this.#voice.phrases.set(key, text, audio);
  }

  /** A voice that failed before it was heard may be asked once more: it reconnects by itself. */
  async #respeakOnce(segment: MutableSegment, error: unknown): Promise<void> {
    if (this.#isCancelled || !(error instanceof AgentStreamError) || !error.retryable || segment.audioMs > 0) throw error;
    await this.#speakText(segment);
  }
}

/** All audio of a segment is there. Words without any are a failure of the voice. */
function completeSegment(segment: MutableSegment): void {
  if (segment.audioMs === 0 && /[\p{L}\p{N}]/u.test(segment.text))
    throw new AgentStreamError('vendor-protocol', { message: 'The voice spoke no audio for the text' });
  segment.isComplete = true;
}

/** A promise with its two ends. Its rejection may come before anybody waits for it. */
function settlement() {
  let resolve: () => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
