import type { Clock } from '../../src/base/clock.js';
import { AgentStreamError } from '../../src/base/errors.js';
import { createFallbackLanguageModel } from '../../src/speech/fallback/language-model.js';
import { createFallbackSpeechToText } from '../../src/speech/fallback/speech-to-text.js';
import { createFallbackTextToSpeech } from '../../src/speech/fallback/text-to-speech.js';
import type { LanguageModel, LanguageModelRequest } from '../../src/speech/language-model.js';
import type { SpeechToText } from '../../src/speech/speech-to-text.js';
import type { TextToSpeech } from '../../src/speech/text-to-speech.js';
import type { Leg, VendorContext, VendorLeg, VendorModule } from '../../src/speech/vendor.js';
import { lineUp } from '../support/lineup.js';
import { renderCodedWords, silence } from '../support/fakes/speech-audio.js';

/** A short stretch of speech, and the pause after it that ends the turn where the vendor says so. */
const speech = Buffer.concat([renderCodedWords(['alpha', 'bravo', 'charlie']), silence(700)]);
const sentence = 'A sentence that is not over in a moment.';

/** What a vendor is used with. */
export interface AttemptContext {
  readonly clock: Clock;
  readonly baseUrl: string;
  readonly settings: Record<string, unknown>;
  /** The same vendor once more stands by as its own fallback. */
  readonly hasSpare?: boolean;
}

/** One use of a leg: a phrase heard, an answer asked for, a sentence spoken, or all of it where the leg is a speech-to-speech model. */
export interface Attempt {
  /** What came, in order. */
  readonly types: readonly string[];
  /** `whole`, the error's code, or the reason's name where it was aborted; null while it runs. */
  outcome(): string | null;
  /** How many failures were reported. */
  failures(): number;
  /** The caller goes on speaking, where the leg hears. */
  speakOn(): void;
  /** Ends it by the call's signal, as the end of a call does. */
  abort(): void;
}

/** The rest is the leg's: runs until it is over, and throws where the vendor fails. */
type LegUse = (signal: AbortSignal, note: (type: string) => void) => { readonly over: Promise<void>; speakOn?(): void };

function create<Product>(leg: VendorLeg<Product> | undefined, { clock, baseUrl, settings }: AttemptContext): Product {
  if (leg === undefined) throw new Error('The vendor has no such leg');
  const context: VendorContext = { clock, apiKey: 'test-key', baseUrl, fetch };
  return leg.create(leg.settingsSchema.parse(settings), context);
}

function recogniserOf({ stt }: VendorModule, context: AttemptContext): SpeechToText {
  const { clock } = context;
  const product = create(stt, context);
  return context.hasSpare === true ? createFallbackSpeechToText(lineUp('stt', [product, create(stt, context)], { clock }), clock) : product;
}

function modelOf({ llm }: VendorModule, context: AttemptContext): LanguageModel {
  const { clock } = context;
  const product = create(llm, context);
  return context.hasSpare === true ? createFallbackLanguageModel(lineUp('llm', [product, create(llm, context)], { clock }), clock) : product;
}

function voiceOf({ tts }: VendorModule, context: AttemptContext): TextToSpeech {
  const { clock } = context;
  const product = create(tts, context);
  return context.hasSpare === true ? createFallbackTextToSpeech(lineUp('tts', [product, create(tts, context)], { clock }), clock) : product;
}

/** A promise to be settled from callbacks. */
function createEnd() {
  let resolve: () => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const over = new Promise<void>((onWhole, onFailed) => {
    resolve = onWhole;
    reject = onFailed;
  });
  return { over, resolve: () => resolve(), reject: (error: Error) => reject(error) };
}

function pushFrames(stream: { push(audio: Uint8Array): void }): void {
  for (let i = 0; i < speech.length; i += 160) stream.push(speech.subarray(i, i + 160));
}

function hear(vendor: VendorModule, context: AttemptContext): LegUse {
  return (signal, note) => {
    const { over, resolve, reject } = createEnd();
    let hasWords = false;
    const stream = recogniserOf(vendor, context).open({
      language: 'en-US',
      keyterms: [],
      signal,
      onEvent(event) {
        note(event.type);
        hasWords ||= event.type === 'transcript-final';
        // Without words it is an answer that was waited for in vain.
        if (event.type === 'finalized' && hasWords) resolve();
        if (event.type === 'stt-failed') reject(event.error);
      },
    });
    const speakOn = () => {
      pushFrames(stream);
      stream.finalize();
    };
    speakOn();
    return { over, speakOn };
  };
}

function say(vendor: VendorModule, context: AttemptContext): LegUse {
  return (signal, note) => {
    const { over, resolve, reject } = createEnd();
    const utterance = voiceOf(vendor, context)
      .open({ language: 'en-US', signal })
      .speak((event) => {
        note(event.type);
        if (event.type === 'tts-end') resolve();
        if (event.type === 'tts-failed') reject(event.error);
      });
    utterance.push(sentence);
    utterance.end();
    return { over };
  };
}

const requestWith = (signal: AbortSignal): LanguageModelRequest => ({
  messages: [
    { role: 'system', text: 'Be kind.' },
    { role: 'user', text: 'Hello u1' },
  ],
  tools: [],
  signal,
  maxOutputTokens: 200,
});

async function readAll(parts: AsyncIterable<{ readonly type: string }>, note: (type: string) => void): Promise<void> {
  for await (const part of parts) note(part.type);
}

function think(vendor: VendorModule, context: AttemptContext): LegUse {
  return (signal, note) => {
    const parts = modelOf(vendor, context).stream(requestWith(signal));
    return { over: readAll(parts, note) };
  };
}

function converse(vendor: VendorModule, context: AttemptContext): LegUse {
  return (signal, note) => {
    const session = create(vendor.realtime, context).open({ language: 'en-US', keyterms: [], signal, onEvent: ({ type }) => note(type) });
    pushFrames(session.recogniser);
    return { over: readAll(session.respond(requestWith(signal)).parts, note), speakOn: () => pushFrames(session.recogniser) };
  };
}

const uses = { stt: hear, llm: think, tts: say, realtime: converse } as const;

/** Uses `leg` of `vendor` once. */
export function beginAttempt(vendor: VendorModule, leg: Leg, context: AttemptContext): Attempt {
  const controller = new AbortController();
  const types: string[] = [];
  let outcome: string | null = null;
  let failures = 0;
  const use = uses[leg](vendor, context)(controller.signal, (type) => {
    types.push(type);
    if (type.endsWith('-failed')) failures += 1;
  });
  use.over.then(
    () => (outcome = 'whole'),
    (error: unknown) => {
      outcome = error instanceof AgentStreamError ? error.code : String(error);
      if (leg === 'llm') failures += 1;
    },
  );
  return {
    types,
    outcome: () => outcome,
    failures: () => failures,
    speakOn: () => use.speakOn?.(),
    abort: () => controller.abort(new Error('the call is over')),
  };
}
