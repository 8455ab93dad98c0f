/** Bytes of a close reason at most (RFC 6455 §5.5: 125 less the code). */
const MAX_REASON_BYTES = 123;

/** Cuts a close reason to what a close frame carries, never inside a character. */
export function truncateReason(reason: string): string {
  const bytes = Buffer.from(reason, 'utf8');
  if (bytes.length <= MAX_REASON_BYTES) return reason;
  let end = MAX_REASON_BYTES;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}

/** Close codes that `ws` answers a breach of RFC 6455 with, by its error code. */
const CODES_BY_WS_ERROR: Readonly<Record<string, number>> = {
  WS_ERR_INVALID_UTF8: 1007,
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 1009,
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 1009,
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 1008,
};

/** The close code that follows an error event of `ws`; null where the error is not about the protocol. */
export function closeCodeOf(error: Error): number | null {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return code.startsWith('WS_ERR_') ? (CODES_BY_WS_ERROR[code] ?? 1002) : null;
}
