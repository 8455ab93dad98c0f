/** What the rules find in a system prompt. */
export interface PromptRules {
  readonly answers: readonly PromptAnswer[];
  /** Fixed words to begin with, from lines like `Say "…"`. */
  readonly opening: string | null;
  /** What to say when nothing else fits, from a line like `If you do not know the answer, say "…"`. */
  readonly fallback: string | null;
  /** The prompt asks to say goodbye. */
  readonly isFarewell: boolean;
}

/** A topic and what is said about it. */
export interface PromptAnswer {
  /** As the prompt words it. */
  readonly topic: string;
  /** How the topic is named to the caller; null where it is no noun phrase. */
  readonly label: string | null;
  readonly answer: string;
}

const SAY = '(?:say|says|answer|reply|respond|tell (?:them|the caller|him|her))(?: (?:with|that))?\\s*[:,]?';
const conditional = new RegExp(`^(?:[-*•]\\s*)?(?:if|when|whenever)\\s+(.+?),?\\s+(?:then\\s+|please\\s+)?${SAY}\\s*(.+)$`, 'i');
const fixedWords =
  /^(?:[-*•]\s*)?(?:(?:first|then|always|please)[, ]+)?(?:say|greet|open|begin|start|close|end|finish|ask|welcome|introduce yourself|speak|answer the call)\b[^"“”:]*:?\s*["“]([^"“”]+)["”]/i;
const questionLine = /^(?:[-*•]\s*)?Q(?:uestion)?\s*[:.]\s*(.+?)(?:\s+A(?:nswer)?\s*[:.]\s*(.+))?$/i;
const answerLine = /^(?:[-*•]\s*)?A(?:nswer)?\s*[:.]\s*(.+)$/i;
const topicLine = /^(?:[-*•]\s*)?([^:."“”?]{2,60})[:：]\s+(.+)$/;
const asksAbout = /^(?:the\s+|a\s+)?(?:callers?|users?|customers?|they|someone|somebody|anyone|asked)\s*(?:asks?|wants?|inquires?|enquires?|is asking|needs?)?\s*(?:to know|you)?\s*(?:about|for)?\s*/i;
const unknown = /\b(?:do not|don['’]t|cannot|can['’]t)\s+(?:know|answer|help|understand)|\bunsure\b|\bnot sure\b|\banything else\b|\belse\b/i;

/** Lines that set a role or a rule, not a topic. */
const notTopics = new Set(['note', 'important', 'rules', 'rule', 'role', 'goal', 'task', 'style', 'tone', 'persona', 'instructions', 'example', 'context']);

/** Most answers read from one prompt. */
const MAX_ANSWERS = 200;

/** What is quoted, else the whole rest of the line. */
function spokenPart(text: string): string {
  return (/["“]([^"“”]+)["”]/.exec(text)?.[1] ?? text).trim();
}

/** Ends a text as a sentence. */
function asSentence(text: string): string {
  const trimmed = text.trim();
  const capital = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?…]["”]?$/.test(capital) ? capital : `${capital}.`;
}

function readConditional(line: string): { answer: PromptAnswer } | { fallback: string } | null {
  const match = conditional.exec(line);
  if (match === null) return null;
  const [, condition = '', rest = ''] = match;
  const answer = asSentence(spokenPart(rest));
  if (unknown.test(condition)) return { fallback: answer };
  const topic = condition.replace(asksAbout, '').trim();
  const isNamed = /\b(?:about|for)\s/i.test(condition);
  return { answer: { topic, label: isNamed ? topic : null, answer } };
}

function readTopicLine(line: string): PromptAnswer | null {
  const match = topicLine.exec(line);
  const topic = match?.[1]?.trim() ?? '';
  const text = match?.[2]?.trim() ?? '';
  if (match === null || notTopics.has(topic.toLowerCase()) || topic.split(/\s+/).length > 6) return null;
  const answer = /[.!?]$/.test(text) ? asSentence(text) : asSentence(`${topic}: ${text}`);
  return { topic, label: topic.toLowerCase(), answer };
}

/** Reads the rules of a prompt, line by line. Lines of other kinds are for real models and are passed over. */
export function readPromptRules(prompt: string): PromptRules {
  const answers: PromptAnswer[] = [];
  let opening: string | null = null;
  let fallback: string | null = null;
  let question: string | null = null;

  for (const line of prompt.split('\n').map((text) => text.trim())) {
    const asked = questionLine.exec(line);
    const answered = answerLine.exec(line);
    const ruled = readConditional(line);
    const fixed = fixedWords.exec(line);
    if (asked !== null) {
      question = asked[1] ?? '';
      if (asked[2] !== undefined) answers.push({ topic: question, label: null, answer: asSentence(asked[2]) });
    } else if (answered !== null && question !== null) {
      answers.push({ topic: question, label: null, answer: asSentence(answered[1] ?? '') });
      question = null;
    } else if (ruled !== null) {
      if ('fallback' in ruled) fallback ??= ruled.fallback;
      else answers.push(ruled.answer);
    } else if (fixed !== null) opening ??= asSentence(fixed[1] ?? '');
    else {
      const topic = readTopicLine(line);
      if (topic !== null) answers.push(topic);
    }
  }
  return { answers: answers.slice(0, MAX_ANSWERS), opening, fallback, isFarewell: /\b(?:say|saying) (?:good)?bye\b|\bsay farewell\b/i.test(prompt) };
}
