#!/usr/bin/env node
// Starts the command line. In a source checkout it builds first where dist/ is missing or older than src/.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`agent-stream needs Node.js 20.19 or newer; this is ${process.version}. Install a current Node.js from https://nodejs.org.`);
  process.exit(1);
}

if (existsSync(join(root, 'src', 'cli', 'main.ts'))) {
  const { buildIfStale } = await import('../scripts/build.mjs');
  if (!buildIfStale(root)) process.exit(1);
}

const { main } = await import('../dist/cli/main.js');
process.exitCode = await main(process.argv.slice(2));
