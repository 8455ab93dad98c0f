import { describe, expect, it } from 'vitest';
import { capabilityUuid, isUuid, randomSecret, runName, uuidv7 } from './ids.js';

describe('uuidv7', () => {
  it('carries version, variant and the wall time', () => {
    const wallMs = Date.UTC(2999, 0, 1);
    const id = uuidv7(wallMs);
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(wallMs);
  });

  it('sorts by order of creation within a millisecond, past the counter and when the clock steps back', () => {
    const wallMs = Date.UTC(2999, 0, 2);
    const ids = Array.from({ length: 10_000 }, (_, index) => uuidv7(wallMs - (index % 3)));
    expect([...ids].sort()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('other identifiers', () => {
  it('names runs', () => {
    for (let index = 0; index < 200; index += 1) expect(runName()).toMatch(/^WR-AGS-\d{8}$/);
  });

  it('makes random version 4 UUIDs for capabilities', () => {
    expect(capabilityUuid()).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    expect(capabilityUuid()).not.toBe(capabilityUuid());
  });

  it('tells UUIDs from other text', () => {
    expect(isUuid(capabilityUuid().toUpperCase())).toBe(true);
    expect(['', 'x', `${capabilityUuid()}0`, ` ${capabilityUuid()}`].filter(isUuid)).toEqual([]);
  });

  it('makes secrets of the size asked for', () => {
    expect(Buffer.from(randomSecret(32), 'base64url')).toHaveLength(32);
  });
});
