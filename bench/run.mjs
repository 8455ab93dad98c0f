// `npm run bench`: runs bench/main.ts on the core that the measured server does not use, where the machine can.
import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const command = [process.execPath, '--import', 'tsx', fileURLToPath(new URL('main.ts', import.meta.url)), ...process.argv.slice(2)];
const isPinned = spawnSync('taskset', ['-c', '1', 'true']).status === 0;
const [file, ...args] = isPinned ? ['taskset', '-c', '1', ...command] : command;
const child = spawn(file, args, { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 1;
});
