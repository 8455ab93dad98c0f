/** Headers that say how a request is framed, in lower case (RFC 9110 §7, §10.1): the connection sets them. */
export const connectionHeaders: ReadonlySet<string> = new Set(
  ['host', 'connection', 'content-length', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'expect', 'keep-alive', 'proxy-authorization'],
);

/** Headers that the connection and webhook deliveries set themselves, in lower case. */
export const reservedHeaders: ReadonlySet<string> = new Set([...connectionHeaders, 'webhook-id', 'webhook-timestamp', 'webhook-signature', 'user-agent']);
