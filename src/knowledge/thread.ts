import { Worker, type WorkerOptions } from 'node:worker_threads';

/**
 * Starts one of the threads of this folder. Compiled code is its own entry; TypeScript sources, as the tests run them, need their loader in it.
 * @param name its file, without ending
 */
export function startThread(name: string, options: Pick<WorkerOptions, 'workerData' | 'resourceLimits'>): Worker {
  const isSource = import.meta.url.endsWith('.ts');
  const entry = new URL(`./${name}.${isSource ? 'ts' : 'js'}`, import.meta.url);
  if (!isSource) return new Worker(entry, options);
  const loading = `import('tsx/esm/api').then(({ register }) => { register(); return import(${JSON.stringify(entry.href)}); });`;
  return new Worker(loading, { ...options, eval: true });
}
