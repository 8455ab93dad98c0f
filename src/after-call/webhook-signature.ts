import { createHmac } from 'node:crypto';

const SECRET_PREFIX = 'whsec_';

/**
 * The headers of a message by Standard Webhooks (standardwebhooks.com, "Signature scheme"): HMAC-SHA256 over `id.timestamp.payload`, one
 * signature per secret, so that receivers may keep either during a rotation. Without secrets there is no signature.
 * @param wallMs the time of this attempt: receivers refuse what is older than a few minutes
 */
export function webhookHeaders(message: { readonly id: string; readonly body: string }, secrets: readonly string[], wallMs: number): Record<string, string> {
  const timestamp = String(Math.floor(wallMs / 1000));
  const headers = { 'webhook-id': message.id, 'webhook-timestamp': timestamp };
  if (secrets.length === 0) return headers;
  const signed = `${message.id}.${timestamp}.${message.body}`;
  return { ...headers, 'webhook-signature': secrets.map((secret) => `v1,${sign(secret, signed)}`).join(' ') };
}

function sign(secret: string, text: string): string {
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), 'base64');
  return createHmac('sha256', key).update(text).digest('base64');
}
