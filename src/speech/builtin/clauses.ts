/** Longest clause rendered at once, in characters. Longer ones are cut at a space. */
const MAX_CLAUSE_CHARACTERS = 300;

/**
 * Cuts pushed text into clauses to be rendered one by one: at ends of sentences, and at a space where a sentence is too long.
 * Whitespace around clauses is dropped, and so are clauses without a letter or digit.
 */
export function splitClauses(text: string): string[] {
  return text
    .split(/(?<=[.!?…。！？])\s+/u)
    .flatMap(cutLong)
    .map((clause) => clause.trim())
    .filter((clause) => /[\p{L}\p{N}]/u.test(clause));
}

function cutLong(sentence: string): string[] {
  const parts: string[] = [];
  let rest = sentence;
  while (rest.length > MAX_CLAUSE_CHARACTERS) {
    const space = rest.lastIndexOf(' ', MAX_CLAUSE_CHARACTERS);
    const at = space > 0 ? space : MAX_CLAUSE_CHARACTERS;
    parts.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  return [...parts, rest];
}
