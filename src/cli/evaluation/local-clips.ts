import { basename } from 'node:path';
import type { AttachedClip } from '../../workflow/graph.js';

/** A recording that stands for a stored audio clip. */
export interface LocalClip {
  readonly uuid: string;
  readonly path: string;
  /** What is said in it. */
  readonly transcript: string;
}

/** Recordings as a conversation in writing knows them: nothing of their sound. */
export const attachedClips = (clips: readonly LocalClip[]): readonly AttachedClip[] => clips.map(({ uuid, path, transcript }) => ({ uuid, name: basename(path), transcript }));
