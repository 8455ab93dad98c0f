import { sleep, type Clock } from '../../../src/base/clock.js';
import type { AgentStreamError } from '../../../src/base/errors.js';
import type { LanguageModel, LanguageModelPart, LanguageModelRequest } from '../../../src/speech/language-model.js';

/** One pass of the model. */
export interface PassScript {
  /** Sent word by word. */
  readonly text?: string;
  /** Edge functions to call, by name, after the text. */
  readonly tools?: readonly string[];
  /** Arguments of those calls, as the model wrote them. */
  readonly argumentsJson?: string;
  /** From the request to the first part. Default 150. */
  readonly firstTokenMs?: number;
  /** Between words. Default 20. */
  readonly perWordMs?: number;
  /** Thrown after the text. */
  readonly error?: AgentStreamError | Error;
  /** No further part comes after the text, and no end. */
  readonly hangs?: boolean;
  /** The text again and again. */
  readonly isEndless?: boolean;
}

/** A model that follows a script. */
export interface ScriptedModel extends LanguageModel {
  readonly requests: readonly LanguageModelRequest[];
  /** Passes whose stream is not over. */
  readonly openPasses: number;
}

/** Creates the model. A pass beyond the script says "I see." */
export function createScriptedModel(clock: Clock, script: readonly PassScript[]): ScriptedModel {
  const requests: LanguageModelRequest[] = [];
  let openPasses = 0;

  async function* stream(request: LanguageModelRequest): AsyncGenerator<LanguageModelPart> {
    const pass = script[requests.length] ?? { text: 'I see.' };
    requests.push(request);
    openPasses += 1;
    const { signal } = request;
    try {
      await sleep(clock, pass.firstTokenMs ?? 150, signal);
      const words = pass.text === undefined ? [] : pass.text.split(' ');
      do {
        for (const [index, word] of words.entries()) {
          yield { type: 'text-delta', text: index === words.length - 1 && pass.isEndless !== true ? word : `${word} ` };
          await sleep(clock, pass.perWordMs ?? 20, signal);
        }
      } while (pass.isEndless === true);
      if (pass.error !== undefined) throw pass.error;
      if (pass.hangs === true) await sleep(clock, 3_600_000, signal);
      for (const [index, name] of (pass.tools ?? []).entries())
        yield { type: 'tool-call', toolCall: { id: `call-${requests.length}-${index}`, name, argumentsJson: pass.argumentsJson ?? '{}' } };
      yield { type: 'finish', reason: pass.tools === undefined ? 'stop' : 'tool-calls', usage: { inputTokens: 100, outputTokens: words.length } };
    } finally {
      openPasses -= 1;
    }
  }

  return {
    vendor: 'scripted',
    model: 'llm',
    requests,
    get openPasses() {
      return openPasses;
    },
    stream,
  };
}
