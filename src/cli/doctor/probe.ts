import { deadlineSignal } from '../../base/clock.js';
import type { CliContext } from '../command.js';
import { errorText } from './error-text.js';

const probeTimeoutMs = 5000;

/** What came back from an address. */
export type ProbeResult =
  | { readonly type: 'answer'; readonly status: number; readonly date: string | null }
  | { readonly type: 'no-answer'; readonly reason: string };

/** Asks an address once; never throws. The body is not read. */
export async function probe(context: Pick<CliContext, 'fetch' | 'clock' | 'signal'>, url: string): Promise<ProbeResult> {
  const deadline = deadlineSignal(context.clock, probeTimeoutMs, context.signal, () => new Error(`no answer in ${probeTimeoutMs / 1000} s`));
  try {
    const response = await context.fetch(url, { signal: deadline.signal, redirect: 'manual' });
    await response.body?.cancel();
    return { type: 'answer', status: response.status, date: response.headers.get('date') };
  } catch (error) {
    return { type: 'no-answer', reason: errorText(error) };
  } finally {
    deadline.dispose();
  }
}
