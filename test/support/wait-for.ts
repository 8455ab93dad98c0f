import { sleep, systemClock } from '../../src/base/clock.js';

/** Longest wait for something that should happen at once; only a failing test waits it out. */
const PATIENCE_MS = 20_000;
const POLL_MS = 20;

/** Polls until `read` gives something. @throws where it never does */
export async function waitFor<T>(what: string, read: () => T | null | undefined | Promise<T | null | undefined>, patienceMs = PATIENCE_MS): Promise<T> {
  const untilMs = systemClock.nowMs() + patienceMs;
  for (;;) {
    const value = await read();
    if (value !== null && value !== undefined) return value;
    if (systemClock.nowMs() > untilMs) throw new Error(`Waited in vain for ${what}`);
    await sleep(systemClock, POLL_MS);
  }
}

/** Polls until `isTrue` holds. @throws where it never does */
export async function waitUntil(what: string, isTrue: () => boolean | Promise<boolean>, patienceMs = PATIENCE_MS): Promise<void> {
  await waitFor(what, async () => ((await isTrue()) ? true : null), patienceMs);
}

/** As {@link waitUntil}, looking every 2 ms: for what happens within this process. */
export async function until(isTrue: () => boolean, what = isTrue.toString()): Promise<void> {
  const untilMs = systemClock.nowMs() + PATIENCE_MS;
  while (!isTrue()) {
    if (systemClock.nowMs() > untilMs) throw new Error(`Waited in vain for ${what}`);
    await settle(2);
  }
}

/** Lets everything that is under way on loopback arrive. */
export function settle(ms = 60): Promise<void> {
  return sleep(systemClock, ms);
}
