import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ProviderModule } from '../../telephony/provider.js';
import { listJson, objectSchema, pageSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

const providerSchema = z
  .object({
    name: z.string(),
    display_name: z.string(),
    capabilities: z.object({
      marks: z.enum(['echoed', 'unreliable', 'none']),
      clear: z.boolean(),
      dtmf_in: z.boolean(),
      dtmf_out: z.enum(['stream', 'rest', 'none']),
      max_lead_ms: z.number(),
      transfer_cold: z.boolean(),
      transfer_warm: z.boolean(),
    }),
    credentials_schema: objectSchema.describe('JSON Schema of `credentials`; secret fields carry `secret: true`'),
  })
  .meta({ id: 'TelephonyProvider' });

function providerJson({ name, displayName, dialect, canTransfer, credentialsSchema }: ProviderModule): z.output<typeof providerSchema> {
  const { marks, clear, dtmfIn, dtmfOut, maxLeadMs } = dialect.capabilities;
  return {
    name,
    display_name: displayName,
    capabilities: {
      marks,
      clear,
      dtmf_in: dtmfIn,
      dtmf_out: dtmfOut,
      max_lead_ms: maxLeadMs,
      transfer_cold: canTransfer.cold,
      transfer_warm: canTransfer.warm,
    },
    credentials_schema: objectSchema.parse(z.toJSONSchema(credentialsSchema, { io: 'input', unrepresentable: 'any' })),
  };
}

/** The providers that streams are served for. */
export function telephonyProviderRoutes({ providers }: AppServices): FastifyPluginAsyncZod {
  return async (app) => {
    const schema = { tags: ['Telephony configurations'], summary: 'List telephony providers', response: { 200: pageSchema(providerSchema) } };
    app.get('/telephony-providers', { schema }, async () => listJson(providers, providerJson));
  };
}
