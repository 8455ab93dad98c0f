import { z } from 'zod';

/** Labels and dots of a host name (RFC 1123 §2.1). */
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)+$/;

/** Domains without a dot are names under this one. */
const DOMAIN_SUFFIX = '.cloudonix.net';

/**
 * A Cloudonix domain in its one form: trimmed, lower-case, without a trailing dot; a name without a dot is `{name}.cloudonix.net`.
 * Null where that is not a host name.
 */
export function normaliseDomain(domain: string): string | null {
  const name = domain.trim().toLowerCase().replace(/\.$/, '');
  if (name === '') return null;
  const full = name.includes('.') ? name : `${name}${DOMAIN_SUFFIX}`;
  return HOST_NAME.test(full) ? full : null;
}

const token = z.string().trim().min(1).max(512).regex(/^[\x21-\x7e]+$/, 'must be printable and without spaces');

/** What is stored for a Cloudonix domain. */
export const cloudonixCredentialsSchema = z.strictObject({
  domain_id: z
    .string()
    .min(1)
    .max(253)
    .refine((domain) => normaliseDomain(domain) !== null, 'must be a domain such as acme.cloudonix.net, or its first label')
    .meta({ title: 'Domain', description: 'The Cloudonix domain, as in the cockpit: acme.cloudonix.net or acme.' }),
  bearer_token: token.optional().meta({
    title: 'API key',
    description: 'API key of the domain or customer: validates, hangs up and transfers calls.',
    secret: true,
  }),
  requests_key: token.optional().meta({
    title: 'Requests key',
    description: 'Key that Cloudonix sends in X-CX-APIKey, or signs with; the API key is expected where this is not set.',
    secret: true,
  }),
});

/** Credentials of a Cloudonix domain. */
export type CloudonixCredentials = z.infer<typeof cloudonixCredentialsSchema>;
