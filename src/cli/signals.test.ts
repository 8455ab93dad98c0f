import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { exitCodes } from './exit-codes.js';

const entry = fileURLToPath(new URL('./main.ts', import.meta.url));

/** The command line as a process of its own, from source. */
function start(url: string, ...argv: string[]) {
  const script = `const { main } = await import(${JSON.stringify(entry)}); process.exitCode = await main(process.argv.slice(1));`;
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script, ...argv];
  const child = spawn(process.execPath, args, { env: { ...process.env, AGENT_STREAM_URL: url, AGENT_STREAM_API_KEY: 'key' } });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { child, ended };
}

describe('the process', () => {
  it('ends with 130 on Ctrl-C while it waits for an answer', async () => {
    let noteAsked = () => {};
    const asked = new Promise<void>((resolve) => (noteAsked = resolve));
    const server = createServer(() => noteAsked());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { child, ended } = start(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'agents', 'list');
    await asked;
    child.kill('SIGINT');
    expect(await ended).toBe(exitCodes.interrupted);
    server.closeAllConnections();
    server.close();
  });

  it('ends with 0 when the reader of its output goes away', async () => {
    const items = Array.from({ length: 20_000 }, (_, index) => ({ id: String(index), name: 'x'.repeat(100), prefix: 'p', created_at: '2026-01-01T00:00:00Z' }));
    const server = createServer((_, response) => void response.end(JSON.stringify({ items, next_cursor: null })));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { child, ended } = start(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'keys', 'list');
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await ended).toBe(exitCodes.ok);
    server.closeAllConnections();
    server.close();
  });
});
