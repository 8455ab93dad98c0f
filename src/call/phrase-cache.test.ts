import { describe, expect, it } from 'vitest';
import { createPhraseCache } from './phrase-cache.js';

const audio = (bytes: number) => new Uint8Array(bytes).fill(bytes);

describe('the phrase cache', () => {
  it('keeps phrases by voice and text', () => {
    const cache = createPhraseCache();
    cache.set('one', 'Hello.', audio(10));
    cache.set('two', 'Hello.', audio(20));
    expect(cache.get('one', 'Hello.')).toEqual(audio(10));
    expect(cache.get('two', 'Hello.')).toEqual(audio(20));
    expect(cache.get('one', 'Goodbye.')).toBeUndefined();
    expect(cache.get('on', 'eHello.')).toBeUndefined();
  });

  it('forgets the least recently used first, within its size', () => {
    const cache = createPhraseCache(100);
    for (const text of ['a', 'b', 'c', 'd']) cache.set('voice', text, audio(25));
    expect(cache.get('voice', 'a')).toBeDefined();
    cache.set('voice', 'e', audio(40));
    expect(cache.get('voice', 'b')).toBeUndefined();
    expect(cache.get('voice', 'c')).toBeUndefined();
    for (const text of ['a', 'd', 'e']) expect(cache.get('voice', text)).toBeDefined();
  });

  it('counts a phrase that is stored again once', () => {
    const cache = createPhraseCache(100);
    for (let again = 0; again < 10; again += 1) cache.set('voice', 'a', audio(60));
    cache.set('voice', 'b', audio(40));
    expect(cache.get('voice', 'a')).toBeDefined();
    expect(cache.get('voice', 'b')).toBeDefined();
  });

  it('holds nothing larger than itself', () => {
    const cache = createPhraseCache(100);
    cache.set('voice', 'long', audio(101));
    expect(cache.get('voice', 'long')).toBeUndefined();
    cache.set('voice', 'short', audio(100));
    expect(cache.get('voice', 'short')).toBeDefined();
  });
});
