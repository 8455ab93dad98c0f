/** Words that say nothing about a topic. */
const stopWords = new Set(
  (
    'a an the and or but if then so of to in on at by for with from as about into it its this that these those there here i me my we us our you your ' +
    'he she his her they them their be is am are was were been being do does did done have has had will would shall should can could may might must ' +
    'just please like want wants wanted wish wishes need needs let lets tell tells told say says said ask asks asked asking give know some any ' +
    'caller callers customer user person people call calls calling something someone anything also too very really well oh um uh er hey got get gets ' +
    'what whats which im id ill ive youre thats weve dont doesnt didnt'
  ).split(' '),
);

/** Words that stand for one another here; the first names the group. A space makes a phrase. */
const synonymGroups: readonly (readonly string[])[] = [
  ['goodbye', 'bye', 'good bye', 'bye bye', 'farewell', 'see you', 'hang up', 'hangs up', 'end the call', 'ends the call', 'that is all', "that's all", 'nothing else', 'have a nice day', 'have a good day', 'finished'],
  ['thank', 'thanks', 'thank you', 'cheers', 'appreciate'],
  ['yes', 'yeah', 'yep', 'yup', 'sure', 'correct', 'right', 'okay', 'ok', 'of course', 'absolutely', 'agree', 'agrees', 'confirm', 'confirms', 'accept', 'accepts'],
  ['no', 'nope', 'nah', 'not', "don't", "doesn't", 'never', 'decline', 'declines', 'refuse', 'refuses', 'disagree', 'disagrees', 'negative'],
  ['hello', 'hi', 'hey', 'good morning', 'good afternoon', 'good evening'],
  ['open', 'opening', 'opens', 'close', 'closing', 'closes', 'closed'],
  ['hour', 'hours', 'time', 'times', 'when', 'what time', 'schedule'],
  ['address', 'where', 'location', 'located', 'directions', 'find you', 'way'],
  ['price', 'prices', 'cost', 'costs', 'how much', 'fee', 'fees', 'charge', 'rate', 'rates', 'expensive'],
  ['human', 'operator', 'agent', 'representative', 'real person', 'somebody', 'colleague', 'staff', 'transfer', 'transferred', 'speak to someone', 'talk to someone'],
  ['appointment', 'booking', 'book', 'reservation', 'reserve', 'table'],
  ['pay', 'payment', 'bill', 'billing', 'invoice'],
  ['sunday', 'sundays'],
  ['saturday', 'saturdays'],
  ['weekend', 'weekends'],
  ['weekday', 'weekdays', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'mondays', 'fridays'],
  ['0', 'zero'],
  ['1', 'one', 'first'],
  ['2', 'two', 'second'],
  ['3', 'three', 'third'],
  ['4', 'four'],
  ['5', 'five'],
  ['6', 'six'],
  ['7', 'seven'],
  ['8', 'eight'],
  ['9', 'nine'],
  ['10', 'ten'],
];

/** Longest phrases first, so that "good bye" is not read as "good" and "bye". */
const phrases = synonymGroups
  .flatMap((group) => group.map((phrase) => ({ words: normalise(phrase).split(' '), stands: group[0] ?? phrase })))
  .toSorted((a, b) => b.words.length - a.words.length);

function normalise(text: string): string {
  return text
    .toLowerCase()
    .replace(/[’']/g, '')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
}

/** A coarse stem: plural and verb endings go. */
function stem(word: string): string {
  if (word.length > 5 && word.endsWith('ing')) return word.slice(0, -3);
  if (word.length > 4 && word.endsWith('ies')) return `${word.slice(0, -3)}y`;
  if (word.length > 4 && word.endsWith('ed')) return word.slice(0, -2);
  if (word.length > 3 && word.endsWith('s') && !word.endsWith('ss')) return word.slice(0, -1);
  return word;
}

/** The words of a text that carry meaning, synonyms made one: what topics and questions are compared by. */
export function meaningfulWords(text: string): ReadonlySet<string> {
  const words = normalise(text).split(' ');
  const found = new Set<string>();
  for (let at = 0; at < words.length; ) {
    const phrase = phrases.find((candidate) => candidate.words.every((word, i) => words[at + i] === word));
    const word = words[at] ?? '';
    if (phrase !== undefined) found.add(phrase.stands);
    else if (word !== '' && !stopWords.has(word)) found.add(stem(word));
    at += phrase?.words.length ?? 1;
  }
  return found;
}

/** Words that two texts share. */
export function sharedWords(a: ReadonlySet<string>, b: ReadonlySet<string>): readonly string[] {
  return [...a].filter((word) => b.has(word));
}

/**
 * How well `said` fits `topic`: the shared words, more for a topic that is said in full. 0: nothing in common.
 */
export function overlapScore(said: ReadonlySet<string>, topic: ReadonlySet<string>): number {
  const shared = sharedWords(said, topic).length;
  return topic.size === 0 ? 0 : shared * (0.5 + (0.5 * shared) / topic.size);
}
