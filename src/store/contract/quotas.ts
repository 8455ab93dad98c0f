/** Quotas start anew with each. */
export type QuotaPeriod = 'day' | 'month';

/** Null limits mean unlimited. Periods are calendar periods in UTC. */
export interface Quota {
  readonly period: QuotaPeriod;
  readonly minutes: number | null;
  readonly runs: number | null;
}

/** What was used in the current period. A call counts wholly in the period it began in. */
export interface QuotaUsage {
  readonly periodStart: Date;
  readonly periodEnd: Date;
  /** Ended and live calls together. */
  readonly usedMs: number;
  readonly runs: number;
}

/** What an organization used in the current month. */
export interface OrganizationUsage {
  readonly periodStart: Date;
  readonly runs: number;
  /** Ended and live calls together. */
  readonly durationMs: number;
  readonly liveCalls: number;
  /** Spend of ended calls, as far as prices are known: US dollars, decimal, six places. */
  readonly costTotal: string;
  /** Ended calls of which something has no price. */
  readonly partlyPricedRuns: number;
}

/** Quotas of users and what was used of them. */
export interface QuotaStore {
  /** Unlimited monthly where none was set. Null for a user of another organization. */
  get(organizationId: string, userId: string): Promise<{ quota: Quota; usage: QuotaUsage } | null>;
  put(organizationId: string, userId: string, quota: Quota): Promise<Quota | null>;
  usage(organizationId: string): Promise<OrganizationUsage>;
  /** Of the given live runs, those whose owner's minutes are used up now, live time included. */
  findExhausted(runIds: readonly string[]): Promise<readonly string[]>;
}
