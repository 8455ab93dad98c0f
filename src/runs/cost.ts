import { findPrice, type Price, type PriceBook } from './prices.js';

/** What one vendor did for one leg, in what vendors charge for. Counts that are absent are 0. */
export interface UsageEntry {
  /** As in {@link Price}; `qa`: a model that judged the call afterwards, at the price of its `llm` leg. */
  readonly leg: Price['leg'] | 'qa';
  readonly vendor: string;
  readonly model: string;
  readonly audioMs?: number;
  readonly characters?: number;
  /** Those from the vendor's cache included. */
  readonly inputTokens?: number;
  readonly cachedInputTokens?: number;
  readonly outputTokens?: number;
  readonly audioInputTokens?: number;
  readonly cachedAudioInputTokens?: number;
  readonly audioOutputTokens?: number;
  readonly uncountedRequests?: number;
}

interface Charged {
  readonly leg: UsageEntry['leg'];
  readonly vendor: string;
  readonly model: string;
  /** Whole, but for seconds, which have up to three places. */
  readonly quantity: number;
}

/** One line of the bill. Money in US dollars, decimal, in text. */
export interface CostPart extends Charged {
  readonly unit: Price['unit'];
  readonly unit_price: string;
  /** Units that `unit_price` is for. */
  readonly per: number;
  readonly amount: string;
  /** Whose price it is. */
  readonly price_from: 'organization' | 'list';
}

/** What was used and is not in the total. */
export interface UnknownCost extends Charged {
  readonly unit: Price['unit'] | 'request';
  readonly reason: 'no_price' | 'not_counted';
}

/** `cost` of a run (docs/run-record.md). */
export interface RunCost {
  readonly currency: 'USD';
  /** Sum of the parts, six places. */
  readonly total: string;
  readonly price_table_version: string;
  readonly parts: readonly CostPart[];
  readonly unknown: readonly UnknownCost[];
}

const NANOS_PER_MICRO = 1000n;
const MICRO_PLACES = 6;
const NANO_PLACES = 9;

/** A decimal text as a whole number of its `places`th. */
function scaled(decimal: string, places: number): bigint {
  const [whole = '0', fraction = ''] = decimal.split('.');
  return BigInt(whole + fraction.padEnd(places, '0').slice(0, places));
}

function decimal(micros: bigint): string {
  const digits = micros.toString().padStart(MICRO_PLACES + 1, '0');
  return `${digits.slice(0, -MICRO_PLACES)}.${digits.slice(-MICRO_PLACES)}`;
}

/** A count of one unit. `base` of them are one unit: milliseconds of a second. */
interface Measure {
  readonly unit: Price['unit'];
  readonly count: number;
  readonly base: number;
}

/** What is charged for. What came from a vendor's cache is no longer among what did not. */
function measuresOf(entry: UsageEntry): readonly Measure[] {
  const { audioMs = 0, characters = 0, inputTokens = 0, outputTokens = 0, audioInputTokens = 0, audioOutputTokens = 0 } = entry;
  const cached = Math.min(inputTokens, entry.cachedInputTokens ?? 0);
  const cachedAudio = Math.min(audioInputTokens, entry.cachedAudioInputTokens ?? 0);
  const measures: readonly Measure[] = [
    { unit: 'character', count: characters, base: 1 },
    { unit: 'second', count: Math.round(audioMs), base: 1000 },
    { unit: 'input_token', count: inputTokens - cached, base: 1 },
    { unit: 'cached_input_token', count: cached, base: 1 },
    { unit: 'output_token', count: outputTokens, base: 1 },
    { unit: 'audio_input_token', count: audioInputTokens - cachedAudio, base: 1 },
    { unit: 'cached_audio_input_token', count: cachedAudio, base: 1 },
    { unit: 'audio_output_token', count: audioOutputTokens, base: 1 },
  ];
  return measures.filter(({ count }) => count > 0);
}

/** Without a price of its own, what came from the cache costs as much as the rest. */
const fullPriceOf: Partial<Record<Price['unit'], Price['unit']>> = { cached_input_token: 'input_token', cached_audio_input_token: 'audio_input_token' };

interface Bill {
  readonly parts: readonly CostPart[];
  readonly unknown: readonly UnknownCost[];
  readonly micros: bigint;
}

function billMeasure(entry: UsageEntry, { unit, count, base }: Measure, book: PriceBook, at: Date): Bill {
  const { leg, vendor, model } = entry;
  const charged = { leg, vendor, model, quantity: count / base, unit };
  const priced = leg === 'qa' ? 'llm' : leg;
  const find = (asked: Price['unit'] | undefined) => (asked === undefined ? null : findPrice(book, { leg: priced, vendor, model, unit: asked }, at));
  const found = find(unit) ?? find(fullPriceOf[unit]);
  if (found === null) return { parts: [], unknown: [{ ...charged, reason: 'no_price' }], micros: 0n };
  const { price, per } = found.price;
  const divisor = BigInt(per) * BigInt(base) * NANOS_PER_MICRO;
  // Rounded half up, to the millionth of a dollar.
  const micros = (BigInt(count) * scaled(price, NANO_PLACES) * 2n + divisor) / (divisor * 2n);
  return { parts: [{ ...charged, unit_price: price, per, amount: decimal(micros), price_from: found.source }], unknown: [], micros };
}

function billEntry(entry: UsageEntry, book: PriceBook, at: Date): readonly Bill[] {
  const bills = measuresOf(entry).map((measure) => billMeasure(entry, measure, book, at));
  const { leg, vendor, model, uncountedRequests = 0 } = entry;
  const uncounted: readonly Bill[] =
    uncountedRequests === 0 ? [] : [{ parts: [], unknown: [{ leg, vendor, model, quantity: uncountedRequests, unit: 'request', reason: 'not_counted' }], micros: 0n }];
  if (leg !== 'tts') return [...bills, ...uncounted];
  // A voice is charged for by its text or by its audio: where only one has a price, nothing is unknown of the other.
  const priced = bills.filter(({ parts }) => parts.length > 0);
  return priced.length > 0 ? priced : bills.slice(0, 1);
}

function sum(bills: readonly Bill[], version: string): RunCost {
  return {
    currency: 'USD',
    total: decimal(bills.reduce((total, { micros }) => total + micros, 0n)),
    price_table_version: version,
    parts: bills.flatMap(({ parts }) => parts),
    unknown: bills.flatMap(({ unknown }) => unknown),
  };
}

/** What the work cost, by the prices that held at `at`. What has no price is listed, and not part of the total. */
export function costOf(usage: readonly UsageEntry[], book: PriceBook, at: Date): RunCost {
  return sum(usage.flatMap((entry) => billEntry(entry, book, at)), book.list.version);
}

/** A run's `cost` as it is stored; null where it was never worked out. */
export function readCost(stored: Readonly<Record<string, unknown>>): RunCost | null {
  const { total, parts, unknown } = stored;
  return typeof total === 'string' && Array.isArray(parts) && Array.isArray(unknown) ? (stored as unknown as RunCost) : null;
}

/** Both together. */
export function addCosts(first: RunCost, second: RunCost): RunCost {
  return {
    ...first,
    total: decimal(scaled(first.total, MICRO_PLACES) + scaled(second.total, MICRO_PLACES)),
    parts: [...first.parts, ...second.parts],
    unknown: [...first.unknown, ...second.unknown],
  };
}
