/** Calls not yet validated that may hold vendor connections, per agent: forged starts must cost little. */
const MAX_WARM_UPS_PER_AGENT = 16;

/** Bounds the vendor connections that are opened on a mere claim. */
export interface WarmUps {
  /** Null where the agent's are all taken: the call opens its connections once it is validated. */
  take(agentUuid: string): { release(): void } | null;
}

/** Creates the bound for this process. */
export function createWarmUps(maxPerAgent = MAX_WARM_UPS_PER_AGENT): WarmUps {
  const taken = new Map<string, number>();
  return {
    take(agentUuid) {
      const count = taken.get(agentUuid) ?? 0;
      if (count >= maxPerAgent) return null;
      taken.set(agentUuid, count + 1);
      let isReleased = false;
      return {
        release() {
          if (isReleased) return;
          isReleased = true;
          const left = (taken.get(agentUuid) ?? 1) - 1;
          if (left === 0) taken.delete(agentUuid);
          else taken.set(agentUuid, left);
        },
      };
    },
  };
}
