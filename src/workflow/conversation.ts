import type { ModelMessage } from '../speech/language-model.js';
import type { ConversationEntry } from './engine.js';

/** Entries a conversation holds; the oldest go first. The run's events keep everything. */
export const MAX_CONVERSATION_ENTRIES = 500;
/** Entries the model is shown. */
export const MAX_WINDOW_ENTRIES = 80;
/** Characters of conversation the model is shown. */
export const MAX_WINDOW_LENGTH = 24_000;
/** Longest entry, characters. */
const MAX_ENTRY_LENGTH = 8000;

const cut = (entry: ConversationEntry): ConversationEntry => {
  if (entry.role === 'tool') return entry.result.length > MAX_ENTRY_LENGTH ? { ...entry, result: entry.result.slice(0, MAX_ENTRY_LENGTH) } : entry;
  return entry.text.length > MAX_ENTRY_LENGTH ? { ...entry, text: entry.text.slice(0, MAX_ENTRY_LENGTH) } : entry;
};

/** The conversation with one entry more, within its bounds. */
export function appendEntry(conversation: readonly ConversationEntry[], entry: ConversationEntry): readonly ConversationEntry[] {
  return [...conversation.slice(1 - MAX_CONVERSATION_ENTRIES), cut(entry)];
}

/** Adds what was heard of a reply. Nothing heard, nothing added: the conversation never holds words the caller did not hear. */
export function appendHeard(conversation: readonly ConversationEntry[], heardText: string, isInterrupted: boolean): readonly ConversationEntry[] {
  const text = heardText.trim();
  return text === '' ? conversation : appendEntry(conversation, { role: 'agent', text, isInterrupted });
}

function entryMessage(entry: ConversationEntry): ModelMessage {
  switch (entry.role) {
    case 'caller':
      return { role: 'user', text: entry.text };
    case 'agent': {
      const text = entry.isInterrupted ? `${entry.text} —` : entry.text;
      return entry.toolCalls === undefined ? { role: 'assistant', text } : { role: 'assistant', text, toolCalls: entry.toolCalls };
    }
    case 'tool':
      return { role: 'tool', toolCallId: entry.toolCallId, toolName: entry.toolName, result: entry.result };
    case 'note':
      return { role: 'user', text: `[${entry.text}]` };
  }
}

/** Neighbours of one role become one message: several vendors want the roles to alternate. */
function merged(messages: readonly ModelMessage[]): readonly ModelMessage[] {
  const result: ModelMessage[] = [];
  for (const message of messages) {
    const last = result.at(-1);
    if (last?.role === 'user' && message.role === 'user') result[result.length - 1] = { role: 'user', text: `${last.text}\n${message.text}` };
    else if (last?.role === 'assistant' && last.toolCalls === undefined && message.role === 'assistant')
      result[result.length - 1] = { ...message, text: `${last.text} ${message.text}`.trim() };
    else result.push(message);
  }
  return result;
}

function lengthOf(entry: ConversationEntry): number {
  if (entry.role === 'tool') return entry.result.length;
  const calls = entry.role === 'agent' ? (entry.toolCalls ?? []) : [];
  return calls.reduce((length, { argumentsJson }) => length + argumentsJson.length, entry.text.length);
}

/** The newest entries within the bounds; never begins with a tool's result whose call was cut away. */
function windowOf(conversation: readonly ConversationEntry[]): readonly ConversationEntry[] {
  let from = conversation.length;
  let length = 0;
  while (from > 0 && conversation.length - from < MAX_WINDOW_ENTRIES) {
    const entry = conversation[from - 1];
    length += entry === undefined ? 0 : lengthOf(entry);
    if (length > MAX_WINDOW_LENGTH && from < conversation.length) break;
    from -= 1;
  }
  while (conversation[from]?.role === 'tool') from += 1;
  return conversation.slice(from);
}

const speakers = { caller: 'Caller', agent: 'Agent', note: 'Note' } as const;

/** The newest of the conversation as text, a line per entry, within the bounds; results of functions are left out. */
export const transcriptWindow = (conversation: readonly ConversationEntry[]): string =>
  windowOf(conversation)
    .flatMap((entry) => (entry.role === 'tool' || entry.text === '' ? [] : [`${speakers[entry.role]}: ${entry.text}`]))
    .join('\n');

/** What a pass of the model is told beside the conversation. */
export interface PassNotes {
  /** Words of the reply in progress that were given to the voice and not yet reported as heard. */
  readonly spoken: string;
  /** Asks the model to speak where the last word is not the caller's, or has been acted on. */
  readonly prompt: string;
  /** An edge was just taken for the caller's last words: they are no longer to be answered. */
  readonly isArrival: boolean;
}

/** The messages with the words of the reply in progress: at the end, or with the tools it called last, whose results follow them. */
function withSpoken(messages: readonly ModelMessage[], spoken: string): ModelMessage[] {
  if (spoken === '') return [...messages];
  const last = messages.findLastIndex((message) => message.role !== 'tool');
  const calling = last === messages.length - 1 ? undefined : messages[last];
  if (calling?.role !== 'assistant') return [...messages, { role: 'assistant', text: spoken }];
  return messages.with(last, { ...calling, text: `${calling.text} ${spoken}`.trim() });
}

/** The messages of one pass: system prompt, conversation window, what was just said; begins and ends with the user's side. */
export function modelMessages(
  systemPrompt: string,
  conversation: readonly ConversationEntry[],
  notes: PassNotes,
): readonly ModelMessage[] {
  const messages = withSpoken(windowOf(conversation).map(entryMessage), notes.spoken);
  if (messages[0]?.role === 'assistant') messages.unshift({ role: 'user', text: '[The call begins.]' });
  const lastRole = messages.at(-1)?.role;
  if (notes.isArrival || lastRole === undefined || lastRole === 'assistant') messages.push({ role: 'user', text: `[${notes.prompt}]` });
  return [{ role: 'system', text: systemPrompt }, ...merged(messages)];
}
