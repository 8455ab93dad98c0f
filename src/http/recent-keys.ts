/** Keys seen lately, bounded: the oldest is forgotten first. */
export interface RecentKeys {
  has(key: string): boolean;
  add(key: string): void;
}

/** Creates a memory of at most `maxKeys` keys. */
export function createRecentKeys(maxKeys: number): RecentKeys {
  const keys = new Set<string>();
  return {
    has: (key) => keys.has(key),
    add(key) {
      keys.delete(key);
      keys.add(key);
      const oldest = keys.values().next();
      if (keys.size > maxKeys && oldest.done !== true) keys.delete(oldest.value);
    },
  };
}
