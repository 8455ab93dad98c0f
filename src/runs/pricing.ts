import type { Store } from '../store/store.js';
import { priceList } from './price-list.js';
import { organizationPricesSchema, type PriceBook } from './prices.js';

/** The prices that an organization's calls are charged by. */
export async function priceBookOf(organizationId: string, store: Pick<Store, 'accounts'>): Promise<PriceBook> {
  const stored = await store.accounts.getPrices(organizationId);
  const own = organizationPricesSchema.safeParse({ prices: stored?.prices ?? [] });
  return { own: own.success ? own.data.prices : [], list: priceList };
}
