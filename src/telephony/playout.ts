import { FRAME_BYTES, FRAME_MS, mulawDurationMs } from '../audio/frame.js';
import type { Metronome, MetronomeHandle } from '../audio/pacer.js';
import type { Clock } from '../base/clock.js';
import type { DialectCapabilities } from './dialect.js';
import { MAX_CARRIER_DELAY_MS, PlayoutLedger, type PlayoutPosition } from './playout-ledger.js';
import { PlayoutQueue, readFrame, type QueuedItem } from './playout-queue.js';

/**
 * Audio kept at the carrier beyond real time, by default. A stall of the process, or of the network, stays inaudible for as long as
 * this less one frame: 140 ms at least. What is left of the 200 ms is room for frames that bunch up on their way.
 */
export const DEFAULT_LEAD_MS = 160;

/** A longer lead makes interruptions sluggish where the carrier cannot clear. */
const MAX_LEAD_MS = 200;

/** A mark goes out with every item's end and about once a second. */
const FRAMES_PER_MARK = 50;

/** What a playout tells its call. Callbacks are synchronous and must not throw; they may call the playout. */
export interface PlayoutListener {
  /** The item's first frame was sent, at this monotonic time. */
  onItemStarted(itemId: string, atMs: number): void;
  /** The ended item was heard to its end. */
  onItemHeard(itemId: string, atMs: number): void;
  /** The item's audio came too late: the caller heard `gapMs` of silence within it. */
  onUnderrun(itemId: string, gapMs: number): void;
  /** A frame went out and will be heard at `playAtMs`, unless it is cleared before. The frame is valid during the callback. */
  onFrameSent(frame: Uint8Array, playAtMs: number): void;
  /** Nothing that was to play after this time is heard. */
  onCleared(atMs: number): void;
  /** More than 120 s of audio were waiting: this much was dropped. */
  onQueueOverflow(itemId: string, droppedMs: number): void;
}

/** What was dropped, and how much of it the caller had heard. */
export interface DiscardedItem {
  readonly itemId: string;
  readonly heardMs: number;
}

/** The outbound audio of one call: items in order, each one reply or phrase. */
export interface Playout {
  /** Queues a new item after those there are. An item with the same id that is still queued is kept. */
  begin(itemId: string): void;
  /** Adds mu-law of any length; it is copied. Ignored for an item that is not queued. */
  append(itemId: string, audio: Uint8Array): void;
  /** No more audio will come for the item. */
  end(itemId: string): void;
  /** Stops feeding and keeps everything: a possible interruption. */
  hold(): void;
  /** Empties the carrier's buffer and goes back to what was heard; stays held. Where the carrier cannot clear, only holds. */
  interrupt(): void;
  /** Goes on where the caller stopped hearing. */
  resume(): void;
  /** Drops everything queued, at the carrier too, and is ready for the next item. */
  discard(): DiscardedItem[];
  /** Where an item is, also a short while after it was heard or dropped; zeros for an unknown one. */
  position(itemId: string): PlayoutPosition;
  /** A mark came back. */
  onMark(name: string): void;
  /** Stops for good. */
  close(): void;
}

/** What a playout needs. */
export interface PlayoutOptions {
  readonly clock: Clock;
  readonly metronome: Metronome;
  /** Takes one 20 ms frame, valid during the call. */
  readonly send: (frame: Uint8Array) => void;
  readonly sendMark: (name: string) => void;
  readonly sendClear: () => void;
  readonly capabilities: Pick<DialectCapabilities, 'marks' | 'clear' | 'maxLeadMs'>;
  /** Default 160, at most 200 and what the carrier allows. */
  readonly leadMs?: number;
  readonly listener: PlayoutListener;
  /** A fault while sending: the playout has closed. */
  readonly onFault: (error: unknown) => void;
}

/** Feeding, waiting for a decision, or over. */
type Mode = 'playing' | 'held' | 'closed';

/** Creates the playout of one call, silent until the first item has a frame. */
export function createPlayout(options: PlayoutOptions): Playout {
  return new CallPlayout(options);
}

/** Names and places the marks of one call: one with every item's end, and about one a second. */
function createMarker(ledger: PlayoutLedger, { capabilities, sendMark }: PlayoutOptions): { mark(): void; countFrame(isLast: boolean): void } {
  let marks = 0;
  let framesSinceMark = 0;
  function mark(): void {
    framesSinceMark = 0;
    if (capabilities.marks === 'none') return;
    marks += 1;
    const name = `m${marks}`;
    ledger.addMark(name);
    sendMark(name);
  }
  return {
    mark,
    countFrame(isLast) {
      framesSinceMark += 1;
      if (isLast || framesSinceMark >= FRAMES_PER_MARK) mark();
    },
  };
}

class CallPlayout implements Playout {
  readonly #options: PlayoutOptions;
  readonly #leadMs: number;
  readonly #ledger = new PlayoutLedger();
  readonly #queue = new PlayoutQueue();
  readonly #marker: ReturnType<typeof createMarker>;
  readonly #frame = new Uint8Array(FRAME_BYTES);
  #mode: Mode = 'playing';
  #pace: MetronomeHandle | null = null;
  /** The item that has no frame ready though its feeding is not interrupted, and when the caller begins to notice. */
  #starving: { readonly item: QueuedItem; readonly sinceMs: number } | null = null;

  constructor(options: PlayoutOptions) {
    this.#options = options;
    this.#leadMs = Math.max(FRAME_MS, Math.min(options.leadMs ?? DEFAULT_LEAD_MS, MAX_LEAD_MS, options.capabilities.maxLeadMs));
    this.#marker = createMarker(this.#ledger, options);
  }

  begin(itemId: string): void {
    if (this.#mode === 'closed' || this.#queue.find(itemId) !== undefined) return;
    this.#ledger.begin(itemId);
    this.#queue.add(itemId);
  }

  append(itemId: string, audio: Uint8Array): void {
    const item = this.#queue.find(itemId);
    if (item === undefined || item.isEnded || audio.length === 0) return;
    const taken = this.#queue.append(item, audio, (id) => this.#ledger.sentBytes(id));
    this.#ledger.append(itemId, taken);
    if (taken < audio.length) this.#options.listener.onQueueOverflow(itemId, mulawDurationMs(audio.length - taken));
    this.#work(this.#nowMs());
  }

  end(itemId: string): void {
    const item = this.#queue.find(itemId);
    if (item === undefined || item.isEnded) return;
    item.isEnded = true;
    this.#ledger.end(itemId);
    if (this.#mode === 'playing' && item.length > 0 && this.#ledger.sentBytes(itemId) === item.length) this.#marker.mark();
    this.#work(this.#nowMs());
  }

  hold(): void {
    if (this.#mode === 'playing') this.#mode = 'held';
    this.#starving = null;
  }

  interrupt(): void {
    if (this.#mode === 'closed') return;
    this.#mode = 'held';
    this.#clearCarrier(this.#nowMs());
  }

  resume(): void {
    if (this.#mode !== 'held') return;
    this.#mode = 'playing';
    this.#work(this.#nowMs());
  }

  discard(): DiscardedItem[] {
    if (this.#mode === 'closed') return [];
    const nowMs = this.#nowMs();
    this.#clearCarrier(nowMs);
    const discarded = this.#queue.clear().map(({ itemId }) => {
      this.#ledger.settle(itemId, nowMs);
      return { itemId, heardMs: this.#ledger.position(itemId, nowMs).heardMs };
    });
    this.#rest();
    this.#mode = 'playing';
    return discarded;
  }

  position(itemId: string): PlayoutPosition {
    return this.#ledger.position(itemId, this.#nowMs());
  }

  onMark(name: string): void {
    const nowMs = this.#nowMs();
    if (this.#ledger.echo(name, nowMs)) this.#work(nowMs);
  }

  close(): void {
    this.#mode = 'closed';
    this.#rest();
    this.#queue.clear();
  }

  /** The metronome's call. */
  onDue(nowMs: number): void {
    this.#work(nowMs);
  }

  /** The metronome's call after a fault. */
  onFault(error: unknown): void {
    this.close();
    this.#options.onFault(error);
  }

  #nowMs(): number {
    return this.#options.clock.nowMs();
  }

  /** Feeds, reports what was heard, and keeps the metronome for as long as anything is unheard. */
  #work(nowMs: number): void {
    this.#feed(nowMs);
    this.#reportHeard(nowMs);
    if (this.#queue.items.length === 0) this.#rest();
    else this.#pace ??= this.#options.metronome.add(this, nowMs + FRAME_MS);
  }

  #rest(): void {
    this.#pace?.cancel();
    this.#pace = null;
    this.#starving = null;
  }

  #feed(nowMs: number): void {
    while (this.#mode === 'playing' && this.#ledger.playEndMs + FRAME_MS <= nowMs + this.#leadMs) {
      const item = this.#nextToSend();
      if (item === undefined || !this.#sendFrame(item, nowMs)) return;
    }
  }

  /** The first item that is not sent to its end. */
  #nextToSend(): QueuedItem | undefined {
    for (const item of this.#queue.items) if (!item.isEnded || this.#ledger.sentBytes(item.itemId) < item.length) return item;
    return undefined;
  }

  #sendFrame(item: QueuedItem, nowMs: number): boolean {
    const { listener, send } = this.#options;
    const offset = this.#ledger.sentBytes(item.itemId);
    const bytes = readFrame(item, offset, this.#frame);
    if (bytes === 0) {
      if (offset > 0 && this.#starving?.item !== item) this.#starving = { item, sinceMs: Math.max(nowMs, this.#ledger.playEndMs) };
      return false;
    }
    const gapMs = this.#starving?.item === item ? nowMs - this.#starving.sinceMs : 0;
    this.#starving = null;
    const playAtMs = this.#ledger.send(item.itemId, bytes, nowMs);
    send(this.#frame);
    this.#marker.countFrame(item.isEnded && offset + bytes === item.length);
    listener.onFrameSent(this.#frame, playAtMs);
    if (!item.hasStarted) {
      item.hasStarted = true;
      listener.onItemStarted(item.itemId, nowMs);
    }
    if (gapMs > 0) listener.onUnderrun(item.itemId, gapMs);
    return true;
  }

  #reportHeard(nowMs: number): void {
    for (;;) {
      const item = this.#queue.items[0];
      if (item === undefined || !this.#ledger.isHeard(item.itemId, nowMs)) return;
      this.#queue.shift();
      this.#ledger.settle(item.itemId, nowMs);
      this.#options.listener.onItemHeard(item.itemId, nowMs);
    }
  }

  /** Empties the carrier's buffer where that can be done and there may be anything in it. */
  #clearCarrier(nowMs: number): void {
    this.#starving = null;
    const { capabilities, sendClear, listener } = this.#options;
    if (!capabilities.clear || this.#ledger.playEndMs <= nowMs - MAX_CARRIER_DELAY_MS) return;
    sendClear();
    this.#ledger.clear(nowMs);
    listener.onCleared(nowMs);
  }
}
