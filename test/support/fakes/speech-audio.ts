/** Bytes of 1 ms of 8 kHz mu-law. */
const BYTES_PER_MS = 8;
const SILENCE = 0xff;

/** `durationMs` of silence. */
export function silence(durationMs: number): Buffer {
  return Buffer.alloc(durationMs * BYTES_PER_MS, SILENCE);
}

/** `durationMs` of mu-law audio that every energy detector takes for speech: full-scale samples in syllables of 120 ms. */
export function babble(durationMs: number): Buffer {
  const audio = Buffer.alloc(durationMs * BYTES_PER_MS);
  for (let i = 0; i < audio.length; i += 1) audio[i] = (i % 1280 < 960 ? 0x90 : 0xb0) ^ (i & 4 ? 0x80 : 0) ^ ((i * 7) & 0x0f);
  return audio;
}

/** Words that {@link renderCodedWords} can write into audio. */
export const codedWords = ['alpha', 'bravo', 'charlie', 'delta', 'echo', 'foxtrot', 'golf', 'hotel', 'india', 'juliett'] as const;
/** One of the words that audio can carry. */
export type CodedWord = (typeof codedWords)[number];

const WORD_MS = 200;
const GAP_MS = 80;

/** Loud audio whose samples carry the words: 200 ms each, 80 ms of silence between. A recogniser of such audio hears what was really sent. */
export function renderCodedWords(words: readonly CodedWord[]): Buffer {
  return Buffer.concat(
    words.flatMap((word) => {
      const code = codedWords.indexOf(word) + 1;
      const burst = Buffer.alloc(WORD_MS * BYTES_PER_MS);
      for (let i = 0; i < burst.length; i += 1) burst[i] = (i & 4 ? 0x00 : 0x80) | code;
      return [burst, silence(GAP_MS)];
    }),
  );
}

/** The words in audio of {@link renderCodedWords}; a word of which less than half is there is not heard. */
export function decodeCodedWords(audio: Buffer): string {
  const heard: string[] = [];
  let code = 0;
  let length = 0;
  const finish = () => {
    const word = codedWords[code - 1];
    if (word !== undefined && length >= (WORD_MS * BYTES_PER_MS) / 2) heard.push(word);
    length = 0;
  };
  for (const sample of audio) {
    const isBurst = (sample & 0x70) === 0;
    if (!isBurst || (length > 0 && (sample & 0x0f) !== code)) finish();
    if (!isBurst) continue;
    code = sample & 0x0f;
    length += 1;
  }
  finish();
  return heard.join(' ');
}

/** Whether a 20 ms frame of mu-law holds more than line noise. */
export function isLoudFrame(frame: Buffer): boolean {
  let loud = 0;
  for (let i = 0; i < frame.length; i += 4) if (((~(frame[i] ?? SILENCE) >> 4) & 7) >= 3) loud += 1;
  return loud * 32 >= frame.length;
}
