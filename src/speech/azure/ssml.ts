/** What XML 1.0 §2.2 does not allow in a document, not even escaped; lone halves of surrogate pairs too. */
const notXml = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu;

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' };

/** A text as XML's character data or the value of an attribute: nothing in it is markup (XML 1.0 §2.4). What XML cannot hold becomes a space. */
export function escapeXml(text: string): string {
  return text.replace(notXml, ' ').replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** What a text is spoken with. */
export interface SsmlVoice {
  /** Name of the voice, its locale first: `en-US-AvaMultilingualNeural`. */
  readonly voice: string;
  /** The locale that a multilingual voice is held to; undefined: it follows the text. */
  readonly language?: string | undefined;
  /** 1 is the pace of the voice. */
  readonly speed?: number | undefined;
}

/** A text as an SSML document (learn.microsoft.com/azure/ai-services/speech-service/speech-synthesis-markup-structure). */
export function ssmlOf(text: string, { voice, language, speed }: SsmlVoice): string {
  const locale = /^[a-z]{2,3}-[A-Za-z0-9]{2,4}/.exec(voice)?.[0] ?? 'en-US';
  const spoken = escapeXml(text);
  const held = language === undefined ? spoken : `<lang xml:lang="${escapeXml(language)}">${spoken}</lang>`;
  const paced = speed === undefined ? held : `<prosody rate="${speed}">${held}</prosody>`;
  const inVoice = `<voice name="${escapeXml(voice)}">${paced}</voice>`;
  return `<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="${locale}">${inVoice}</speak>`;
}
