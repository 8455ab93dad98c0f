import { MAX_TEXT_NIBBLES, TARGET_TEXT_NIBBLES } from './data-signal.js';

/**
 * Text as nibbles: the ten commonest characters of English take one, the other letters, digits and common marks two, everything
 * below U+1000 four, the rest of Unicode seven.
 */
const ONE_NIBBLE = ' etaoinsrh';
const TWO_NIBBLES = 'bcdfgjklmpquvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,?!\'-:;"/$';
const FIRST_PAIR_NIBBLE = ONE_NIBBLE.length;
const SHORT_ESCAPE = 14;
const LONG_ESCAPE = 15;

function buildCodes(): ReadonlyMap<string, readonly number[]> {
  const codes = new Map<string, readonly number[]>();
  [...ONE_NIBBLE].forEach((character, index) => codes.set(character, [index]));
  [...TWO_NIBBLES].forEach((character, index) => codes.set(character, [FIRST_PAIR_NIBBLE + (index >> 4), index & 15]));
  return codes;
}

const codes = buildCodes();

/** Code point; a lone surrogate, which is no character, becomes U+FFFD. */
function scalarValue(character: string): number {
  const point = character.codePointAt(0) ?? 0;
  return point >= 0xd800 && point <= 0xdfff ? 0xfffd : point;
}

function encodeCharacter(character: string): readonly number[] {
  const known = codes.get(character);
  if (known !== undefined) return known;
  const point = scalarValue(character);
  const isShort = point < 0x1000;
  const nibbles = [isShort ? SHORT_ESCAPE : LONG_ESCAPE];
  for (let shift = isShort ? 8 : 20; shift >= 0; shift -= 4) nibbles.push((point >> shift) & 15);
  return nibbles;
}

/**
 * Cuts a text into runs of a few words, each with its code. Joined, the runs are the text again (lone surrogates aside, which
 * become U+FFFD).
 */
export function encodeText(text: string): { readonly text: string; readonly nibbles: readonly number[] }[] {
  const runs: { text: string; nibbles: number[] }[] = [];
  let run = { text: '', nibbles: [] as number[] };
  const close = () => {
    if (run.nibbles.length > 0) runs.push(run);
    run = { text: '', nibbles: [] };
  };
  for (const character of text) {
    const code = encodeCharacter(character);
    const isFull = run.nibbles.length + code.length > MAX_TEXT_NIBBLES;
    if (isFull || (character === ' ' && run.nibbles.length >= TARGET_TEXT_NIBBLES)) close();
    run.text += character;
    run.nibbles.push(...code);
  }
  close();
  return runs;
}

/** Reads the text in `count` nibbles from `offset`; null where they are no valid text. */
export function decodeText(nibbles: Uint8Array, offset: number, count: number): string | null {
  let text = '';
  let at = offset;
  const end = offset + count;
  while (at < end) {
    const nibble = nibbles[at] as number;
    at += 1;
    if (nibble < FIRST_PAIR_NIBBLE) {
      text += ONE_NIBBLE[nibble];
      continue;
    }
    const length = nibble === LONG_ESCAPE ? 6 : nibble === SHORT_ESCAPE ? 3 : 1;
    if (at + length > end) return null;
    let value = 0;
    for (let i = 0; i < length; i += 1) value = (value << 4) | (nibbles[at + i] as number);
    at += length;
    if (nibble < SHORT_ESCAPE) text += TWO_NIBBLES[((nibble - FIRST_PAIR_NIBBLE) << 4) | value];
    else if (value <= 0x10ffff) text += String.fromCodePoint(value);
    else return null;
  }
  return text;
}
