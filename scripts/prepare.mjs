// Runs after `npm ci` and before packing: builds, and makes `npx agent-stream` work in the repository root.
// npm links the binaries of dependencies into node_modules/.bin, but not the root package's own; without the link npx would
// install the package into its cache first.
import { existsSync, lstatSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function linkOwnBinary() {
  const directory = join(root, 'node_modules', '.bin');
  const link = join(directory, 'agent-stream');
  mkdirSync(directory, { recursive: true });
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) rmSync(link);
  symlinkSync(join('..', '..', 'bin', 'agent-stream.js'), link);
}

// Symbolic links need a privilege on Windows; `node bin/agent-stream.js` works there.
if (process.platform !== 'win32') linkOwnBinary();

const hasCompiler = existsSync(join(root, 'node_modules', 'typescript'));
if (hasCompiler && !build(root)) process.exitCode = 1;
