import { WebSocket } from 'ws';
import { AgentStreamError, type ErrorCode } from '../base/errors.js';

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

/** What a breach of RFC 6455 that `ws` finds is in the catalogue, by its error code. */
const BREACHES_BY_WS_ERROR: Readonly<Record<string, ErrorCode>> = {
  WS_ERR_INVALID_UTF8: 'invalid-utf8',
  WS_ERR_UNSUPPORTED_MESSAGE_LENGTH: 'frame-too-large',
  WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH: 'frame-too-large',
  WS_ERR_TOO_MANY_BUFFERED_PARTS: 'frame-too-large',
};

/** The breach behind an error event of `ws`; null where the error is not about the protocol. */
export function breachOf(error: Error): ErrorCode | null {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return code.startsWith('WS_ERR_') ? (BREACHES_BY_WS_ERROR[code] ?? 'protocol-breach') : null;
}

/** The same, by the bare close code that `ws` answers a breach with. It answers too many fragments with 1008. */
const BREACHES_BY_CLOSE_CODE: Readonly<Record<number, ErrorCode>> = {
  1002: 'protocol-breach',
  1007: 'invalid-utf8',
  1008: 'frame-too-large',
  1009: 'frame-too-large',
};

/** The server's end of a WebSocket: where `ws` itself closes it, for a breach of RFC 6455, the peer is told the reason too. */
export class ServerWebSocket extends WebSocket {
  override close(code?: number, reason?: string | Buffer): void {
    const breach = code === undefined || reason !== undefined ? undefined : BREACHES_BY_CLOSE_CODE[code];
    if (breach === undefined) return super.close(code, reason);
    const { close } = new AgentStreamError(breach);
    super.close(close.code, close.reason);
  }
}
