import { z } from 'zod';

const secret = z
  .string()
  .min(1)
  .max(4000)
  .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII')
  .meta({ secret: true });
const header = z.string().regex(/^[\w!#$%&'*+.^`|~-]{1,100}$/, 'is no header name');

/** How a tool's request says who sends it. Secrets carry `secret: true`. */
export const toolCredentialSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('bearer'), token: secret }),
  z.strictObject({ type: z.literal('basic'), username: z.string().max(500), password: secret }),
  z.strictObject({ type: z.literal('api_key'), header: header.default('X-API-Key'), key: secret }),
  z.strictObject({ type: z.literal('custom_header'), header, value: secret }),
]);

/** A credential as it is sealed. */
export type ToolCredentialFields = z.output<typeof toolCredentialSchema>;

/** The secret of a credential, and the header it is sent in. */
export function headerOf(credential: ToolCredentialFields): { readonly name: string; readonly value: string; readonly secrets: readonly string[] } {
  switch (credential.type) {
    case 'bearer':
      return { name: 'authorization', value: `Bearer ${credential.token}`, secrets: [credential.token] };
    case 'basic': {
      const encoded = Buffer.from(`${credential.username}:${credential.password}`).toString('base64');
      return { name: 'authorization', value: `Basic ${encoded}`, secrets: [encoded, credential.password] };
    }
    case 'api_key':
      return { name: credential.header.toLowerCase(), value: credential.key, secrets: [credential.key] };
    case 'custom_header':
      return { name: credential.header.toLowerCase(), value: credential.value, secrets: [credential.value] };
  }
}
