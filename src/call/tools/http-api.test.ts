import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../base/clock.js';
import { createGuardedEgress } from '../../base/guarded-fetch.js';
import { callableOf } from '../../workflow/tools/tool-definition.js';
import { readArguments } from '../../workflow/tools/arguments.js';
import { copyVariables } from '../../workflow/variables.js';
import { createToolRunner, type ToolPorts } from './run-tool.js';

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A server on the loopback that notes what it is asked. */
async function serve(answer: (seen: Seen, response: ServerResponse, count: number) => void): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body: Buffer.concat(chunks).toString() });
      answer(seen.at(-1) as Seen, response, seen.length);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

/** Runs a tool as a call would, arguments as the model writes them. */
async function run(config: Record<string, unknown>, argumentsJson = '{}', options: Partial<ToolPorts> & { variables?: Record<string, unknown> } = {}) {
  const tool = callableOf({ uuid: 'u', name: 'Look up', description: 'Looks up.', kind: 'http_api', config, filler: null });
  if (tool === null) throw new Error('the configuration is none');
  const read = readArguments(tool.declaration, argumentsJson);
  if (!read.ok) throw new Error(read.message);
  const faults: unknown[] = [];
  const runner = createToolRunner({ clock: systemClock, fetch, credentialOf: () => Promise.resolve(null), onFault: (error) => faults.push(error), ...options });
  const result = await runner.run({ id: 'c', tool, arguments: read.values }, { signal: new AbortController().signal, variables: copyVariables(options.variables ?? {}) });
  expect(faults).toEqual([]);
  return result;
}

const order = { parameters: [{ name: 'order' }] };

describe('http_api', () => {
  it('puts arguments into path, query and body, percent-encoded, and cannot be led to another path or host', async () => {
    const { url, seen } = await serve((_, response) => response.end('{"ok":true}'));
    const hostile = JSON.stringify({ order: '../../admin?x=1#@evil.example/' });
    expect((await run({ ...order, url: `${url}/orders/{order}/state` }, hostile)).text).toBe('{"ok":true}');
    await run({ ...order, url: `${url}/orders/{order}` }, '{"order":".."}');
    await run({ parameters: [{ name: 'q' }, { name: 'page', type: 'number' }], url: `${url}/find?fixed=1` }, '{"q":"a&b=c","page":2}');
    await run({ ...order, method: 'POST', url: `${url}/orders` }, '{"order":"5","__proto__":{"admin":true},"other":1}');
    expect(seen.map(({ method, url: path, body }) => `${method} ${path} ${body}`)).toEqual([
      'GET /orders/..%2F..%2Fadmin%3Fx%3D1%23%40evil.example%2F/state ',
      'GET /orders/%252E%252E ',
      'GET /find?fixed=1&q=a%26b%3Dc&page=2 ',
      'POST /orders {"order":"5"}',
    ]);
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined();
  });

  it('fills presets and body in from the call, whatever the model says', async () => {
    const { url, seen } = await serve((_, response) => response.end('done'));
    const config = {
      ...order,
      method: 'POST',
      url,
      preset_parameters: [{ name: 'caller', value: '{{caller_number}}', required: true }],
      body_template: { who: '{{caller}}', order: '{{order}}', note: 'from {{provider}}', list: ['{{order}}', 1], __proto__: {} },
    };
    await run(config, '{"order":"5","caller":"+1900"}', { variables: { caller_number: '+15550001', provider: 'cloudonix' } });
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({ who: '+15550001', order: '5', note: 'from cloudonix', list: ['5', 1] });
    expect(await run(config, '{"order":"5"}')).toMatchObject({ isError: true, text: 'Error: The call does not know "caller", which this tool needs.' });
    expect(seen).toHaveLength(1);
  });

  it('sends the credential as it is then, and never shows it', async () => {
    const { url, seen } = await serve(({ headers }, response) => response.end(JSON.stringify({ you_sent: headers.authorization, key: headers['x-key'] })));
    let token = 'first-secret-token';
    const credentialOf = () => Promise.resolve({ type: 'bearer', token });
    expect((await run({ url }, '{}', { credentialOf })).text).toBe('{"you_sent":"Bearer ****"}');
    token = 'second-secret-token';
    await run({ url }, '{}', { credentialOf });
    expect(seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer first-secret-token', 'Bearer second-secret-token']);
    const shown = await run({ url }, '{}', { credentialOf: () => Promise.resolve({ type: 'custom_header', header: 'X-Key', value: 'third-secret' }) });
    expect(shown.text).toBe('{"key":"****"}');
  });

  it.each<[string, string, number]>([
    ['GET', '503', 3],
    ['PUT', '502', 3],
    ['POST', '503', 1],
    ['PATCH', '502', 1],
    ['GET', '500', 1],
    ['GET', 'cut', 3],
    ['POST', 'cut', 1],
  ])('repeats %s after %s as often as is safe: %i', async (method, failure, tries) => {
    const { url, seen } = await serve((_, response) => {
      if (failure === 'cut') response.socket?.destroy();
      else response.writeHead(Number(failure)).end('nope');
    });
    const result = await run({ method, url });
    expect(seen).toHaveLength(tries);
    expect(result).toMatchObject({ isError: true, text: failure === 'cut' ? 'Error: The server could not be reached.' : `Error: the server answered ${failure}. nope` });
  });

  it('tells of a server that hangs, in time', async () => {
    const { url } = await serve(() => undefined);
    expect(await run({ url, timeout_ms: 150 })).toMatchObject({ isError: true, text: 'Error: The tool did not answer within 150 ms.' });
  });

  it('reads no more of an answer than the model can be told', async () => {
    const { url } = await serve((_, response) => response.end('x'.repeat(10 * 1024 * 1024)));
    const { text } = await run({ url });
    expect(text.length).toBeLessThan(9000);
    expect(text.endsWith('(cut)')).toBe(true);
  });

  it('follows few redirects, and gives another origin no credential', async () => {
    const other = await serve((_, response) => response.end('there'));
    const { url, seen } = await serve(({ url: path }, response, count) => {
      const location = path === '/loop' ? '/loop' : path === '/file' ? 'file:///etc/passwd' : `${other.url}/x`;
      response.writeHead(count % 2 === 0 ? 307 : 302, { location }).end();
    });
    const credentialOf = () => Promise.resolve({ type: 'custom_headers', headers: { Authorization: 'Bearer secret-token', 'X-Client': 'us' } });
    expect((await run({ url: `${url}/a`, headers: { 'X-Plain': 'kept' } }, '{}', { credentialOf })).text).toBe('there');
    expect(other.seen[0]?.headers).not.toHaveProperty('authorization');
    expect(other.seen[0]?.headers).not.toHaveProperty('x-client');
    expect(other.seen[0]?.headers).toMatchObject({ 'x-plain': 'kept' });
    expect(seen[0]?.headers).toMatchObject({ 'x-client': 'us' });
    expect((await run({ url: `${url}/loop` })).text).toBe('Error: The server redirects too often.');
    expect((await run({ url: `${url}/file` })).text).toBe('Error: The server redirects to an address that cannot be used.');
    expect(seen[0]?.headers.authorization).toBe('Bearer secret-token');
  });
});

describe('the egress guard of tools', () => {
  const guarded = createGuardedEgress().fetch;

  it.each([
    ...['http://127.0.0.1/', 'http://127.1/', 'http://2130706433/', 'http://0x7f000001/', 'http://017700000001/', 'http://0177.0.0.1/', 'http://0/'],
    ...['http://10.0.0.1/', 'http://172.16.0.1/', 'http://192.168.1.1/', 'http://100.64.0.1/', 'http://169.254.169.254/latest/meta-data/', 'http://224.0.0.1/'],
    ...['http://[::1]/', 'http://[::]/', 'http://[::ffff:169.254.169.254]/', 'http://[::ffff:7f00:1]/', 'http://[fd00::1]/', 'http://[fe80::1]/', 'http://[64:ff9b::a9fe:a9fe]/'],
    ...['http://localhost/'],
  ])('refuses %s', async (url) => {
    expect(await run({ url }, '{}', { fetch: guarded })).toMatchObject({ isError: true, text: 'Error: The address is not allowed' });
  });

  it('refuses a name that resolves inside, also at the second look', async () => {
    const { url, seen } = await serve((_, response) => response.end('inside'));
    let looks = 0;
    const rebinding = createGuardedEgress((_hostname, _options, callback) => {
      looks += 1;
      callback(null, [{ address: '127.0.0.1', family: 4 }]);
    });
    const { port } = new URL(url);
    expect(await run({ url: `http://rebinding.example:${port}/` }, '{}', { fetch: rebinding.fetch })).toMatchObject({ isError: true, text: 'Error: The address is not allowed' });
    expect(looks).toBe(1);
    expect(seen).toEqual([]);
  });

  it('checks where a redirect leads', async () => {
    const inside = await serve((_, response) => response.end('inside'));
    const { url } = await serve((_, response) => response.writeHead(302, { location: `${inside.url}/secret` }).end());
    // The first hop is let through, as a public server's would be.
    const first: typeof fetch = (input, init) => ((input as string).startsWith(url) ? fetch(input, init) : guarded(input, init));
    expect((await run({ url }, '{}', { fetch: first })).text).toBe('Error: The address is not allowed');
    expect(inside.seen).toEqual([]);
  });

  it.each(['http://user:pass@example.com/', 'ftp://example.com/', 'http://{host}/', 'http://exa{x}mple.com/', '{url}', 'http://{{host}}/x', '/relative'])(
    'takes no %s for a URL',
    (url) => {
      expect(callableOf({ uuid: 'u', name: 'x', description: 'x', kind: 'http_api', config: { url }, filler: null })).toBeNull();
    },
  );
});
