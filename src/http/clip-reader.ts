import { decodeClip } from '../audio/clip.js';
import { AgentStreamError } from '../base/errors.js';

/** Recordings that wait while one is decoded; more are turned away. */
const MAX_WAITING_CLIPS = 4;

/** Decodes uploaded recordings, one at a time, to 8 kHz mu-law. */
export interface ClipReader {
  /** @throws AgentStreamError `clip-unreadable`, `rate-limited` where too many recordings wait */
  read(file: Buffer): Promise<Uint8Array>;
}

const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));

/** The calls of this process go on between two slices. */
async function decode(file: Buffer): Promise<Uint8Array> {
  const slices: Uint8Array[] = [];
  for (const slice of decodeClip(file)) {
    slices.push(slice);
    await nextTurn();
  }
  return Buffer.concat(slices);
}

/** Creates the reader of this node. */
export function createClipReader(): ClipReader {
  let queue: Promise<unknown> = Promise.resolve();
  let held = 0;
  return {
    async read(file) {
      if (held > MAX_WAITING_CLIPS) throw new AgentStreamError('rate-limited', { message: 'Too many recordings are being read. Upload this one again in a moment.' });
      held += 1;
      const turn = queue.then(() => decode(file));
      queue = turn.catch(() => null);
      try {
        return await turn;
      } finally {
        held -= 1;
      }
    },
  };
}
