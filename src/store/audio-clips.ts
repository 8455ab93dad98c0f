import { and, asc, desc, eq, getTableColumns, inArray, lt } from 'drizzle-orm';
import { AgentStreamError } from '../base/errors.js';
import { isUuid, uuidv7 } from '../base/ids.js';
import type { Database } from './database.js';
import { storableText } from './encode-json.js';
import { decodeIdCursor, pageLimit, toPage } from './page.js';
import { audioClips } from './schema.js';
import type { AudioClipStore } from './store.js';

/** Clips of an organization: 96 MB at most. */
const MAX_CLIPS = 200;

const { audio: sound, ...shown } = getTableColumns(audioClips);

/** Audio clips in PostgreSQL. */
export function createAudioClipStore({ orm, callerOrm, clock }: Database): AudioClipStore {
  const isClip = (organizationId: string, uuid: string) => and(eq(audioClips.organizationId, organizationId), eq(audioClips.uuid, uuid));

  return {
    async create(organizationId, fields, audio) {
      const count = await orm.$count(audioClips, eq(audioClips.organizationId, organizationId));
      if (count >= MAX_CLIPS) throw new AgentStreamError('conflict', { message: `An organization has at most ${MAX_CLIPS} audio clips. Delete one that no agent plays.` });
      const { name, transcript, durationMs } = fields;
      const [row] = await orm
        .insert(audioClips)
        .values({ uuid: uuidv7(clock.wallMs()), organizationId, name: storableText(name), transcript: storableText(transcript), durationMs, audio: Buffer.from(audio) })
        .returning(shown);
      if (row === undefined) throw new Error('INSERT returned no row');
      return row;
    },

    async list(organizationId, request) {
      if (!isUuid(organizationId)) return { items: [], nextCursor: null };
      const limit = pageLimit(request);
      const before = decodeIdCursor(request);
      const rows = await orm
        .select(shown)
        .from(audioClips)
        .where(and(eq(audioClips.organizationId, organizationId), before === null ? undefined : lt(audioClips.uuid, before)))
        .orderBy(desc(audioClips.uuid))
        .limit(limit + 1);
      return toPage(rows, limit, ({ uuid }) => [uuid]);
    },

    async get(organizationId, uuid) {
      if (!isUuid(organizationId) || !isUuid(uuid)) return null;
      return (await orm.select(shown).from(audioClips).where(isClip(organizationId, uuid)))[0] ?? null;
    },

    async find(organizationId, uuids) {
      const asked = uuids.filter(isUuid);
      if (!isUuid(organizationId) || asked.length === 0) return [];
      return callerOrm
        .select(shown)
        .from(audioClips)
        .where(and(eq(audioClips.organizationId, organizationId), inArray(audioClips.uuid, asked)))
        .orderBy(asc(audioClips.uuid));
    },

    async audio(organizationId, uuid) {
      if (!isUuid(organizationId) || !isUuid(uuid)) return null;
      return (await callerOrm.select({ sound }).from(audioClips).where(isClip(organizationId, uuid)))[0]?.sound ?? null;
    },

    async delete(organizationId, uuid) {
      if (!isUuid(organizationId) || !isUuid(uuid)) return false;
      return (await orm.delete(audioClips).where(isClip(organizationId, uuid)).returning({ uuid: audioClips.uuid })).length > 0;
    },
  };
}
