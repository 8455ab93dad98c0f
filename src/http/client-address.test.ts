import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { privateRanges } from '../config.js';
import { clientAddress, isInRanges } from './client-address.js';

const request = (remoteAddress: string | undefined, forwarded?: string) =>
  ({ socket: { remoteAddress }, headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } }) as unknown as IncomingMessage;

describe('clientAddress', () => {
  it.each<[string, readonly string[], string, string | undefined, string]>([
    ['no proxy, no header', [], '198.51.100.7', undefined, '198.51.100.7'],
    ['a header from a client that is no proxy', [], '198.51.100.7', '203.0.113.9', '198.51.100.7'],
    ['a header from an untrusted address', ['10.0.0.0/8'], '198.51.100.7', '203.0.113.9', '198.51.100.7'],
    ['a trusted proxy', ['10.0.0.0/8'], '10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['what the client wrote itself before the proxy added it', ['10.0.0.0/8'], '10.1.2.3', '127.0.0.1, 203.0.113.9', '203.0.113.9'],
    ['a chain of trusted proxies', ['10.0.0.0/8'], '10.1.2.3', '203.0.113.9, 10.9.9.9', '203.0.113.9'],
    ['only trusted hops', ['10.0.0.0/8'], '10.1.2.3', '10.0.0.1', '10.0.0.1'],
    ['rubbish', ['10.0.0.0/8'], '10.1.2.3', 'unknown, <script>', '10.1.2.3'],
    ['an IPv4 address mapped into IPv6', ['10.0.0.0/8'], '::ffff:10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['IPv6 proxies', ['fd00::/8'], 'fd00::1', '2001:db8::5', '2001:db8::5'],
    ['a single trusted address', ['192.0.2.1'], '192.0.2.1', '203.0.113.9', '203.0.113.9'],
  ])('%s', (_name, trustProxy, remote, forwarded, expected) => {
    expect(clientAddress(request(remote, forwarded), { trustProxy })).toBe(expected);
  });

  it('reads a bounded number of hops', () => {
    const forwarded = `203.0.113.9, ${Array.from({ length: 100 }, () => '10.0.0.1').join(', ')}`;
    expect(clientAddress(request('10.1.2.3', forwarded), { trustProxy: ['10.0.0.0/8'] })).toBe('10.0.0.1');
  });

  it('has a name for a socket that is gone', () => {
    expect(clientAddress(request(undefined, '1.2.3.4'), { trustProxy: ['0.0.0.0/0'] })).toBe('unknown');
  });
});

describe('isInRanges', () => {
  it.each([
    ['127.0.0.1', true],
    ['::1', true],
    ['::ffff:192.168.1.1', true],
    ['172.16.0.1', true],
    ['172.32.0.1', false],
    ['8.8.8.8', false],
    ['2001:db8::1', false],
    ['not an address', false],
  ])('%s in the private ranges: %s', (address, expected) => {
    expect(isInRanges(address, privateRanges)).toBe(expected);
  });
});
