import { splitText } from './split-text.js';
import type { VoiceMessage } from './voice-protocol.js';

/** Contexts for a vendor that knows none: their texts are spoken one after the other, and one stretch of text is with the vendor at a time. */
export interface ContextSequence {
  /** The context whose text is with the vendor. */
  current(): string | null;
  /** Text of a context, spoken when its turn comes. Returns what to send now. */
  add(contextId: string, text: string): string[];
  /** Takes a context out. `wasCurrent`: its text is with the vendor, which is to drop it before the messages are sent. */
  drop(contextId: string): { readonly wasCurrent: boolean; readonly messages: string[] };
  /** The vendor has spoken what it was given. A context without more text is `done`, until it gets some. */
  advance(): (VoiceMessage | string)[];
}

/** Creates an empty sequence. `write` gives the messages for one stretch of text, which is at most `maxCharacters` long. */
export function createContextSequence(maxCharacters: number, write: (text: string, contextId: string) => string[]): ContextSequence {
  /** In the order in which they speak; the first one's text is with the vendor, except for what it still waits with. */
  const waiting: { readonly contextId: string; text: string }[] = [];

  function start(): string[] {
    const [head] = waiting;
    if (head === undefined) return [];
    const [text, rest] = splitText(head.text, maxCharacters);
    head.text = rest;
    return write(text, head.contextId);
  }

  return {
    current: () => waiting[0]?.contextId ?? null,
    add(contextId, text) {
      const known = waiting.find((context) => context.contextId === contextId);
      if (known !== undefined) {
        known.text += text;
        return [];
      }
      waiting.push({ contextId, text });
      return waiting.length === 1 ? start() : [];
    },
    drop(contextId) {
      const index = waiting.findIndex((context) => context.contextId === contextId);
      if (index >= 0) waiting.splice(index, 1);
      return { wasCurrent: index === 0, messages: index === 0 ? start() : [] };
    },
    advance() {
      const [head] = waiting;
      if (head === undefined) return [];
      if (head.text !== '') return start();
      waiting.shift();
      return [{ type: 'done', contextId: head.contextId }, ...start()];
    },
  };
}
