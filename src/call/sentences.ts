/** Shortest first clause worth speaking: shorter ones cost prosody and gain nothing. */
const FIRST_CLAUSE_MIN_CHARS = 12;

/** A text without any break is cut here, at a space, so that a voice never waits for the end of a monologue. */
const CLAUSE_MAX_CHARS = 240;

/** Cuts a model's text stream into pieces a voice can speak: the first clause as early as it is worth it, then whole sentences. */
export interface SentenceSplitter {
  /** Adds streamed text; returns the pieces that are complete now, in order, each with its trailing space. */
  push(delta: string): string[];
  /** The rest, if anything speakable is left. */
  flush(): string[];
}

const SENTENCE_END = /[.!?…]+["')\]]*\s|[。！？]|\n+/g;
const CLAUSE_END = /[,;:–—]\s/;

/** Creates a splitter for one model pass. */
export function createSentenceSplitter(): SentenceSplitter {
  let pending = '';
  let hasSpoken = false;

  const take = (length: number): string[] => {
    const piece = stripMarkup(pending.slice(0, length));
    pending = pending.slice(length);
    if (piece.trim() === '') return [];
    hasSpoken = true;
    return [`${piece.trim()} `];
  };

  const breakAt = (): number => {
    for (const sentence of pending.matchAll(SENTENCE_END))
      if (!isAbbreviation(pending.slice(0, sentence.index))) return sentence.index + sentence[0].length;
    if (!hasSpoken) {
      const clause = CLAUSE_END.exec(pending);
      if (clause !== null && clause.index >= FIRST_CLAUSE_MIN_CHARS) return clause.index + clause[0].length;
    }
    return pending.length > CLAUSE_MAX_CHARS ? Math.max(pending.lastIndexOf(' ', CLAUSE_MAX_CHARS), FIRST_CLAUSE_MIN_CHARS) : 0;
  };

  return {
    push(delta) {
      pending += delta;
      const pieces: string[] = [];
      for (let length = breakAt(); length > 0; length = breakAt()) pieces.push(...take(length));
      return pieces;
    },
    flush: () => take(pending.length),
  };
}

/** "Dr.", "e.g.", an initial or a list number does not end a sentence. */
function isAbbreviation(before: string): boolean {
  return /(?:^|\s)(?:[A-Z]|\d{1,2}|Dr|Mr|Mrs|Ms|St|No|vs|etc|e\.g|i\.e|a\.m|p\.m)$/.test(before);
}

/** Markdown and emoji are for eyes: a voice would read them out. */
export function stripMarkup(text: string): string {
  return text
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/^\s{0,3}(?:#{1,6}|[-*+]|>)\s+/gm, '')
    .replace(/[*_`~]{1,3}(?=\S)|(?<=\S)[*_`~]{1,3}/g, '')
    .replace(/\p{Extended_Pictographic}\uFE0F?/gu, '');
}
