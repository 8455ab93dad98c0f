import { describe, expect, it } from 'vitest';
import { AgentStreamError } from '../base/errors.js';
import type { AudioClip } from '../store/store.js';
import { createClipResolver, MAX_AGENT_CLIPS } from './clip-resolver.js';

const clipOf = (uuid: string): AudioClip => ({ uuid, organizationId: 'org', name: uuid, transcript: '', durationMs: 20, createdAt: new Date(0) });

/** Clips without a database, that notes whose sound is read. */
function setUp(existing: readonly string[], { soundless = [] as readonly string[] } = {}) {
  const reads: string[] = [];
  const missing: string[] = [];
  let failure: Error | null = null;
  const resolver = createClipResolver({
    async find(_, uuids) {
      const error = failure;
      failure = null;
      if (error !== null) throw error;
      return existing.filter((uuid) => uuids.includes(uuid)).map(clipOf);
    },
    async audio(_, uuid) {
      reads.push(uuid);
      return soundless.includes(uuid) ? null : Uint8Array.of(existing.indexOf(uuid));
    },
  });
  const open = (...uuids: string[]) => resolver.open('org', uuids, (uuid, code) => void missing.push(`${uuid} ${code}`));
  return { reads, missing, open, fail: (error: Error) => void (failure = error) };
}

describe('the clips of an agent', () => {
  it('are read once, and told of at every call', async () => {
    const { open, reads, missing } = setUp(['a', 'b']);
    for (let call = 0; call < 2; call += 1) {
      const { clips, sounds } = await open('b', 'a');
      expect(clips.map(({ uuid }) => uuid)).toEqual(['a', 'b']);
      expect([sounds.get('a'), sounds.get('b')]).toEqual([Uint8Array.of(0), Uint8Array.of(1)]);
    }
    expect([reads, missing]).toEqual([['a', 'b'], []]);
  });

  it('that are gone, also while they are read, are told of; the others play', async () => {
    const { open, missing } = setUp(['a', 'b'], { soundless: ['b'] });
    const { clips } = await open('a', 'b', 'c');
    expect(clips.map(({ uuid }) => uuid)).toEqual(['a']);
    expect(missing).toEqual(['b not-found', 'c not-found']);
  });

  it('that cannot be read are told of with the reason; the next call asks again', async () => {
    const { open, missing, fail } = setUp(['a']);
    fail(new AgentStreamError('database-unavailable'));
    expect((await open('a')).clips).toEqual([]);
    expect((await open('a')).clips).toHaveLength(1);
    expect(missing).toEqual(['a database-unavailable']);
  });

  it('are so many at most', async () => {
    const uuids = Array.from({ length: MAX_AGENT_CLIPS + 1 }, (_, at) => `clip-${at}`);
    const { open, missing } = setUp(uuids);
    expect((await open(...uuids)).clips).toHaveLength(MAX_AGENT_CLIPS);
    expect(missing).toEqual([`clip-${MAX_AGENT_CLIPS} not-found`]);
  });
});
