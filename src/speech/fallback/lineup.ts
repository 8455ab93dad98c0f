import { deadlineSignal, type Clock } from '../../base/clock.js';
import { AgentStreamError, toAgentStreamError, type ErrorCode } from '../../base/errors.js';
import type { Leg } from '../vendor.js';
import type { HealthTable } from './health-table.js';

/** Longest that finding out whether a vendor works again may take. */
const PROBE_LIMIT_MS = 5000;

/** A vendor that may serve the leg. */
export interface Candidate<Product> {
  /** The vendor's name in the registry. */
  readonly vendor: string;
  readonly product: Product;
  /** Its key in the {@link HealthTable}. */
  readonly healthKey: string;
}

/** One vendor of a fall-over, as records show it. */
export interface FalloverSide {
  readonly vendor: string;
  readonly model: string;
}

/** A call went on with another vendor. */
export interface Fallover {
  readonly leg: Leg;
  readonly from: FalloverSide;
  readonly to: FalloverSide;
  /** Why the former was left. */
  readonly code: ErrorCode;
}

/** One request on its way along the line: it comes to each vendor once at most, but for one that is hedged with itself. */
export interface Round<Product> {
  /** Who is asked now. */
  readonly product: Product;
  /** The same as a candidate. */
  readonly candidate: Candidate<Product>;
  /** Who is asked next, should this one fail; null: nobody is left. */
  readonly spare: Product | null;
  /** The vendor that was asked has answered. */
  noteAnswer(): void;
  /** The vendor that was asked failed, and the call stays with it. */
  noteFailure(error: AgentStreamError): void;
  /** The vendor that was asked failed: the call goes on with the next one. False: nobody is left. */
  failOver(error: AgentStreamError): boolean;
  /** The vendor that was asked failed while the same request is under way at another one: the call goes on with that. */
  failOverTo(other: Candidate<Product>, error: AgentStreamError): void;
  /** Asks a second time while the first request is under way: the next vendor that calls do not pass over; where there is none, the same. */
  hedge(): Round<Product>;
}

/** The vendors of one leg of one call, in the owner's order, and the one in use. */
export interface Lineup<Product> {
  readonly candidates: readonly Candidate<Product>[];
  readonly current: Candidate<Product>;
  /** Begins with the vendor in use. */
  startRound(): Round<Product>;
}

/** What a lineup is made of. */
export interface LineupOptions<Product> {
  readonly leg: Leg;
  /** The vendor of choice first. */
  readonly candidates: readonly [Candidate<Product>, ...Candidate<Product>[]];
  readonly health: HealthTable;
  readonly clock: Clock;
  readonly onFallover: (fallover: Fallover) => void;
  /** Finds out whether a vendor answers. Rejects where it does not. */
  readonly probe: (product: Product, signal: AbortSignal) => Promise<void>;
}

/**
 * Lines the vendors up. The call begins with the first one that other calls do not pass over, or with the first; it goes down the line
 * where one fails, and stays with the one that works. A vendor that refused what it was asked (an error that is not retryable) is not
 * gone back to. Vendors whose rest is over are probed in the background.
 */
export function createLineup<Product extends { readonly model: string }>(options: LineupOptions<Product>): Lineup<Product> {
  const { candidates, health } = options;
  const refusers = new Set<Candidate<Product>>();
  const isResting = ({ healthKey }: Candidate<Product>) => health.restCode(healthKey) !== null;
  const first = candidates[0];
  let current = first;

  const move = (from: Candidate<Product>, to: Candidate<Product>, code: ErrorCode) => {
    current = to;
    options.onFallover({ leg: options.leg, from: sideOf(from), to: sideOf(to), code });
  };

  const noteFailure = ({ healthKey }: Candidate<Product>, { code }: AgentStreamError) => {
    // A request that was refused for what it asks says nothing about what others ask.
    if (code !== 'vendor-rejected') health.noteFailure(healthKey, code);
  };

  const spareOf = (asked: Candidate<Product>, tried: ReadonlySet<Candidate<Product>>) => {
    const isOpen = (candidate: Candidate<Product>) => candidate !== asked && !tried.has(candidate) && !refusers.has(candidate);
    const place = candidates.indexOf(asked);
    const open = [...candidates.slice(place + 1), ...candidates.slice(0, place)].filter(isOpen);
    return open.find((candidate) => !isResting(candidate)) ?? open[0];
  };

  for (const candidate of candidates) if (health.claimProbe(candidate.healthKey)) void runProbe(candidate, options);
  const start = candidates.find((candidate) => !isResting(candidate)) ?? first;
  const restCode = health.restCode(first.healthKey);
  if (start !== first && restCode !== null) move(first, start, restCode);

  return {
    candidates,
    get current() {
      return current;
    },
    startRound: () => startAt(current, new Set()),
  };

  function startAt(start: Candidate<Product>, tried: Set<Candidate<Product>>): Round<Product> {
    let asked = start;
    tried.add(asked);
    const leave = (error: AgentStreamError) => {
      noteFailure(asked, error);
      if (!error.retryable) refusers.add(asked);
    };
    return {
      get product() {
        return asked.product;
      },
      get candidate() {
        return asked;
      },
      get spare() {
        return spareOf(asked, tried)?.product ?? null;
      },
      noteAnswer: () => health.noteAnswer(asked.healthKey),
      noteFailure: (error) => noteFailure(asked, error),
      failOver(error) {
        leave(error);
        // Another request of the call may have left that vendor already.
        const next = tried.has(current) ? spareOf(asked, tried) : current;
        if (next === undefined) return false;
        if (next !== current) move(asked, next, error.code);
        asked = next;
        tried.add(asked);
        return true;
      },
      failOverTo(other, error) {
        leave(error);
        if (current === asked && other !== asked) move(asked, other, error.code);
      },
      hedge() {
        const next = spareOf(asked, tried);
        return startAt(next === undefined || isResting(next) ? asked : next, tried);
      },
    };
  }
}

/** A vendor as records show it. */
export function sideOf<Product extends { readonly model: string }>({ vendor, product }: Candidate<Product>): FalloverSide {
  return { vendor, model: product.model };
}

/** Never rejects. */
async function runProbe<Product>({ product, healthKey }: Candidate<Product>, { clock, health, probe }: LineupOptions<Product>): Promise<void> {
  const deadline = deadlineSignal(clock, PROBE_LIMIT_MS, undefined, () => new AgentStreamError('vendor-unreachable'));
  try {
    await probe(product, deadline.signal);
    health.noteAnswer(healthKey);
  } catch (error) {
    health.noteFailure(healthKey, toAgentStreamError(error, 'vendor-failed').code);
  } finally {
    deadline.dispose();
  }
}
