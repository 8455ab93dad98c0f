import { z } from 'zod';

/** What is counted of a run and may have a price. A leg of several (a voice's characters and its seconds) is charged for each that has one. */
const priceUnits = [
  ...['second', 'character', 'input_token', 'cached_input_token', 'output_token'],
  ...['audio_input_token', 'cached_audio_input_token', 'audio_output_token'],
] as const;

/** Decimal, up to nine places: money is never a floating-point number. */
const amountSchema = z.string().regex(/^\d{1,6}(\.\d{1,9})?$/, 'must be a decimal number in quotes, like "0.0048"');

/** One price. */
export const priceSchema = z.strictObject({
  leg: z.enum(['stt', 'llm', 'tts', 'realtime', 'telephony']),
  vendor: z.string().min(1).max(100).meta({ description: 'A vendor’s name; of telephony, the provider’s.' }),
  model: z
    .string()
    .regex(/^[^*]{0,200}\*?[^*]{0,200}$/, 'may have one *')
    .min(1)
    .default('*')
    .meta({ description: 'A model’s name; one * stands for anything. The longest that fits counts.' }),
  unit: z.enum(priceUnits),
  price: amountSchema.meta({ description: 'US dollars, as a decimal number in quotes.' }),
  per: z.int().min(1).max(1_000_000_000).default(1).meta({ description: 'Units that the price is for: 60 of a price per minute.' }),
  valid_from: z.iso.date().optional().meta({ description: 'First day, UTC; left out: always. The latest that has begun counts.' }),
});

/** One price. */
export type Price = z.output<typeof priceSchema>;

/** Prices of an organization, which win over the list. */
export const organizationPricesSchema = z.strictObject({ prices: z.array(priceSchema).max(500) });

/** Prices that calls are charged by: the organization's own, then the list. */
export interface PriceBook {
  /** Of the organization. */
  readonly own: readonly Price[];
  readonly list: { readonly version: string; readonly prices: readonly Price[] };
}

/** A price and whose it is. */
export interface FoundPrice {
  readonly price: Price;
  readonly source: 'organization' | 'list';
}

/** What a price is looked up for. */
export type PriceKey = Pick<Price, 'leg' | 'vendor' | 'unit'> & { readonly model: string };

function fits(pattern: string, model: string): boolean {
  const [start = '', end] = pattern.split('*');
  if (end === undefined) return model === start;
  return model.length >= start.length + end.length && model.startsWith(start) && model.endsWith(end);
}

function newestOf(prices: readonly Price[], key: PriceKey, day: string): Price | undefined {
  const isMeant = ({ leg, vendor, unit, model, valid_from: from = '' }: Price) =>
    leg === key.leg && vendor === key.vendor && unit === key.unit && from <= day && fits(model, key.model);
  const ranked = prices.filter(isMeant).toSorted((left, right) => right.model.length - left.model.length || (right.valid_from ?? '').localeCompare(left.valid_from ?? ''));
  return ranked[0];
}

/** The price that held at `at`; null where there is none. */
export function findPrice({ own, list }: PriceBook, key: PriceKey, at: Date): FoundPrice | null {
  const day = at.toISOString().slice(0, 10);
  const ownPrice = newestOf(own, key, day);
  if (ownPrice !== undefined) return { price: ownPrice, source: 'organization' };
  const listPrice = newestOf(list.prices, key, day);
  return listPrice === undefined ? null : { price: listPrice, source: 'list' };
}
