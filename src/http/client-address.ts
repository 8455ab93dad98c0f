import { BlockList, isIP } from 'node:net';
import type { IncomingMessage } from 'node:http';
import type { Config } from '../config.js';

/** Proxies a chain may have: longer ones are made up. */
const maxForwardedHops = 16;

const trustedByRanges = new WeakMap<readonly string[], BlockList>();

/** `::ffff:192.0.2.1` is the IPv4 address it maps (RFC 4291 §2.5.5.2). */
function unmapped(address: string): string {
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address.trim());
  return mapped?.[1] ?? address.trim();
}

function trustedProxies(ranges: readonly string[]): BlockList {
  const known = trustedByRanges.get(ranges);
  if (known !== undefined) return known;
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  trustedByRanges.set(ranges, list);
  return list;
}

/** True where `address` lies in one of the IP addresses or CIDR ranges. */
export function isInRanges(address: string, ranges: readonly string[]): boolean {
  const plain = unmapped(address);
  const version = isIP(plain);
  return version !== 0 && trustedProxies(ranges).check(plain, version === 6 ? 'ipv6' : 'ipv4');
}

/**
 * The address a request came from. `X-Forwarded-For` is read from the right, and only as far as the hops are trusted proxies
 * (`AGENT_STREAM_TRUST_PROXY`): what a client writes into it itself never counts. `unknown` where the socket is gone.
 */
export function clientAddress(request: Pick<IncomingMessage, 'socket' | 'headers'>, config: Pick<Config, 'trustProxy'>): string {
  let address = unmapped(request.socket.remoteAddress ?? 'unknown');
  const header = request.headers['x-forwarded-for'];
  const hops = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',').slice(-maxForwardedHops);
  while (hops.length > 0 && isInRanges(address, config.trustProxy)) {
    const next = unmapped(hops.pop() ?? '');
    if (isIP(next) === 0) break;
    address = next;
  }
  return address;
}
