import type { Clock, Timer } from '../base/clock.js';
import type { TurnOptions } from '../turn/options.js';
import { transition } from '../turn/transition.js';
import { initialTurnState, type TurnEffect, type TurnEvent, type TurnState, type TurnTimer } from '../turn/turn.js';

/** Effects of the turn machine that act on the call; its timers are the floor's own. */
export type FloorEffect = Exclude<TurnEffect, { type: 'set-timer' | 'cancel-timer' }>;

/** The running turn machine of one call. */
export interface Floor {
  readonly state: TurnState;
  /** Feeds one event; it runs to completion before the next, also where an effect causes events. */
  dispatch(event: TurnEvent): void;
  /** Silence after which the caller counts as idle, from now on; null: as the options say. A silence that has begun is measured anew. */
  limitSilence(delayMs: number | null): void;
}

/** Runs the turn machine: keeps its state and its timers, and hands every other effect to `onEffect`. */
export function createFloor(options: {
  readonly turn: TurnOptions;
  readonly clock: Clock;
  /** Call clock. */
  readonly nowMs: () => number;
  readonly onEffect: (effect: FloorEffect) => void;
}): Floor {
  const { clock, nowMs } = options;
  const timers = new Map<TurnTimer, Timer>();
  const queue: TurnEvent[] = [];
  let state = initialTurnState;
  let isRunning = false;
  let silenceLimitMs: number | null = null;

  const cancelTimer = (timer: TurnTimer) => {
    timers.get(timer)?.cancel();
    timers.delete(timer);
  };

  const run = (effect: TurnEffect) => {
    if (effect.type === 'cancel-timer') cancelTimer(effect.timer);
    else if (effect.type === 'set-timer') {
      const { timer } = effect;
      const delayMs = timer === 'idle' ? (silenceLimitMs ?? effect.delayMs) : effect.delayMs;
      cancelTimer(timer);
      timers.set(timer, clock.setTimer(delayMs, () => dispatch({ type: 'timer-fired', atMs: nowMs(), timer })));
    } else options.onEffect(effect);
  };

  const dispatch = (event: TurnEvent) => {
    queue.push(event);
    if (isRunning) return;
    isRunning = true;
    try {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const result = transition(state, next, options.turn);
        state = result.state;
        result.effects.forEach(run);
      }
    } finally {
      // After a fault what was to come is void: the call is over.
      queue.length = 0;
      isRunning = false;
    }
  };

  return {
    get state() {
      return state;
    },
    dispatch,
    limitSilence(delayMs) {
      silenceLimitMs = delayMs;
      if (timers.has('idle')) run({ type: 'set-timer', timer: 'idle', delayMs: options.turn.idleTimeoutMs });
    },
  };
}
