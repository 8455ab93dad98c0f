import type { ModelMessage, ModelTool } from '../language-model.js';
import { readPromptRules, type PromptAnswer, type PromptRules } from './prompt-rules.js';
import { sayResult } from './result-words.js';
import { meaningfulWords, overlapScore, sharedWords } from './rule-words.js';
import { UNINTELLIGIBLE } from './unintelligible.js';

/** What the rules decided to do with a request. */
export type RuleReply =
  | { readonly type: 'say'; readonly text: string }
  | { readonly type: 'call-tool'; readonly name: string; readonly arguments: Readonly<Record<string, string>> };

const UNINTELLIGIBLE_REPLY =
  'I heard you speak, but this demo understands only the built-in voice. To talk with people, set the keys of real speech vendors.';
const HELP_OFFER = 'How can I help you?';
const FAREWELL = 'Thank you for calling. Goodbye.';

/** Topics that a reply names when it knows no answer. */
const MAX_NAMED_TOPICS = 4;

/** Share of a condition's words that must be said, where fewer than two are. */
const MIN_CONDITION_SHARE = 0.3;

/** Words that fulfil a condition alone, however long it is. */
const decisiveWords = new Set(['goodbye', 'yes', 'no', 'human', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);

/** What the caller said since the agent spoke last; notes of the phone system are left out, pressed keys count as words. */
function callerText(messages: readonly ModelMessage[]): string {
  const since = messages.findLastIndex((message) => message.role === 'assistant') + 1;
  return messages
    .slice(since)
    .flatMap((message) => (message.role === 'user' ? message.text.split('\n') : []))
    .map((line) => line.replaceAll(UNINTELLIGIBLE, '\u0000').replace(/^\[(.*)\]$/, (_, note: string) => /pressed (\S+?)\.?$/.exec(note)?.[1] ?? ''))
    .join(' ')
    .replaceAll('\u0000', UNINTELLIGIBLE)
    .trim();
}

/** True where the last thing is a note of the phone system other than a key press: what the caller said before it has been acted on. */
function isAskedToSpeak(messages: readonly ModelMessage[]): boolean {
  const last = messages.at(-1);
  if (last?.role !== 'user' || last.text.endsWith(UNINTELLIGIBLE)) return false;
  return /(^|\n)\[(?![^\]]*pressed \S+\.?\])[^\]]*\]$/.test(last.text);
}

function lastCallerText(messages: readonly ModelMessage[]): string {
  const index = messages.findLastIndex((message) => message.role === 'user');
  return index < 0 ? '' : callerText(messages.slice(index, index + 1));
}

/** A score with what reached it. */
interface Match<T> {
  readonly value: T;
  readonly score: number;
}

function best<T>(matches: readonly Match<T>[]): Match<T> | null {
  return matches.reduce<Match<T> | null>((top, match) => (match.score > (top?.score ?? 0) ? match : top), null);
}

/** Tools without required arguments: only those can be called with `{}`. */
function isCallable(tool: ModelTool): boolean {
  const { required } = tool.parameters;
  return !Array.isArray(required) || required.length === 0;
}

/** A function that takes a query and nothing else. */
function isSearch({ parameters: { required } }: ModelTool): boolean {
  return Array.isArray(required) && required.length === 1 && required[0] === 'query';
}

function matchTool(said: ReadonlySet<string>, tools: readonly ModelTool[]): Match<ModelTool> | null {
  return best(
    tools.filter(isCallable).map((tool) => {
      const condition = meaningfulWords(tool.description);
      const shared = sharedWords(said, condition);
      // Politeness is no goodbye: "thanks" counts where it is all that was said.
      const isOnlyPolite = shared.every((word) => word === 'thank') && said.size > shared.length;
      const isEnough = shared.length >= 2 || shared.some((word) => decisiveWords.has(word)) || shared.length >= MIN_CONDITION_SHARE * condition.size;
      return { value: tool, score: isOnlyPolite || !isEnough ? 0 : overlapScore(said, condition) };
    }),
  );
}

function matchAnswer(said: ReadonlySet<string>, answers: readonly PromptAnswer[]): Match<PromptAnswer> | null {
  return best(
    answers.map((answer) => {
      const topic = overlapScore(said, meaningfulWords(answer.topic));
      // The words of the answer decide between topics that fit alike, and two of them are enough alone.
      const words = sharedWords(said, meaningfulWords(answer.answer)).length;
      return { value: answer, score: topic > 0 || words >= 2 ? topic + 0.1 * words : 0 };
    }),
  );
}

function listTopics(labels: readonly string[]): string {
  return labels.length < 2 ? labels.join('') : `${labels.slice(0, -1).join(', ')} and ${labels.at(-1) ?? ''}`;
}

function sayUnknown(rules: PromptRules): string {
  if (rules.fallback !== null) return rules.fallback;
  const labels = rules.answers.flatMap((answer) => answer.label ?? []).slice(0, MAX_NAMED_TOPICS);
  if (labels.length === 0) return 'I am sorry, I do not know that. Is there anything else I can help you with?';
  return `I am sorry, I do not know that. I can tell you about ${listTopics(labels)}.`;
}

/** The first words at a node, where the caller has said nothing new. */
function sayOpening(rules: PromptRules, earlierText: string): string {
  if (rules.opening !== null) return rules.opening;
  return matchAnswer(meaningfulWords(earlierText), rules.answers)?.value.answer ?? (rules.isFarewell ? FAREWELL : HELP_OFFER);
}

function sayAnswer(rules: PromptRules, answer: Match<PromptAnswer> | null, said: ReadonlySet<string>): string {
  if (answer !== null) return answer.value.answer;
  if (said.has('hello') && said.size === 1) return `Hello. ${HELP_OFFER}`;
  if (rules.isFarewell) return rules.opening ?? FAREWELL;
  return sayUnknown(rules);
}

/**
 * Answers a request by rules alone: a tool whose description shares its words with what the caller said, else the prompt's answer
 * on the topic that fits best, else what the prompt can be asked about. Pure and deterministic; it understands no language.
 */
export function decideReply(messages: readonly ModelMessage[], tools: readonly ModelTool[]): RuleReply {
  const prompt = messages.flatMap((message) => (message.role === 'system' ? [message.text] : [])).join('\n');
  const rules = readPromptRules(prompt);
  const last = messages.at(-1);
  if (last?.role === 'tool' && tools.some(({ name }) => name === last.toolName)) return { type: 'say', text: sayResult(last.result) ?? sayUnknown(rules) };
  const text = isAskedToSpeak(messages) ? '' : callerText(messages);
  const understood = text.replaceAll(UNINTELLIGIBLE, ' ').trim();
  if (understood === '') {
    return { type: 'say', text: text === '' ? sayOpening(rules, lastCallerText(messages)) : UNINTELLIGIBLE_REPLY };
  }
  const said = meaningfulWords(understood);
  const tool = matchTool(said, tools);
  const answer = matchAnswer(said, rules.answers);
  if (tool !== null && tool.score >= (answer?.score ?? 0)) return { type: 'call-tool', name: tool.value.name, arguments: {} };
  const search = answer === null && said.size > 0 && !rules.isFarewell ? tools.find(isSearch) : undefined;
  if (search !== undefined) return { type: 'call-tool', name: search.name, arguments: { query: understood } };
  return { type: 'say', text: sayAnswer(rules, answer, said) };
}
