/** Splits a text so that the first part has at most `maxCharacters`: at a space if there is one. The second part may be empty. */
export function splitText(text: string, maxCharacters: number): [string, string] {
  if (text.length <= maxCharacters) return [text, ''];
  const space = text.lastIndexOf(' ', maxCharacters - 1);
  const end = space <= 0 ? maxCharacters : space + 1;
  return [text.slice(0, end), text.slice(end)];
}
