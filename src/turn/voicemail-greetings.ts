import { splitWords } from './words.js';

/**
 * What greetings of voicemail systems say and people who pick up do not, as words in lower case without punctuation. Each row is one
 * language; the wording follows the standard announcements of carriers and phones.
 */
const phrases: readonly string[] = [
  ...['leave a message', 'leave your message', 'leave me a message', 'leave your name', 'after the tone', 'after the beep', 'at the tone', 'voice mailbox', 'voicemail'],
  ...['unable to take your call', "can't take your call", 'cannot take your call', "can't come to the phone", 'cannot come to the phone', 'is not available to take', 'record your message', 'mailbox is full'],
  ...['deje su mensaje', 'deja tu mensaje', 'deje un mensaje', 'después de la señal', 'después del tono', 'buzón de voz'],
  ...['nach dem signalton', 'nach dem ton', 'nach dem piepton', 'hinterlassen sie', 'hinterlasse eine nachricht', 'mailbox von', 'anrufbeantworter'],
  ...['laissez un message', 'laisser un message', 'laissez votre message', 'après le bip', 'après le signal sonore', 'messagerie vocale', 'boîte vocale', 'répondeur'],
  ...['deixe a sua mensagem', 'deixe sua mensagem', 'deixe o seu recado', 'deixe seu recado', 'após o sinal', 'após o bip', 'caixa postal', 'correio de voz'],
  ...['lasciate un messaggio', 'lasci un messaggio', 'lascia un messaggio', 'dopo il segnale acustico', 'dopo il bip', 'segreteria telefonica'],
];

const normalised = phrases.map((phrase) => ` ${splitWords(phrase).join(' ')} `);

/** The phrase of a voicemail greeting that the words hold; null where they hold none. */
export function greetingPhraseIn(words: string): string | null {
  const said = ` ${splitWords(words.replaceAll('’', "'")).join(' ')} `;
  return normalised.find((phrase) => said.includes(phrase))?.trim() ?? null;
}
