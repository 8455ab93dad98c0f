import type { Clock } from '../base/clock.js';

/** Keeps a fault of one call's code within that call: callbacks run inside, and what they throw goes to `onFault`. */
export interface FaultBoundary {
  /** A callback that never throws. */
  guard<Args extends unknown[]>(callback: (...args: Args) => void): (...args: Args) => void;
  /** The same callbacks, none of which throws. */
  guardAll<Callbacks extends object>(callbacks: Callbacks): Callbacks;
  /** The clock, whose timers never throw. */
  guardClock(clock: Clock): Clock;
}

/** Creates the boundary of one call. `onFault` must not throw. */
export function createFaultBoundary(onFault: (error: unknown) => void): FaultBoundary {
  const guard =
    <Args extends unknown[]>(callback: (...args: Args) => void) =>
    (...args: Args) => {
      try {
        callback(...args);
      } catch (error) {
        onFault(error);
      }
    };

  return {
    guard,
    guardAll<Callbacks extends object>(callbacks: Callbacks): Callbacks {
      const entries = Object.entries(callbacks).map(([name, value]: [string, unknown]) => [
        name,
        typeof value === 'function' ? guard((...args: unknown[]) => void Reflect.apply(value, callbacks, args)) : value,
      ]);
      return Object.fromEntries(entries) as Callbacks;
    },
    guardClock: (clock) => ({
      nowMs: () => clock.nowMs(),
      wallMs: () => clock.wallMs(),
      setTimer: (delayMs, callback) => clock.setTimer(delayMs, guard(callback)),
    }),
  };
}
