import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { AgentStreamError } from './errors.js';

/** Networks that are not the public Internet (RFC 6890 and the registries it began), by family. */
const internalNetworks = {
  ipv4: [
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    // Public by its number, and yet a cloud's metadata service: Azure's "WireServer".
    ['168.63.129.16', 32],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
    ['192.0.0.0', 24],
    ['192.168.0.0', 16],
    ['198.18.0.0', 15],
    ['224.0.0.0', 3],
  ],
  // The unspecified address, loopback, the ways to write IPv4 in IPv6 that are not plainly mapped (RFC 4291 §2.5.5.1, RFC 6052, RFC 4380, RFC 3056), unique
  // local, link-local, multicast.
  ipv6: [
    ['::', 96],
    ['64:ff9b::', 96],
    ['64:ff9b:1::', 48],
    ['2001::', 32],
    ['2002::', 16],
    ['fc00::', 7],
    ['fe80::', 10],
    ['fec0::', 10],
    ['ff00::', 8],
  ],
} as const;

const internal = new BlockList();
for (const family of ['ipv4', 'ipv6'] as const) for (const [address, prefix] of internalNetworks[family]) internal.addSubnet(address, prefix, family);

/** True for an IP address that is not on the public Internet: private, loopback, link-local and the like, also mapped into IPv6. */
export function isInternalAddress(address: string): boolean {
  const version = isIP(address);
  return version !== 0 && internal.check(address, version === 6 ? 'ipv6' : 'ipv4');
}

/** Resolves a name to all its addresses, as `dns.lookup` does. */
export type ResolveAll = (hostname: string, options: { all: true }, callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void) => void;

/** Where connections that a stored setting asks for may go: to the public Internet. */
export interface EgressGuard {
  /** Refuses an address that is written out in the URL: sockets look up names alone. @throws AgentStreamError `egress-refused` */
  check(url: string): void;
  /**
   * For `net.connect` and all that is built on it: the addresses that are checked are the ones that are connected to, so that a name
   * cannot change its mind in between. Fails with AgentStreamError `egress-refused` where any address of the name is internal.
   */
  readonly lookup: LookupFunction;
}

/** Creates the guard. */
export function createEgressGuard(resolve: ResolveAll = systemLookup): EgressGuard {
  return {
    check(url) {
      if (isInternalAddress(new URL(url).hostname.replace(/^\[|\]$/g, ''))) throw new AgentStreamError('egress-refused');
    },
    lookup(hostname, options, callback) {
      resolve(hostname, { ...options, all: true }, (error, addresses) => {
        if (error !== null) return callback(error, '');
        const [first] = addresses;
        if (first === undefined || addresses.some(({ address }) => isInternalAddress(address))) callback(new AgentStreamError('egress-refused'), '');
        else if (options.all === true) callback(null, addresses);
        else callback(null, first.address, first.family);
      });
    },
  };
}
