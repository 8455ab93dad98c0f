import type { ReplyListener, SpeechAction } from './reply.js';

/** Audio kept of a reply that nobody may hear yet: 30 s. One that has more is no longer worth keeping. */
const MAX_WAITING_BYTES = 30 * 8000;

/** Holds back what a reply reports until it is known that it is wanted. */
export interface ReplyGate {
  /** Takes the reply's reports; a model pass that ended waits here for what follows it. */
  readonly listener: ReplyListener;
  /** What was held back is reported, in order, and from now on all is as it comes. */
  open(): void;
  /** The reply is dropped: what was held back is forgotten, and nothing follows. */
  close(): void;
}

/** Creates a closed gate. `onOverflow`: more was held back than is kept, and the reply must be dropped. */
export function createReplyGate(inner: ReplyListener, onOverflow: () => void): ReplyGate {
  let state: 'closed' | 'open' | 'dropped' = 'closed';
  let waitingBytes = 0;
  let waiting: { readonly report: () => void; readonly forget?: () => void }[] = [];
  const pass = (report: () => void) => {
    if (state === 'open') report();
    else if (state === 'closed') waiting.push({ report });
  };

  return {
    listener: {
      onAudio(audio) {
        if (state === 'open') return inner.onAudio(audio);
        if (state === 'dropped') return;
        waitingBytes += audio.length;
        if (waitingBytes > MAX_WAITING_BYTES) return onOverflow();
        const kept = Uint8Array.from(audio);
        waiting.push({ report: () => inner.onAudio(kept) });
      },
      onPassEnded(ended) {
        if (state === 'open') return inner.onPassEnded(ended);
        if (state === 'dropped') return [];
        return new Promise<readonly SpeechAction[]>((resolve, reject) => {
          const report = () => {
            // What breaks in it is the reply's to report, as where nothing was held back.
            try {
              resolve(inner.onPassEnded(ended));
            } catch (error) {
              reject(error instanceof Error ? error : new Error(String(error)));
            }
          };
          waiting.push({ report, forget: () => resolve([]) });
        });
      },
      // It is paid for, heard or not.
      onHedged: (hedge) => inner.onHedged(hedge),
      onFillerSaid: () => pass(() => inner.onFillerSaid()),
      // Tools run once the reply to the caller's turn is the live one: it is open then.
      onToolsAwaited: () => inner.onToolsAwaited(),
      onComplete: (hasAudio) => pass(() => inner.onComplete(hasAudio)),
      onVoiceFailed: (error) => pass(() => inner.onVoiceFailed(error)),
      onFault: (error) => inner.onFault(error),
    },
    open() {
      const reports = waiting;
      waiting = [];
      state = 'open';
      for (const { report } of reports) report();
    },
    close() {
      const reports = waiting;
      waiting = [];
      state = 'dropped';
      for (const { forget } of reports) forget?.();
    },
  };
}
