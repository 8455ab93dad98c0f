import { systemClock } from '../../../src/base/clock.js';
import { builtin } from '../../../src/speech/builtin/builtin.js';
import { silence } from './speech-audio.js';

/** Silence after which the recogniser has certainly read the last packet. */
const TAIL_MS = 2000;

/** Speaks `text` with the builtin voice, whose audio {@link hearBuiltinVoice} understands. */
export function speakBuiltinVoice(text: string): Promise<Buffer> {
  const leg = builtin.tts!;
  const voice = leg.create(leg.settingsSchema.parse({}), { clock: systemClock, apiKey: undefined, baseUrl: '', fetch });
  const audio: Buffer[] = [];
  return new Promise((resolve, reject) => {
    const stream = voice.open({ language: 'en-US', signal: new AbortController().signal });
    const utterance = stream.speak((event) => {
      if (event.type === 'audio') audio.push(Buffer.from(event.audio));
      else if (event.type === 'tts-end') resolve(Buffer.concat(audio));
      else if (event.type === 'tts-failed') reject(event.error);
    });
    utterance.push(text);
    utterance.end();
  });
}

/** The words in audio of the builtin voice. */
export function hearBuiltinVoice(audio: Buffer): string {
  const leg = builtin.stt!;
  const recogniser = leg.create(leg.settingsSchema.parse({}), { clock: systemClock, apiKey: undefined, baseUrl: '', fetch });
  const heard: string[] = [];
  const stream = recogniser.open({
    language: 'en-US',
    keyterms: [],
    signal: new AbortController().signal,
    onEvent: (event) => {
      if (event.type === 'transcript-final') heard.push(event.text);
    },
  });
  stream.push(audio);
  stream.push(silence(TAIL_MS));
  stream.finalize();
  stream.close();
  return heard.join(' ');
}

/** As {@link hearBuiltinVoice}; speech that is not complete yet has no words. */
export const hearWords = (audio: Buffer): string => hearBuiltinVoice(audio).replace('[unintelligible speech]', '');
