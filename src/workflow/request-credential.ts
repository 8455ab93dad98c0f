import { z } from 'zod';
import { reservedHeaders } from './reserved-headers.js';

/** Most headers of one credential. */
const MAX_HEADERS = 10;

const secret = z
  .string()
  .min(1)
  .max(4000)
  .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII')
  .meta({ secret: true });
/** HTTP takes no spaces around a value (RFC 9110 §5.5). */
const headerValue = z.string().trim().pipe(secret).meta({ secret: true });
const header = z
  .string()
  .regex(/^[\w!#$%&'*+.^`|~-]{1,100}$/, 'is no header name')
  .refine((name) => !reservedHeaders.has(name.toLowerCase()), 'is a header that the request sets itself');
const headers = z
  .record(header, headerValue)
  .refine((given) => {
    const count = Object.keys(given).length;
    return count > 0 && count <= MAX_HEADERS;
  }, `must hold 1 to ${MAX_HEADERS} headers`)
  .refine((given) => new Set(Object.keys(given).map((name) => name.toLowerCase())).size === Object.keys(given).length, 'holds a header twice');

/** How a request says who sends it. Secrets carry `secret: true`. */
export const requestCredentialSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('bearer'), token: headerValue }),
  z.strictObject({ type: z.literal('basic'), username: z.string().max(500), password: secret }),
  z.strictObject({ type: z.literal('api_key'), header: header.default('X-API-Key'), key: headerValue }),
  z.strictObject({ type: z.literal('custom_header'), header, value: headerValue }),
  z.strictObject({ type: z.literal('custom_headers'), headers }),
]);

/** What a credential adds to a request. */
export interface CredentialHeaders {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Nothing that is shown may hold them; see {@link withoutSecrets}. */
  readonly secrets: readonly string[];
}

/** A request that says nothing of who sends it. */
const anonymous: CredentialHeaders = { headers: {}, secrets: [] };

function headersOf(credential: z.output<typeof requestCredentialSchema>): CredentialHeaders {
  switch (credential.type) {
    case 'bearer':
      return { headers: { authorization: `Bearer ${credential.token}` }, secrets: [credential.token] };
    case 'basic': {
      const encoded = Buffer.from(`${credential.username}:${credential.password}`).toString('base64');
      return { headers: { authorization: `Basic ${encoded}` }, secrets: [encoded, credential.password] };
    }
    case 'api_key':
      return { headers: { [credential.header.toLowerCase()]: credential.key }, secrets: [credential.key] };
    case 'custom_header':
      return { headers: { [credential.header.toLowerCase()]: credential.value }, secrets: [credential.value] };
    case 'custom_headers': {
      const entries = Object.entries(credential.headers);
      return { headers: Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), value])), secrets: entries.map(([, value]) => value) };
    }
  }
}

/** The headers of an opened credential; none where it is null. @throws ZodError where it is none of this version's: a fault */
export const credentialHeaders = (opened: unknown): CredentialHeaders => (opened === null ? anonymous : headersOf(requestCredentialSchema.parse(opened)));

/** Shorter secrets would be found in every text. */
const MIN_HIDDEN_LENGTH = 4;

/** A text without the secrets that were sent with its request, as they are and as JSON writes them. */
export const withoutSecrets = (text: string, secrets: readonly string[]): string =>
  secrets
    .filter((secretText) => secretText.length >= MIN_HIDDEN_LENGTH)
    .flatMap((secretText) => [secretText, JSON.stringify(secretText).slice(1, -1)])
    // One may be the beginning of another.
    .toSorted((left, right) => right.length - left.length)
    .reduce((shown, hidden) => shown.replaceAll(hidden, '****'), text);
