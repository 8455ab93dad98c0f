import { mulawDurationMs } from '../audio/frame.js';
import type { LanguageModel, LanguageModelPart, LanguageModelRequest } from './language-model.js';
import type { SpeechToText } from './speech-to-text.js';
import type { TextToSpeech } from './text-to-speech.js';
import type { WorkCounts, WorkMeter } from './work-meter.js';

/** A recogniser whose audio is counted as it is given. What its vendor hears again after a reconnection is not. */
export function meterSpeechToText(product: SpeechToText, meter: WorkMeter): SpeechToText {
  const counts = meter.countsOf('stt', product.vendor, product.model);
  return {
    vendor: product.vendor,
    model: product.model,
    capabilities: product.capabilities,
    open(options) {
      const stream = product.open(options);
      return {
        push(audio) {
          counts.audioMs += mulawDurationMs(audio.length);
          stream.push(audio);
        },
        finalize: () => stream.finalize(),
        close: () => stream.close(),
      };
    },
  };
}

/** A voice whose text and audio are counted. */
export function meterTextToSpeech(product: TextToSpeech, meter: WorkMeter): TextToSpeech {
  const counts = meter.countsOf('tts', product.vendor, product.model);
  return {
    vendor: product.vendor,
    model: product.model,
    voice: product.voice,
    cacheKey: product.cacheKey,
    ...(product.spareCacheKeys === undefined ? {} : { spareCacheKeys: product.spareCacheKeys }),
    capabilities: product.capabilities,
    open(options) {
      const stream = product.open(options);
      return {
        speak(onEvent) {
          const utterance = stream.speak((event) => {
            if (event.type === 'audio') counts.audioMs += mulawDurationMs(event.audio.length);
            onEvent(event);
          });
          return {
            push(text) {
              counts.characters += text.length;
              utterance.push(text);
            },
            end: () => utterance.end(),
            cancel: () => utterance.cancel(),
          };
        },
        close: () => stream.close(),
      };
    },
  };
}

/** A model whose tokens are counted as its vendor reports them. */
export function meterLanguageModel(product: LanguageModel, meter: WorkMeter): LanguageModel {
  const counts = meter.countsOf('llm', product.vendor, product.model);
  return {
    vendor: product.vendor,
    model: product.model,
    stream: (request) => streamCounted(product, request, counts),
    ...(product.prewarm === undefined ? {} : { prewarm: () => product.prewarm?.() }),
  };
}

/** A request counts as one of unknown size until its vendor tells: whoever reads it may stop at any part, and the call may end first. */
async function* streamCounted(product: LanguageModel, request: LanguageModelRequest, counts: WorkCounts): AsyncGenerator<LanguageModelPart> {
  let hasAnswered = false;
  counts.uncountedRequests += 1;
  try {
    for await (const part of product.stream(request)) {
      hasAnswered = true;
      if (part.type === 'finish' && part.usage !== undefined) {
        counts.uncountedRequests -= 1;
        counts.inputTokens += part.usage.inputTokens;
        counts.cachedInputTokens += part.usage.cachedInputTokens ?? 0;
        counts.outputTokens += part.usage.outputTokens;
      }
      yield part;
    }
  } catch (error) {
    // What was refused before a word was said is not charged for.
    if (!hasAnswered && !request.signal.aborted) counts.uncountedRequests -= 1;
    throw error;
  }
}
