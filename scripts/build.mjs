// Compiles src/ into dist/. Builds into a directory of its own and swaps it in, so that a running program never sees half a build
// and files whose source is gone disappear.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Newest modification time below `directory`, in ms. */
function newestMs(directory) {
  let newest = statSync(directory).mtimeMs;
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.name.endsWith('.test.ts')) continue;
    const path = join(directory, entry.name);
    newest = Math.max(newest, entry.isDirectory() ? newestMs(path) : statSync(path).mtimeMs);
  }
  return newest;
}

/** Path of the TypeScript compiler, or null where development dependencies are not installed. */
function findCompiler(root) {
  try {
    return createRequire(join(root, 'package.json')).resolve('typescript/bin/tsc');
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND' || error.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') return null;
    throw error;
  }
}

/** Builds; true when dist/ is complete. Compiler messages go to stderr. */
export function build(root) {
  const compiler = findCompiler(root);
  if (compiler === null) {
    console.error('Cannot build: typescript is not installed. Run npm ci (without --omit=dev).');
    return false;
  }
  const output = join(root, `dist.${process.pid}`);
  const former = join(root, `dist.${process.pid}.former`);
  const args = [compiler, '-p', join(root, 'tsconfig.build.json'), '--outDir', output];
  const result = spawnSync(process.execPath, args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (result.status !== 0) {
    rmSync(output, { recursive: true, force: true });
    console.error('The build failed.');
    return false;
  }
  swapIn(output, join(root, 'dist'), former);
  return true;
}

/** Two builds may end at once: the later one finds the other's result, which is as new as its own. */
function swapIn(output, target, former) {
  try {
    if (existsSync(target)) renameSync(target, former);
    renameSync(output, target);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(error.code) || !existsSync(target)) throw error;
    rmSync(output, { recursive: true, force: true });
  }
  rmSync(former, { recursive: true, force: true });
}

/** Builds where dist/ is missing or older than src/ and the compiler is there; true when dist/ can be used. */
export function buildIfStale(root) {
  const entry = join(root, 'dist', 'cli', 'main.js');
  const isThere = existsSync(entry);
  if (isThere && statSync(entry).mtimeMs >= newestMs(join(root, 'src'))) return true;
  if (isThere && findCompiler(root) === null) return true;
  console.error('Building…');
  return build(root);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = build(dirname(dirname(fileURLToPath(import.meta.url)))) ? 0 : 1;
}
