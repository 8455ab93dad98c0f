import { describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import type { SpeechToTextEvent } from '../speech-to-text.js';
import { builtinTtsSettingsSchema } from './settings.js';
import { createBuiltinSpeechToText } from './speech-to-text.js';
import { createBuiltinTextToSpeech } from './text-to-speech.js';

async function speak(engine: 'auto' | 'bundled', text: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const tts = createBuiltinTextToSpeech(builtinTtsSettingsSchema.parse({ engine }), { clock: systemClock });
  const stream = tts.open({ language: 'en', signal: new AbortController().signal });
  await new Promise<void>((resolve, reject) => {
    const utterance = stream.speak((event) => {
      if (event.type === 'audio') chunks.push(Uint8Array.from(event.audio));
      if (event.type === 'tts-end') resolve();
      if (event.type === 'tts-failed') reject(event.error);
    });
    utterance.push(text);
    utterance.end();
  });
  return Buffer.concat(chunks);
}

function listen(audio: Uint8Array, chunkBytes = 160): SpeechToTextEvent[] {
  const events: SpeechToTextEvent[] = [];
  const stream = createBuiltinSpeechToText().open({
    language: 'en',
    keyterms: [],
    signal: new AbortController().signal,
    onEvent: (event) => events.push(event),
  });
  for (let at = 0; at < audio.length; at += chunkBytes) stream.push(audio.subarray(at, at + chunkBytes));
  stream.finalize();
  return events;
}

describe.each(['auto', 'bundled'] as const)('the builtin voice (%s) and recogniser', (engine) => {
  it('carry text through mu-law audio', async () => {
    const text = 'Hello, thank you for calling. We are open from nine to five, Monday to Friday, and on Saturdays until noon.';
    const events = listen(await speak(engine, text));
    const finals = events.flatMap((event) => (event.type === 'transcript-final' ? [event.text] : []));
    expect(finals.join(' ')).toBe(text);
    expect(events.at(-1)).toEqual({ type: 'finalized' });
  });
});
