import type { Clock, Timer } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { Filler } from '../workflow/tools/callable-tool.js';

/** Says a filler. `signal`: it is not wanted any more. */
export type SayFiller = (text: string, signal: AbortSignal) => void;

/** Notices that a caller has waited for so long for a model's first words that a filler is due; once in a reply. */
export interface FillerWatch {
  /** The caller waits from now on. Before, nothing is due: a reply may be prepared while the caller still speaks. */
  beginWait(): void;
  /** A model was asked: should it be slow, `say` is called. */
  cover(filler: Filler, say: SayFiller): void;
  /** The model is done, and another one may be asked. */
  uncover(): void;
  /** The reply's own words have begun, or it is given up: nothing is due any more. */
  end(): void;
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'covering'; readonly filler: Filler; readonly say: SayFiller }
  | { readonly kind: 'saying'; readonly controller: AbortController }
  | { readonly kind: 'over' };

/** Creates the watch of one reply. */
export function createFillerWatch(clock: Clock): FillerWatch {
  let state: State = { kind: 'idle' };
  let waitingSinceMs: number | null = null;
  let timer: Timer | null = null;

  const enter = (next: State) => {
    const left = state;
    timer?.cancel();
    timer = null;
    state = next;
    if (left.kind === 'saying') left.controller.abort(new AgentStreamError('vendor-failed', { message: 'The filler is not needed any more.' }));
  };
  const arm = () => {
    if (state.kind !== 'covering' || waitingSinceMs === null || timer !== null) return;
    const { filler, say } = state;
    timer = clock.setTimer(Math.max(0, waitingSinceMs + filler.afterMs - clock.nowMs()), () => {
      const controller = new AbortController();
      enter({ kind: 'saying', controller });
      say(filler.text, controller.signal);
    });
  };
  return {
    beginWait() {
      waitingSinceMs ??= clock.nowMs();
      arm();
    },
    cover(filler, say) {
      if (state.kind !== 'idle') return;
      enter({ kind: 'covering', filler, say });
      arm();
    },
    uncover() {
      if (state.kind !== 'over') enter({ kind: state.kind === 'saying' ? 'over' : 'idle' });
    },
    end: () => enter({ kind: 'over' }),
  };
}
