import { EventEmitter } from 'node:events';
import type { WebSocket } from 'ws';
import type { Clock } from '../../../src/base/clock.js';

/** What the server did with its side of a socket. */
export interface ServerSide {
  readonly atMs: number;
  readonly type: 'message' | 'close' | 'terminate';
  readonly text: string;
  readonly code: number;
}

/** A WebSocket without a network: the test holds the other end. */
export class WireSocket extends EventEmitter {
  readonly bufferedAmount = 0;
  /** True: a close frame of the server is not answered. */
  isUnresponsive = false;
  #isOver = false;

  constructor(
    private readonly clock: Clock,
    private readonly onServer: (did: ServerSide) => void,
  ) {
    super();
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** The peer sends a text frame. */
  deliver(text: string): void {
    if (!this.#isOver) this.emit('message', Buffer.from(text), false);
  }

  /** The peer closes, or the connection is lost (1006). */
  closeByPeer(code: number, reason = ''): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.emit('close', code, Buffer.from(reason));
  }

  send(data: string | Buffer): void {
    this.onServer({ atMs: this.clock.nowMs(), type: 'message', text: data.toString(), code: 0 });
  }

  ping(): void {
    if (!this.#isOver && !this.isUnresponsive) this.emit('pong', Buffer.alloc(0));
  }

  close(code: number, reason: string): void {
    this.onServer({ atMs: this.clock.nowMs(), type: 'close', text: reason, code });
    if (!this.isUnresponsive) this.clock.setTimer(10, () => this.closeByPeer(code, reason));
  }

  terminate(): void {
    this.onServer({ atMs: this.clock.nowMs(), type: 'terminate', text: '', code: 1006 });
    this.closeByPeer(1006);
  }

  /** As the server's code sees it. */
  asWebSocket(): WebSocket {
    return this as unknown as WebSocket;
  }
}
