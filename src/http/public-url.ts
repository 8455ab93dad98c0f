import { isInternalAddress } from '../base/egress.js';
import { AgentStreamError } from '../base/errors.js';
import type { Config } from '../config.js';

/** Names and addresses that plainly lie inside. What a public name resolves to is looked at when it is connected to. */
function isInternalHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  return isInternalAddress(host) || /(^|\.)(localhost|local|internal)$/i.test(host) || !/[.:]/.test(host);
}

/** Refuses a URL to store that plainly leads inside, unless private networks are allowed. @throws AgentStreamError `egress-refused` */
export function refuseInternalUrl(url: string, { allowPrivateNetworks }: Pick<Config, 'allowPrivateNetworks'>): void {
  if (!allowPrivateNetworks && isInternalHost(new URL(url).hostname)) throw new AgentStreamError('egress-refused');
}
