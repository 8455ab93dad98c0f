import { createHash } from 'node:crypto';
import { setBounded } from '../../base/bounded-map.js';
import type { Clock } from '../../base/clock.js';
import type { ErrorCode } from '../../base/errors.js';
import type { Leg } from '../vendor.js';

/** Failures in a row, over all calls, after which a vendor is passed over. */
const FAILURES_BEFORE_REST = 3;

/** How long a vendor is passed over before it is tried in the background. */
const REST_MS = 30_000;

/** Vendors that are remembered; the one that failed longest ago is forgotten first. */
const MAX_VENDORS = 1000;

/** A vendor that failed; one that is not in the table is well. */
type Illness =
  | { readonly kind: 'shaky'; readonly failures: number }
  /** Calls pass it over. */
  | { readonly kind: 'resting'; readonly untilMs: number; readonly code: ErrorCode }
  /** One call is finding out whether it works again; all pass it over until then. */
  | { readonly kind: 'on-probe'; readonly code: ErrorCode };

/** What the calls of this process know of vendors that have spares: which of them to begin with. */
export interface HealthTable {
  /** The code of the failure for which calls pass this vendor over; null: they do not. */
  restCode(key: string): ErrorCode | null;
  noteAnswer(key: string): void;
  noteFailure(key: string, code: ErrorCode): void;
  /** True where its rest is over and the asker is to try it; nobody else is told so until its outcome is noted. */
  claimProbe(key: string): boolean;
}

/** Creates the table of a process. */
export function createHealthTable(clock: Clock): HealthTable {
  const illnesses = new Map<string, Illness>();

  return {
    restCode(key) {
      const illness = illnesses.get(key);
      return illness === undefined || illness.kind === 'shaky' ? null : illness.code;
    },
    noteAnswer: (key) => void illnesses.delete(key),
    noteFailure(key, code) {
      const illness = illnesses.get(key);
      const failures = illness?.kind === 'shaky' ? illness.failures + 1 : 1;
      const isIll = failures >= FAILURES_BEFORE_REST || illness?.kind === 'resting' || illness?.kind === 'on-probe';
      const next: Illness = isIll ? { kind: 'resting', untilMs: clock.nowMs() + REST_MS, code } : { kind: 'shaky', failures };
      setBounded(illnesses, key, next, MAX_VENDORS);
    },
    claimProbe(key) {
      const illness = illnesses.get(key);
      if (illness?.kind !== 'resting' || clock.nowMs() < illness.untilMs) return false;
      illnesses.set(key, { kind: 'on-probe', code: illness.code });
      return true;
    },
  };
}

/**
 * The table's key of a vendor as one leg uses it. The model counts, since one that is overloaded says nothing about its vendor's others. Of
 * the API key there is a hash only.
 */
export function healthKeyOf(parts: { leg: Leg; vendor: string; model: string; baseUrl: string; apiKey: string | undefined }): string {
  const keyHash = createHash('sha256').update(parts.apiKey ?? '').digest('base64url').slice(0, 16);
  return [parts.leg, parts.vendor, parts.model, parts.baseUrl, keyHash].join(' ');
}
