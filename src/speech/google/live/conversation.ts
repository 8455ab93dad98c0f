import type { LanguageModelRequest, ModelMessage } from '../../language-model.js';
import { lostMemory, noteCall, noteSaid, recall, type MemoryItem, type RealtimeMemory } from '../../realtime-memory.js';
import { contextUpdate } from './messages.js';

/** Fixed words whose speaking is remembered until the call reports them. */
const MAX_SPOKEN = 32;

/** What the vendor knows of the conversation, and what it is to be told. */
export interface LiveConversation {
  /** Something the model is to know before its next answer. */
  note(text: string): void;
  /** The model was asked to say fixed words: it remembers them. */
  noteSpoken(text: string): void;
  /** The caller heard words that no response holds. */
  noteSaid(text: string): void;
  /** The model called a function; `isReported` false: nothing comes of it. */
  noteCall(id: string, isReported: boolean): void;
  /** What the vendor lacks of the conversation, in order. */
  recall(messages: readonly ModelMessage[]): readonly MemoryItem[];
  /** The message that brings instructions and functions; null: it has them. */
  updateContext(request: LanguageModelRequest): string | null;
  /** The vendor has forgotten everything. */
  lose(): void;
}

/** The conversation of a session that is opened; `initial` is what its vendor knows. */
export function createLiveConversation(initial: RealtimeMemory): LiveConversation {
  let memory = initial;
  let notes: MemoryItem[] = [];
  let spoken: string[] = [];
  let context: string | null = null;
  return {
    note: (text) => void notes.push({ type: 'note', text }),
    noteSpoken(text) {
      spoken = [...spoken, text].slice(-MAX_SPOKEN);
    },
    noteSaid(text) {
      const index = spoken.indexOf(text);
      if (index === -1) memory = noteSaid(memory, text);
      else spoken.splice(index, 1);
    },
    noteCall(id, isReported) {
      memory = noteCall(memory, id, isReported);
    },
    recall(messages) {
      const recalled = recall(memory, messages);
      const items = [...notes, ...recalled.items];
      memory = recalled.memory;
      notes = [];
      return items;
    },
    updateContext(request) {
      const wanted = contextUpdate(request);
      if (wanted === context) return null;
      context = wanted;
      return wanted;
    },
    lose() {
      memory = lostMemory;
      notes = [];
      spoken = [];
      context = null;
    },
  };
}
