import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.js';
import { cartesia } from '../../../src/speech/cartesia/cartesia.js';
import { deepgram } from '../../../src/speech/deepgram/deepgram.js';
import { hearBuiltinVoice, speakBuiltinVoice } from './builtin-voice.js';
import { startFakeCartesia } from './cartesia.js';
import { until } from '../wait-for.js';
import { startFakeDeepgram } from './deepgram.js';
import { silence } from './speech-audio.js';

describe('the fakes with the builtin voice', () => {
  it('speak through the Cartesia adapter what the Deepgram adapter hears', async () => {
    const fakeCartesia = await startFakeCartesia({ render: speakBuiltinVoice, pace: 40 });
    const fakeDeepgram = await startFakeDeepgram({ transcribe: hearBuiltinVoice });
    const signal = new AbortController().signal;
    const context = { clock: systemClock, apiKey: 'fake', fetch };
    const tts = cartesia.tts!.create(cartesia.tts!.settingsSchema.parse({}), { ...context, baseUrl: fakeCartesia.wsUrl }).open({ language: 'en', signal });
    const heard: string[] = [];
    const stt = deepgram.stt!.create(deepgram.stt!.settingsSchema.parse({}), { ...context, baseUrl: fakeDeepgram.wsUrl }).open({
      language: 'en',
      keyterms: [],
      signal,
      onEvent: (event) => void (event.type === 'transcript-final' && heard.push(event.text)),
    });

    const audio: Buffer[] = [];
    let isOver = false;
    const utterance = tts.speak((event) => {
      if (event.type === 'audio') audio.push(Buffer.from(event.audio));
      if (event.type === 'tts-end') isOver = true;
    });
    utterance.push('Good morning. ');
    utterance.push('What can I do for you?');
    utterance.end();
    await until(() => isOver);
    stt.push(Buffer.concat([silence(200), ...audio, silence(500)]));
    stt.finalize();
    await until(() => heard.join(' ').includes('for you'));
    expect(heard.join(' ')).toBe('Good morning. What can I do for you?');
    tts.close();
    stt.close();
    await fakeCartesia.close();
    await fakeDeepgram.close();
  });
});
