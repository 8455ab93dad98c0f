import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Cell } from './cell.js';
import { isPinned, repositoryRoot } from './run-processes.js';
import type { Summary } from './samples.js';

/** Prints rows in aligned columns, the first row as titles. */
export function printTable(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const [index, row] of rows.entries()) {
    console.log(row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join('  '));
    if (index === 0) console.log(widths.map((width) => '-'.repeat(width)).join('  '));
  }
}

/** A number as short as it is useful; a dash where nothing was measured. */
export function shorten(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '-';
  if (Math.abs(value) >= 100) return value.toFixed(0);
  return value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
}

/** `p50 / p99`. */
export function pair(summary: Summary): string {
  return `${shorten(summary.p50)} / ${shorten(summary.p99)}`;
}

/** The columns that every scenario with calls shares. */
export function cellRows(cells: readonly Cell[]): readonly (readonly string[])[] {
  const titles = [
    'subject',
    'calls',
    'CPU %',
    'CPU-ms/call-s',
    'db',
    'RSS MiB',
    'response p50/p99',
    'barge-in p50/p99',
    'lateness p99/p99.9',
    'own share p50/p99',
    'turns',
    'holes >60 ms',
    'dropped',
    'window',
  ];
  const rows = cells.map((cell) => [
    cell.subject,
    String(cell.calls),
    shorten(cell.cpuShare * 100),
    shorten(cell.cpuMsPerCallSecond),
    shorten(cell.childrenCpuMsPerCallSecond),
    shorten(cell.rssMiB),
    pair(cell.load.response),
    pair(cell.load.bargeIn),
    `${shorten(cell.load.lateness.p99)} / ${shorten(cell.load.lateness.p999)}`,
    pair(cell.hops.sum),
    `${cell.load.response.count}`,
    String(cell.load.counts['heardUnderruns'] ?? 0),
    String(cell.load.counts['dropped'] ?? 0),
    cell.voidBecause.length === 0 ? 'counts' : `void: ${cell.voidBecause.join(', ')}`,
  ]);
  return [titles, ...rows];
}

function readRevision(): string {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: repositoryRoot, encoding: 'utf8' }).trim();
  } catch (error) {
    return error instanceof Error ? 'unknown' : String(error);
  }
}

/** Writes what was measured, with the machine it was measured on, to bench/results/ and returns the path. */
export function writeResults(scenario: string, results: unknown, stamp: string): string {
  const directory = join(repositoryRoot, 'bench', 'results');
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${stamp.replace(/[:.]/g, '-')}-${scenario}.json`);
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 1024 / 1024),
    kernel: release(),
    node: process.version,
    isPinned,
    revision: readRevision(),
  };
  writeFileSync(path, `${JSON.stringify({ scenario, at: stamp, machine, results }, null, 2)}\n`);
  return path;
}
