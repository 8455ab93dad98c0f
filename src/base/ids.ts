import { randomBytes, randomInt, randomUUID } from 'node:crypto';

/** Values of the 12-bit counter that orders identifiers of one millisecond. */
const COUNTER_LIMIT = 0x1000;
/** A counter starts in the lower half, so that it seldom runs over within its millisecond. */
const COUNTER_START_LIMIT = 0x800;

let lastMs = 0;
let counter = 0;

/**
 * A UUID of version 7 (RFC 9562 §5.7) for wall time `wallMs`: identifiers made by this process sort by the order they were made in, also
 * within a millisecond and when the clock steps back (§6.2, method 1).
 */
export function uuidv7(wallMs: number): string {
  if (wallMs > lastMs) {
    lastMs = Math.floor(wallMs);
    counter = randomInt(COUNTER_START_LIMIT);
  } else {
    counter += 1;
    if (counter === COUNTER_LIMIT) {
      lastMs += 1;
      counter = 0;
    }
  }
  const bytes = randomBytes(16);
  bytes.writeUIntBE(lastMs, 0, 6);
  bytes.writeUInt16BE(0x7000 | counter, 6);
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8);
  return formatUuid(bytes);
}

function formatUuid(bytes: Buffer): string {
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** A UUID of version 4 (RFC 9562 §5.4), 122 random bits: an agent's, which is a capability and must not be guessable. */
export const capabilityUuid = (): string => randomUUID();

/** Name of a run: `WR-AGS-` and eight digits. For people to read out; not unique. */
export const runName = (): string => `WR-AGS-${String(randomInt(100_000_000)).padStart(8, '0')}`;

const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether `text` is written as a UUID, of any version. */
export const isUuid = (text: string): boolean => uuidPattern.test(text);

/** A secret of `bytes` random bytes (≥ 16: 128 bits), base64url. */
export const randomSecret = (bytes: number): string => randomBytes(bytes).toString('base64url');
