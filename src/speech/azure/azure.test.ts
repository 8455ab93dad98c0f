import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeRequestVoice } from '../../../test/contracts/request-voice.js';
import { startFakeAzure, textOfSsml } from '../../../test/support/fakes/azure.js';
import { createVirtualClock } from '../../../test/support/virtual-clock.js';
import { azure } from './azure.js';
import { escapeXml, ssmlOf } from './ssml.js';

describeRequestVoice(azure, startFakeAzure);

describe('SSML', () => {
  it('says text with a voice, at its pace, in a language', () => {
    expect(ssmlOf('Tom & Jerry', { voice: 'en-GB-SoniaNeural' })).toBe(
      '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-GB"><voice name="en-GB-SoniaNeural">Tom &amp; Jerry</voice></speak>',
    );
    expect(ssmlOf('Hallo', { voice: 'en-US-AvaMultilingualNeural', language: 'de-DE', speed: 1.2 })).toContain(
      '<voice name="en-US-AvaMultilingualNeural"><prosody rate="1.2"><lang xml:lang="de-DE">Hallo</lang></prosody></voice>',
    );
  });

  it.each(['</voice><voice name="x">', '<break time="10s"/>', '&lt;', ']]>', '<!-- -->', '<?xml?>', '<audio src="https://x"/>'])('takes %j for words', (text) => {
    expect(textOfSsml(ssmlOf(text, { voice: 'en-US-AvaMultilingualNeural', language: 'en-US', speed: 1 }))).toBe(text);
    expect(escapeXml(text)).not.toMatch(/[<>"']|&(?!(amp|lt|gt|quot|apos);)/);
  });

  it('never lets a text become markup, whatever it holds', () => {
    const anything = fc.string({ unit: 'binary', minLength: 1 });
    const marked = fc.array(fc.constantFrom('<', '>', '&', '"', "'", '/', ';', 'voice', 'speak', 'amp', '\u0000', '\ud800', '\udc00', '\ufffe', ' ', '😀')).map((parts) => `${parts.join('')}.`);
    fc.assert(
      fc.property(fc.oneof(anything, marked), fc.string(), (text, voice) => {
        const expected = text.replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, ' ');
        expect(textOfSsml(ssmlOf(text, { voice }))).toBe(expected);
      }),
    );
  });
});

describe('settings', () => {
  it.each([{ voice: '' }, { voice: 'a"b' }, { speed: 3 }, { language: '"' }, { model: 'neural' }, { region: 'eastus' }])('refuses %j', (settings) => {
    expect(azure.tts!.settingsSchema.safeParse(settings).success).toBe(false);
  });

  it('has a cache key that differs where the sound does', () => {
    const leg = azure.tts!;
    const keyOf = (settings: object) => leg.create(leg.settingsSchema.parse(settings), { clock: createVirtualClock(), apiKey: 'k', baseUrl: 'https://one', fetch }).cacheKey;
    const changes = [{}, { voice: 'en-GB-SoniaNeural' }, { speed: 1.1 }, { language: 'de-DE' }];
    expect(new Set(changes.map(keyOf)).size).toBe(changes.length);
  });
});
