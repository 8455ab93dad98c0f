import type { Clock, Timer } from '../base/clock.js';
import type { LanguageModel } from '../speech/language-model.js';
import type { ExtractionRequest, Variables, WorkflowAction } from '../workflow/engine.js';
import type { FinishedTool, ToolDesk } from './tool-desk.js';
import { createExtractor, EXTRACTION_GRACE_MS, type ExtractorListener } from './extractor.js';

/** What the workflow's actions without speech report. */
export interface InstantListener extends ExtractorListener {
  onNodeEntered(nodeId: string, name: string): void;
  /** A function that the model called is done, or is not carried out. */
  onToolFinished(finished: FinishedTool): void;
  /** The caller left a transfer that is under way. */
  onTransferCancelled(): void;
  /** The caller is waited for so long from now on; null: as long as the settings say. */
  onSilenceLimit(delayMs: number | null): void;
  /** A wait of the workflow is over: for keys, or for the caller to speak first. */
  onWaitEnded(): void;
}

/** Carries out what a workflow wants done at once: what is heard, and what comes after it, is not. Owns the workflow's one timer. */
export interface InstantActions {
  carryOut(action: WorkflowAction): void;
  /** The timer fires no more. */
  close(): void;
  /** Makes the last request, and waits briefly for those under way. `hasTime` false: they are given up. */
  settle(request: ExtractionRequest | null, hasTime: boolean): Promise<void>;
}

/** Creates what carries a call's actions out. */
export function createInstantActions(options: {
  readonly clock: Clock;
  readonly model: LanguageModel;
  readonly listener: InstantListener;
  readonly onTimerFired: () => void;
  readonly onLearned: (values: Variables) => void;
  readonly tools: ToolDesk;
}): InstantActions {
  const { clock, listener, model, tools } = options;
  let timer: Timer | null = null;
  const extractor = createExtractor({
    model,
    clock,
    listener: {
      onExtracted(nodeId, extraction) {
        options.onLearned(extraction.values);
        listener.onExtracted(nodeId, extraction);
      },
      onExtractionFailed: (nodeId, error) => listener.onExtractionFailed(nodeId, error),
      onModelUsage: (usage) => listener.onModelUsage(usage),
      onFault: (error) => listener.onFault(error),
    },
  });

  const setTimer = (delayMs: number) => {
    timer?.cancel();
    timer = clock.setTimer(delayMs, () => {
      listener.onWaitEnded();
      options.onTimerFired();
    });
  };

  return {
    carryOut(action) {
      switch (action.type) {
        case 'node-entered':
          return listener.onNodeEntered(action.nodeId, action.name);
        case 'extract-variables':
          return extractor.start(action.request);
        case 'call-tools':
          return tools.start(action.batchId, action.calls, action.variables);
        case 'calls-refused':
          return action.refusals.forEach((refused) => listener.onToolFinished({ ...refused, kind: null, durationMs: 0 }));
        case 'await-tools':
          return tools.expect();
        case 'cancel-transfer':
          return listener.onTransferCancelled();
        case 'set-silence-limit':
          return listener.onSilenceLimit(action.delayMs);
        case 'set-timer':
          return setTimer(action.delayMs);
        case 'cancel-timer':
          return timer?.cancel();
        default:
          return;
      }
    },
    close: () => timer?.cancel(),
    async settle(request, hasTime) {
      if (request !== null && hasTime) extractor.start(request);
      await extractor.finish(hasTime ? EXTRACTION_GRACE_MS : 0);
    },
  };
}
