/** Words that say nothing about a subject, in the languages that calls are most often in. Both texts and queries go without them. */
const stopWords: ReadonlySet<string> = new Set(
  [
    'a an the and or but if of to in on at by for with from as about into is am are was were be been do does did have has had will would can could shall should may might',
    'i me my we us our you your he she his her it its they them their this that these those there here what which who how when where why not no please tell know want',
    'der die das den dem des ein eine einen einem einer und oder aber wenn von zu im in am an auf mit fur aus bei ist sind war waren hat haben wird werden kann ich mir mein',
    'wir uns sie ihr er es man was wie wer wann wo warum nicht kein bitte',
    'le la les un une des du de et ou mais si dans sur avec pour par est sont etait a au aux je me mon ma mes nous vous il elle ils on ce cette ces que qui quoi quel quelle',
    'comment quand pas ne se sa son ses',
    'el los las una unos unas y o pero con por para del al es son era fue hay yo mi tu su sus nos lo que como cuando donde quien cual no se',
    'il lo gli i uno e ed ma di da con su per tra sono era ha io mio che chi come dove quando non si',
    'os as um uma do dos na nos em com por mais eu meu voce nao',
    'de het een en of maar van te met voor is zijn was ik mijn wij jij hij zij dat die wat hoe niet',
  ]
    .join(' ')
    .split(' '),
);

/** Scripts that put no space between words: Unicode 16, UAX #29 §4. */
const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]+/gu;
const word = /[\p{L}\p{N}\p{M}]+/gu;
/** Longer words are cut: nobody says them. */
const MAX_WORD_LENGTH = 64;

/** Pairs of neighbouring characters: what stands for words in a script without spaces. */
function pairs(run: string): readonly string[] {
  const characters = [...run];
  return characters.length < 2 ? characters : characters.slice(1).map((character, index) => `${characters[index] ?? ''}${character}`);
}

/** The words of a text, in any script. Scripts without spaces give pairs of characters. */
export function splitWords(text: string): string[] {
  return (text.match(word) ?? []).flatMap((run) => {
    const parts = run.match(unspaced);
    if (parts === null) return [run.slice(0, MAX_WORD_LENGTH)];
    const spaced = run.replace(unspaced, ' ').split(' ');
    return [...spaced.filter((part) => part !== '').map((part) => part.slice(0, MAX_WORD_LENGTH)), ...parts.flatMap(pairs)];
  });
}

/** What words are compared by: without case and without accents. Null for a word that says nothing. */
export function termOf(text: string): string | null {
  const term = text.normalize('NFKD').replace(/[\u0300-\u036f]/g, '').toLowerCase();
  return term === '' || stopWords.has(term) ? null : term;
}
