import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addCosts, costOf, type UsageEntry } from './cost.js';
import { priceList } from './price-list.js';
import { findPrice, organizationPricesSchema, priceSchema, type Price, type PriceBook } from './prices.js';

const at = new Date('2026-11-22T12:00:00Z');
const book = (own: readonly unknown[] = [], list: readonly unknown[] = priceList.prices): PriceBook => ({
  own: organizationPricesSchema.parse({ prices: own }).prices,
  list: { version: priceList.version, prices: list as readonly Price[] },
});
const cost = (usage: readonly UsageEntry[], own: readonly unknown[] = []) => costOf(usage, book(own), at);

describe('the cost of a call', () => {
  it('is the sum of what each vendor did, at the price of the vendor that did it', () => {
    const usage: readonly UsageEntry[] = [
      { leg: 'stt', vendor: 'deepgram', model: 'nova-3', audioMs: 90_500 },
      { leg: 'llm', vendor: 'openai', model: 'gpt-4.1-mini', inputTokens: 10_000, cachedInputTokens: 4000, outputTokens: 500 },
      { leg: 'llm', vendor: 'groq', model: 'openai/gpt-oss-120b', inputTokens: 2000, outputTokens: 100 },
      { leg: 'tts', vendor: 'elevenlabs', model: 'eleven_flash_v2_5', characters: 640, audioMs: 40_000 },
    ];
    const { total, parts, unknown, currency, price_table_version: version } = cost(usage);
    expect({ currency, version, unknown }).toEqual({ currency: 'USD', version: '2026-11-22', unknown: [] });
    expect(parts.map(({ vendor, unit, quantity, amount }) => [vendor, unit, quantity, amount])).toEqual([
      ['deepgram', 'second', 90.5, '0.007240'],
      ['openai', 'input_token', 6000, '0.002400'],
      ['openai', 'cached_input_token', 4000, '0.000400'],
      ['openai', 'output_token', 500, '0.000800'],
      ['groq', 'input_token', 2000, '0.000300'],
      ['groq', 'output_token', 100, '0.000060'],
      ['elevenlabs', 'character', 640, '0.032000'],
    ]);
    expect(total).toBe('0.043200');
  });

  it('names what has no price, and requests whose size nobody knows, and counts neither as 0', () => {
    const { total, parts, unknown } = cost([
      { leg: 'llm', vendor: 'openai', model: 'my-own-model', inputTokens: 10, outputTokens: 5, uncountedRequests: 2 },
      { leg: 'tts', vendor: 'cartesia', model: 'sonic-3', characters: 100, audioMs: 6000 },
      { leg: 'telephony', vendor: 'cloudonix', model: '', audioMs: 61_000 },
    ]);
    expect({ total, parts }).toEqual({ total: '0.000000', parts: [] });
    expect(unknown.map(({ vendor, unit, quantity, reason }) => [vendor, unit, quantity, reason])).toEqual([
      ['openai', 'input_token', 10, 'no_price'],
      ['openai', 'output_token', 5, 'no_price'],
      ['openai', 'request', 2, 'not_counted'],
      ['cartesia', 'character', 100, 'no_price'],
      ['cloudonix', 'second', 61, 'no_price'],
    ]);
  });

  it('is that of the organization’s own prices where it has them', () => {
    const own = [
      { leg: 'telephony', vendor: 'cloudonix', unit: 'second', price: '0.0100', per: 60 },
      { leg: 'stt', vendor: 'deepgram', model: 'nova-3', unit: 'second', price: '0.0042', per: 60 },
    ];
    const { total, parts } = cost([{ leg: 'stt', vendor: 'deepgram', model: 'nova-3', audioMs: 60_000 }, { leg: 'telephony', vendor: 'cloudonix', model: '', audioMs: 90_000 }], own);
    expect(parts.map(({ amount, price_from: from }) => [amount, from])).toEqual([['0.004200', 'organization'], ['0.015000', 'organization']]);
    expect(total).toBe('0.019200');
  });

  it('of the builtin vendor is nothing, and known', () => {
    const { total, unknown } = cost([
      { leg: 'stt', vendor: 'builtin', model: 'simulated', audioMs: 1000 },
      { leg: 'llm', vendor: 'builtin', model: 'simulated', inputTokens: 5, outputTokens: 5 },
      { leg: 'tts', vendor: 'builtin', model: 'simulated', characters: 5, audioMs: 500 },
    ]);
    expect({ total, unknown }).toEqual({ total: '0.000000', unknown: [] });
  });

  it('has parts that add up to its total to the last digit, whatever the quantities and prices', () => {
    const micros = (text: string) => BigInt(text.replace('.', ''));
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(10_000_000), fc.nat(999_999_999), fc.integer({ min: 1, max: 1_000_000 })), { maxLength: 20 }), (lines) => {
        const own = lines.map(([, nanos, per], index) => ({ leg: 'stt', vendor: `v${index}`, unit: 'second', price: `0.${String(nanos).padStart(9, '0')}`, per }));
        const usage = lines.map(([audioMs], index) => ({ leg: 'stt' as const, vendor: `v${index}`, model: 'm', audioMs }));
        const { total, parts, unknown } = cost(usage, own);
        expect(unknown).toEqual([]);
        expect(micros(total)).toBe(parts.reduce((sum, { amount }) => sum + micros(amount), 0n));
        for (const { amount, quantity, unit_price: price, per } of parts) {
          expect(Math.abs(Number(amount) - (quantity * Number(price)) / per)).toBeLessThan(0.000_000_6 + quantity * 1e-12);
        }
      }),
    );
  });

  it('adds up with what came later', () => {
    const later = cost([{ leg: 'qa', vendor: 'openai', model: 'gpt-4.1-mini', inputTokens: 1_000_000, outputTokens: 0, uncountedRequests: 1 }]);
    const both = addCosts(cost([{ leg: 'stt', vendor: 'deepgram', model: 'nova-3', audioMs: 60_000 }]), later);
    expect(both.total).toBe('0.404800');
    expect(both.parts.map(({ leg }) => leg)).toEqual(['stt', 'qa']);
    expect(both.unknown).toHaveLength(1);
  });
});

describe('a price', () => {
  const listed = (...prices: readonly unknown[]) => book([], prices.map((price) => priceSchema.parse(price)));
  const key = { leg: 'llm', vendor: 'v', model: 'm-large-2', unit: 'input_token' } as const;
  const line = { leg: 'llm', vendor: 'v', unit: 'input_token', price: '1' };

  it('is that of the longest pattern that fits', () => {
    const prices = listed({ ...line, price: '1' }, { ...line, model: 'm-large-*', price: '2' }, { ...line, model: 'm-*', price: '3' });
    expect(findPrice(prices, key, at)?.price.price).toBe('2');
    expect(findPrice(listed({ ...line, model: 'm.large.2' }), key, at)).toBeNull();
  });

  it('holds from its first day on', () => {
    const prices = listed({ ...line, price: '1' }, { ...line, price: '2', valid_from: '2026-11-23' });
    expect(findPrice(prices, key, at)?.price.price).toBe('1');
    expect(findPrice(prices, key, new Date('2026-11-23T00:00:00Z'))?.price.price).toBe('2');
  });

  it('is refused where it is no decimal, or has fields that nobody knows', () => {
    for (const bad of [{ price: 1 }, { price: '-1' }, { price: '1e3' }, { price: '0.1234567891' }, { unit: 'minute' }, { model: 'a*b*' }, { per: 0 }, { discount: 1 }])
      expect(priceSchema.safeParse({ ...line, ...bad }).success).toBe(false);
  });
});

describe('the list of prices', () => {
  it('is sound, and names where each was read', () => {
    for (const { source, ...price } of priceList.prices) {
      expect(priceSchema.parse(price)).toEqual(price);
      expect(source).toMatch(/^https:\/\/|^docs\//);
    }
  });

  it('never has two prices for the same thing on the same day', () => {
    const keys = priceList.prices.map(({ leg, vendor, model, unit, valid_from: from }) => JSON.stringify([leg, vendor, model, unit, from]));
    expect(new Set(keys).size).toBe(keys.length);
  });
});
