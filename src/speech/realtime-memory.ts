import type { ModelMessage } from './language-model.js';
import type { RealtimeOptions } from './realtime-model.js';

/** Something a vendor's memory is to take up. */
export type MemoryItem =
  /** Words of the caller that the vendor has not heard itself. */
  | { readonly type: 'caller-words'; readonly text: string }
  /** Words that the caller heard from the agent. */
  | { readonly type: 'agent-words'; readonly text: string }
  /** A note to the model that nobody said, in square brackets. */
  | { readonly type: 'note'; readonly text: string }
  /** The result of a function that the model called in this session. */
  | { readonly type: 'tool-result'; readonly toolCallId: string; readonly text: string };

/** What a vendor's memory holds of a conversation. Plain data. */
export interface RealtimeMemory {
  /** The lines of the conversation that are not the agent's, up to the last response, in order. Null: it was connected to anew. */
  readonly known: readonly string[] | null;
  /** Words that the agent said and that wait to be taken up. */
  readonly said: readonly string[];
  /** Functions called that have no result yet, and whether the call counted. */
  readonly openCalls: readonly { readonly id: string; readonly isReported: boolean }[];
}

/** The memory of a vendor that hears a call from its beginning. */
const emptyMemory: RealtimeMemory = { known: [], said: [], openCalls: [] };

/** The memory of a vendor that was connected to anew in the middle of a call. */
export const lostMemory: RealtimeMemory = { known: null, said: [], openCalls: [] };

/** The memory of a vendor whose session is opened. */
export const memoryOf = ({ isUnderWay = false }: Pick<RealtimeOptions, 'isUnderWay'>): RealtimeMemory => (isUnderWay ? lostMemory : emptyMemory);

/** What a function's call is answered with where the conversation holds no result: it moved the call on, or was cut off. */
const settledResult = { true: '{"status":"done"}', false: '{"status":"interrupted"}' } as const;

type Line = { readonly text: string } & (
  | { readonly role: 'caller' | 'agent' | 'note' }
  | { readonly role: 'tool'; readonly toolCallId: string }
);

const isNote = (text: string) => text.startsWith('[') && text.endsWith(']');

/**
 * A conversation line by line: a user's message may hold what the caller said and notes, a line each. A note at its head, before words of
 * the agent, is there only because written models want the user to begin.
 */
function linesOf(messages: readonly ModelMessage[]): readonly Line[] {
  const lines = messages.flatMap((message): readonly Line[] => {
    switch (message.role) {
      case 'system':
        return [];
      case 'user':
        return message.text.split('\n').map((text) => ({ role: isNote(text) ? 'note' : 'caller', text }));
      case 'assistant':
        return [{ role: 'agent', text: message.text }];
      case 'tool':
        return [{ role: 'tool', toolCallId: message.toolCallId, text: message.result }];
    }
  });
  return lines[0]?.role === 'note' && lines[1]?.role === 'agent' ? lines.slice(1) : lines;
}

const keyOf = (line: Line) => (line.role === 'tool' ? `tool ${line.toolCallId}` : line.text);

const startsWith = (lines: readonly Line[], known: readonly string[]) =>
  known.length <= lines.length && known.every((key, index) => lines[index] !== undefined && keyOf(lines[index]) === key);

/**
 * How many of `lines` are known: the conversation grows at its end, and its oldest part may have been cut away. A note that only asked
 * for the last response is not in it any more.
 */
function countKnown(lines: readonly Line[], known: readonly string[]): number {
  const overlap = (candidate: readonly string[]) => {
    const from = candidate.findIndex((_key, index) => startsWith(lines, candidate.slice(index)));
    return from === -1 ? 0 : candidate.length - from;
  };
  return Math.max(overlap(known), overlap(known.slice(0, -1)));
}

const itemOf = (line: Line, openCalls: RealtimeMemory['openCalls']): MemoryItem => {
  switch (line.role) {
    case 'caller':
      return { type: 'caller-words', text: line.text };
    case 'agent':
      return { type: 'agent-words', text: line.text };
    case 'note':
      return { type: 'note', text: line.text };
    case 'tool': {
      const isOpen = openCalls.some(({ id }) => id === line.toolCallId);
      return isOpen ? { type: 'tool-result', toolCallId: line.toolCallId, text: line.text } : { type: 'note', text: `[A function returned: ${line.text}]` };
    }
  }
};

/** The memory after the caller heard words that no response holds. */
export const noteSaid = (memory: RealtimeMemory, text: string): RealtimeMemory => ({ ...memory, said: [...memory.said, text] });

/** The memory after the model called a function. `isReported` false: its response was cut off, so that nothing came of it. */
export const noteCall = (memory: RealtimeMemory, id: string, isReported: boolean): RealtimeMemory => ({
  ...memory,
  openCalls: [...memory.openCalls.filter((call) => call.id !== id), { id, isReported }],
});

/**
 * What the vendor's memory lacks of a conversation, in order, and the memory once it has taken that up. Speech is left out: the
 * vendor heard the caller itself and remembers its own responses. A vendor that was connected to anew is told everything in words.
 */
export function recall(memory: RealtimeMemory, messages: readonly ModelMessage[]): { readonly memory: RealtimeMemory; readonly items: readonly MemoryItem[] } {
  const lines = linesOf(messages);
  const told = lines.filter((line) => line.role !== 'agent');
  const after: RealtimeMemory = { known: told.map(keyOf), said: [], openCalls: [] };
  if (memory.known === null) return { memory: after, items: lines.map((line) => itemOf(line, [])) };
  const fresh = told.slice(countKnown(told, memory.known)).filter((line) => line.role !== 'caller');
  const results = new Set(fresh.map(keyOf));
  const unanswered = memory.openCalls.filter(({ id }) => !results.has(`tool ${id}`));
  return {
    memory: after,
    items: [
      ...unanswered.map(({ id, isReported }): MemoryItem => ({ type: 'tool-result', toolCallId: id, text: settledResult[`${isReported}`] })),
      ...memory.said.map((text): MemoryItem => ({ type: 'agent-words', text })),
      ...fresh.map((line) => itemOf(line, memory.openCalls)),
    ],
  };
}
