import type { Page, PageRequest } from './paging.js';

/** A stream turned away. */
export interface Refusal {
  readonly id: string;
  readonly organizationId: string;
  readonly agentUuid: string;
  readonly at: Date;
  readonly closeCode: number;
  readonly reason: string;
}

/** Streams turned away before a run was minted; the newest 1,000 per organization are kept. */
export interface RefusalStore {
  add(input: { organizationId: string; agentUuid: string; closeCode: number; reason: string }): Promise<void>;
  list(organizationId: string, request: PageRequest): Promise<Page<Refusal>>;
}
