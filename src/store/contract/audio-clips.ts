import type { Page, PageRequest } from './paging.js';

/** What users set of a clip, and what its file gave. */
export interface AudioClipFields {
  readonly name: string;
  /** What is said in it, for transcripts and models; empty: not told. */
  readonly transcript: string;
  readonly durationMs: number;
}

/** A short recording that agents play in place of words. It never changes: another recording is another clip. */
export interface AudioClip extends AudioClipFields {
  readonly uuid: string;
  readonly organizationId: string;
  readonly createdAt: Date;
}

/** Audio clips, each with its sound. */
export interface AudioClipStore {
  /** `audio`: 8 kHz mu-law. Throws `conflict` where the organization has as many as it may. */
  create(organizationId: string, fields: AudioClipFields, audio: Uint8Array): Promise<AudioClip>;
  /** Newest first. */
  list(organizationId: string, request: PageRequest): Promise<Page<AudioClip>>;
  get(organizationId: string, uuid: string): Promise<AudioClip | null>;
  /** Those that exist of the ones asked for, in the order they were made in. A caller may wait for it. */
  find(organizationId: string, uuids: readonly string[]): Promise<readonly AudioClip[]>;
  /** 8 kHz mu-law; null for a clip that is gone, or of others. A caller may wait for it. */
  audio(organizationId: string, uuid: string): Promise<Uint8Array | null>;
  /** Agents that name it say the text they have in its place. */
  delete(organizationId: string, uuid: string): Promise<boolean>;
}
