import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { priceList } from '../../runs/price-list.js';
import { organizationPricesSchema, priceSchema } from '../../runs/prices.js';
import { principalOf } from '../auth.js';
import { timeOrNull, timeSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

const tags = ['Organization'];

const pricesSchema = z
  .object({
    currency: z.literal('USD'),
    prices: z.array(priceSchema).describe('The organization’s own; they win over the list'),
    updated_at: timeSchema.nullable().describe('Null where there are none'),
    list: z.object({ version: z.string(), prices: z.array(priceSchema.extend({ source: z.string().describe('Where the price was read') })) }),
  })
  .meta({ id: 'Prices' });

/** What an organization pays its vendors, for the cost of its runs. */
export function pricesRoutes({ store }: Pick<AppServices, 'store'>): FastifyPluginAsyncZod {
  async function pricesJson(organizationId: string): Promise<z.output<typeof pricesSchema>> {
    const stored = await store.accounts.getPrices(organizationId);
    const { prices } = organizationPricesSchema.parse({ prices: stored?.prices ?? [] });
    return { currency: 'USD', prices, updated_at: timeOrNull(stored?.updatedAt ?? null), list: { version: priceList.version, prices: [...priceList.prices] } };
  }

  return async (app) => {
    app.get('/organization/prices', { schema: { tags, summary: 'Prices of vendors: the organization’s own, and the list', response: { 200: pricesSchema } } }, async (request) =>
      pricesJson(principalOf(request).organizationId),
    );

    const replacing = { body: organizationPricesSchema, response: { 200: pricesSchema } };
    app.put('/organization/prices', { schema: { tags, summary: 'Replace the organization’s own prices; they hold for calls that end from now on', ...replacing } }, async (request) => {
      const { organizationId } = principalOf(request);
      await store.accounts.putPrices(organizationId, request.body.prices.length === 0 ? null : request.body.prices);
      return pricesJson(organizationId);
    });
  };
}
