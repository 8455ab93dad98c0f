import { readdirSync, readFileSync } from 'node:fs';

/** Kernel clock ticks per second: 100 on every Linux that Node supports. */
const TICKS_PER_SECOND = 100;

/** What a process, and apart from it its children, have used so far. */
export interface Usage {
  /** CPU of the process itself, all its threads, ms. */
  readonly processMs: number;
  /** CPU of everything below it: the embedded database. */
  readonly childrenMs: number;
  /** Resident memory of the process itself, MiB. */
  readonly rssMiB: number;
  /** Of everything below it; shared pages are counted once per process. */
  readonly childrenRssMiB: number;
}

interface ProcessLine {
  readonly pid: number;
  readonly parent: number;
  readonly cpuMs: number;
  readonly rssMiB: number;
}

/** Reads `/proc/PID/stat` (proc(5)): the name in brackets may hold anything, so fields are counted from its end. */
function readProcess(pid: number): ProcessLine | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const at = (index: number) => Number(fields[index] ?? 0);
    return { pid, parent: at(1), cpuMs: ((at(11) + at(12)) * 1000) / TICKS_PER_SECOND, rssMiB: (at(21) * 4096) / 1024 / 1024 };
  } catch (error) {
    // It ended while we looked.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return null;
    throw error;
  }
}

/** All descendants of a process. */
export function childrenOf(pid: number): readonly number[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readProcess(Number(name)) ?? []);
  const below = new Set([pid]);
  for (let found = -1; found !== below.size; ) {
    found = below.size;
    for (const line of all) if (below.has(line.parent)) below.add(line.pid);
  }
  below.delete(pid);
  return [...below];
}

/** What `pid` and its descendants have used. */
export function readUsage(pid: number): Usage {
  const own = readProcess(pid);
  const children = childrenOf(pid).flatMap((child) => readProcess(child) ?? []);
  const sum = (read: (line: ProcessLine) => number) => children.reduce((total, line) => total + read(line), 0);
  return {
    processMs: own?.cpuMs ?? 0,
    rssMiB: own?.rssMiB ?? 0,
    childrenMs: sum((line) => line.cpuMs),
    childrenRssMiB: sum((line) => line.rssMiB),
  };
}

/** Time the host gave to others while this machine wanted to run, all cores, ms since boot. */
export function readStealMs(): number {
  const fields = (readFileSync('/proc/stat', 'latin1').split('\n')[0] ?? '').trim().split(/\s+/);
  return (Number(fields[8] ?? 0) * 1000) / TICKS_PER_SECOND;
}
