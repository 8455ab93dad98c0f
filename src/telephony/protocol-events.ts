/** One event of a kind per second at most; the rest are counted into the next. */
const EVENT_INTERVAL_MS = 1000;

/** Names of unknown messages remembered; more are not reported. */
const MAX_UNKNOWN_NAMES = 32;

/** What the stream's owner learns about the peer's protocol, for the run's events. */
export type ProtocolEventType =
  | 'start-duplicated'
  | 'media-format-changed'
  | 'message-unknown'
  | 'message-malformed'
  | 'media-gap'
  | 'media-stalled'
  | 'media-resumed'
  | 'media-early'
  | 'media-unsent'
  | 'dtmf-limited';

/** Facts of an event; `count` where several were told as one. */
export type ProtocolEventData = Readonly<Record<string, string | number>>;

/** Reports events at a bounded rate. */
export interface ProtocolReporter {
  report(type: ProtocolEventType, data: ProtocolEventData, nowMs: number): void;
  /** Reports an unknown message the first time its name is seen. */
  reportUnknown(name: string, nowMs: number): void;
}

/** Creates a reporter that passes events on, each kind once a second at most. */
export function createProtocolReporter(emit: (type: ProtocolEventType, data: ProtocolEventData) => void): ProtocolReporter {
  const kinds = new Map<ProtocolEventType, { lastMs: number; held: number }>();
  const names = new Set<string>();
  function report(type: ProtocolEventType, data: ProtocolEventData, nowMs: number): void {
    const kind = kinds.get(type) ?? { lastMs: -Infinity, held: 0 };
    kinds.set(type, kind);
    if (nowMs - kind.lastMs < EVENT_INTERVAL_MS) {
      kind.held += 1;
      return;
    }
    const count = kind.held + 1;
    kind.lastMs = nowMs;
    kind.held = 0;
    emit(type, count > 1 ? { ...data, count } : data);
  }
  return {
    report,
    reportUnknown(name, nowMs) {
      if (names.has(name) || names.size >= MAX_UNKNOWN_NAMES) return;
      names.add(name);
      report('message-unknown', { name }, nowMs);
    },
  };
}
