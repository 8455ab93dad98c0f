/** One way in which a carrier misbehaves. Times are on the call's timeline. */
export type CarrierFault =
  /** The socket closes without a `stop`. */
  | { readonly type: 'omit-stop' }
  /** No media at all for a while, as when the caller's leg is put on hold by an exchange. */
  | { readonly type: 'mute'; readonly fromMs: number; readonly forMs: number }
  /** Every n-th frame arrives after its successor. */
  | { readonly type: 'swap-frames'; readonly every: number }
  /** Every n-th frame is lost. */
  | { readonly type: 'drop-frames'; readonly every: number }
  /** Every n-th frame arrives twice. */
  | { readonly type: 'duplicate-frames'; readonly every: number };

/** What becomes of one media frame. `hold`: it is sent after the next one. */
export type FrameFate = 'send' | 'drop' | 'hold' | 'twice';

/** The fate of frame `index`, whose samples end at `atMs`. The first fault that applies wins. */
export function fateOfFrame(faults: readonly CarrierFault[], index: number, atMs: number): FrameFate {
  const isNth = (every: number) => every > 0 && index % every === every - 1;
  for (const fault of faults) {
    if (fault.type === 'mute' && atMs > fault.fromMs && atMs <= fault.fromMs + fault.forMs) return 'drop';
    if (fault.type === 'drop-frames' && isNth(fault.every)) return 'drop';
    if (fault.type === 'swap-frames' && isNth(fault.every)) return 'hold';
    if (fault.type === 'duplicate-frames' && isNth(fault.every)) return 'twice';
  }
  return 'send';
}
