import type { Clock } from '../../../src/base/clock.js';
import { AgentStreamError } from '../../../src/base/errors.js';
import type { LanguageModelRequest } from '../../../src/speech/language-model.js';
import { createPartQueue } from '../../../src/speech/part-queue.js';
import type { RealtimeModel, RealtimeOptions, RealtimePart, RealtimeSession } from '../../../src/speech/realtime-model.js';
import type { TextToSpeechStream } from '../../../src/speech/text-to-speech.js';
import { createScriptedModel, type PassScript, type ScriptedModel } from './scripted-model.js';
import { createScriptedSpeechToText, createScriptedTextToSpeech, type ScriptedSpeechToText, type ScriptedSpeechToTextOptions, type ScriptedTextToSpeech, type UtteranceScript } from './scripted-speech.js';

/** The parts of a speech-to-speech model, each of which follows its script. */
export interface RealtimeParts {
  readonly stt: ScriptedSpeechToText;
  readonly llm: ScriptedModel;
  readonly tts: ScriptedTextToSpeech;
}

/** A speech-to-speech model whose ears, words and voice follow scripts. Ears that are lost are the whole session's loss. */
export interface ScriptedRealtime extends RealtimeModel, RealtimeParts {
  /** How its sessions were opened. */
  readonly opened: readonly Pick<RealtimeOptions, 'isUnderWay' | 'hasSpare'>[];
  /** Words that it was told the caller had heard from others. */
  readonly noted: readonly string[];
}

/** What a model of a test does; it ends the caller's turns itself. `firstTag` tells voices of one call apart. */
export function scriptRealtimeParts(
  clock: Clock,
  wordEndingIn: (frame: Uint8Array) => string | undefined,
  script: { readonly stt?: ScriptedSpeechToTextOptions; readonly passes?: readonly PassScript[]; readonly tts?: (index: number) => UtteranceScript },
  firstTag: number,
): RealtimeParts {
  return {
    stt: createScriptedSpeechToText(clock, wordEndingIn, { turnEndMs: 500, ...script.stt }),
    llm: createScriptedModel(clock, script.passes ?? []),
    tts: createScriptedTextToSpeech(clock, script.tts ?? (() => ({})), firstTag),
  };
}

/** Creates the model under a vendor's name. */
export function createScriptedRealtime(vendor: string, { stt, llm, tts }: RealtimeParts): ScriptedRealtime {
  const opened: Pick<RealtimeOptions, 'isUnderWay' | 'hasSpare'>[] = [];
  const noted: string[] = [];

  async function* speak(voice: TextToSpeechStream, text: string, signal: AbortSignal): AsyncGenerator<RealtimePart> {
    const queue = createPartQueue<RealtimePart>();
    /** Thrown once what came before it was read. */
    const ending: { failure: AgentStreamError | null } = { failure: null };
    const utterance = voice.speak((event) => {
      if (event.type === 'audio') queue.push({ type: 'audio', audio: Buffer.from(event.audio) });
      else if (event.type === 'tts-failed') ending.failure = event.error;
      if (event.type === 'tts-end' || event.type === 'tts-failed') queue.end();
    });
    const onAbort = () => queue.fail(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      utterance.push(text);
      utterance.end();
      yield* queue.parts;
      if (ending.failure !== null) throw ending.failure;
    } finally {
      signal.removeEventListener('abort', onAbort);
      utterance.cancel();
    }
  }

  async function* answer(voice: TextToSpeechStream, request: LanguageModelRequest): AsyncGenerator<RealtimePart> {
    let text = '';
    for await (const part of llm.stream(request)) {
      if (part.type === 'text-delta') text += part.text;
      else if (part.type === 'finish' && text !== '') {
        yield { type: 'text-delta', text };
        yield* speak(voice, text, request.signal);
      }
      if (part.type !== 'text-delta') yield part;
    }
  }

  async function* whileLive(lost: AbortSignal, parts: (signal: AbortSignal) => AsyncIterable<RealtimePart>, signal: AbortSignal): AsyncGenerator<RealtimePart> {
    lost.throwIfAborted();
    yield* parts(AbortSignal.any([signal, lost]));
  }

  return {
    vendor,
    model: 'realtime',
    voice: 'tagged',
    cacheKey: vendor,
    capabilities: { turnEvents: stt.capabilities.turnEvents },
    stt,
    llm,
    tts,
    opened,
    noted,
    open({ isUnderWay, hasSpare, ...call }): RealtimeSession {
      opened.push({ isUnderWay: isUnderWay ?? false, hasSpare: hasSpare ?? false });
      const lost = new AbortController();
      const voice = tts.open(call);
      const recogniser = stt.open({
        ...call,
        onEvent(event) {
          if (event.type === 'stt-failed') lost.abort(event.error);
          call.onEvent(event);
        },
      });
      const close = () => {
        recogniser.close();
        voice.close();
        lost.abort(new AgentStreamError('vendor-failed', { message: 'The session is closed' }));
      };
      return {
        recogniser: { push: (audio) => recogniser.push(audio), finalize: () => recogniser.finalize(), close },
        respond: (request) => ({ parts: whileLive(lost.signal, (signal) => answer(voice, { ...request, signal }), request.signal), settle: () => undefined }),
        say: (text, signal) => whileLive(lost.signal, (each) => speak(voice, text, each), signal),
        noteSaid: (text) => void noted.push(text),
        close,
      };
    },
  };
}
