import { FRAME_BYTES, FRAME_MS, MULAW_SILENCE, mulawDurationMs } from '../audio/frame.js';
import type { Metronome, MetronomeHandle } from '../audio/pacer.js';
import type { Clock } from '../base/clock.js';
import type { DialectCapabilities } from './dialect.js';
import { MAX_CARRIER_DELAY_MS, createPlayoutLedger, type PlayoutPosition } from './playout-ledger.js';
import { MAX_QUEUED_BYTES, appendAudio, createQueuedItem, readFrame, type QueuedItem } from './playout-queue.js';

/** Audio kept at the carrier beyond real time, by default: bridges a stall of that length. */
const DEFAULT_LEAD_MS = 100;

/** A longer lead makes interruptions sluggish where the carrier cannot clear. */
const MAX_LEAD_MS = 200;

/** A mark goes out with every item's end and about once a second. */
const FRAMES_PER_MARK = 50;

/** An item's store up to this size is used again for the next: 32 s. */
const MAX_SPARE_BYTES = 256_000;

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
  /** Default 100, at most 200 and what the carrier allows. */
  readonly leadMs?: number;
  readonly listener: PlayoutListener;
  /** A fault while sending: the playout has closed. */
  readonly onFault: (error: unknown) => void;
}

/** Feeding, waiting for a decision, or done. */
type Mode = 'playing' | 'held' | 'closed';

/** Creates the playout of one call, silent until the first item has a frame. */
export function createPlayout(options: PlayoutOptions): Playout {
  const { clock, listener, capabilities } = options;
  const leadMs = Math.max(FRAME_MS, Math.min(options.leadMs ?? DEFAULT_LEAD_MS, MAX_LEAD_MS, capabilities.maxLeadMs));
  const ledger = createPlayoutLedger();
  const frame = Buffer.alloc(FRAME_BYTES, MULAW_SILENCE);
  let items: QueuedItem[] = [];
  let mode: Mode = 'playing';
  let pace: MetronomeHandle | null = null;
  let spareStore: Buffer | null = null;
  let markCount = 0;
  let framesSinceMark = 0;
  /** The item that had no frame ready in time, while its feeding was not interrupted. */
  let starving: QueuedItem | null = null;

  const participant = {
    onDue: (nowMs: number) => work(nowMs),
    onFault(error: unknown) {
      close();
      options.onFault(error);
    },
  };

  /** Feeds, reports what was heard, and keeps the metronome for as long as anything is unheard. */
  function work(nowMs: number): void {
    if (mode === 'playing') feed(nowMs);
    reportHeard(nowMs);
    if (mode === 'closed') return;
    if (items.length === 0) rest();
    else pace ??= options.metronome.add(participant, nowMs + FRAME_MS);
  }

  function rest(): void {
    pace?.cancel();
    pace = null;
  }

  /** The first item that is not sent to its end. */
  function nextToSend(): QueuedItem | undefined {
    for (const item of items) if (!item.isEnded || ledger.sentBytes(item.itemId) < item.length) return item;
    return undefined;
  }

  function feed(nowMs: number): void {
    for (let item = nextToSend(); item !== undefined && mode === 'playing'; item = nextToSend()) {
      if (ledger.playEndMs() + FRAME_MS > nowMs + leadMs) return;
      if (!sendFrame(item, nowMs)) return;
    }
  }

  function sendFrame(item: QueuedItem, nowMs: number): boolean {
    const offset = ledger.sentBytes(item.itemId);
    const bytes = readFrame(item, offset, frame);
    if (bytes === 0) {
      starving = offset > 0 ? item : null;
      return false;
    }
    const gapMs = starving === item ? nowMs - ledger.playEndMs() : 0;
    starving = null;
    const playAtMs = ledger.send(item.itemId, bytes, nowMs);
    options.send(frame);
    framesSinceMark += 1;
    if (framesSinceMark >= FRAMES_PER_MARK || (item.isEnded && offset + bytes === item.length)) sendMark();
    listener.onFrameSent(frame, playAtMs);
    if (offset === 0) listener.onItemStarted(item.itemId, nowMs);
    if (gapMs > 0) listener.onUnderrun(item.itemId, gapMs);
    return true;
  }

  function sendMark(): void {
    framesSinceMark = 0;
    if (capabilities.marks === 'none') return;
    markCount += 1;
    const name = `m${markCount}`;
    ledger.addMark(name);
    options.sendMark(name);
  }

  function reportHeard(nowMs: number): void {
    for (let item = items[0]; item !== undefined && ledger.isHeard(item.itemId, nowMs); item = items[0]) {
      items.shift();
      ledger.settle(item.itemId, nowMs);
      spareStore = item.audio.length <= MAX_SPARE_BYTES ? item.audio : null;
      listener.onItemHeard(item.itemId, nowMs);
    }
  }

  function find(itemId: string): QueuedItem | undefined {
    return mode === 'closed' ? undefined : items.find((item) => item.itemId === itemId);
  }

  function roomFor(audio: Uint8Array): number {
    const waiting = items.reduce((sum, item) => sum + item.length - ledger.sentBytes(item.itemId), 0);
    return Math.max(0, Math.min(audio.length, MAX_QUEUED_BYTES - waiting));
  }

  function hasUnplayed(nowMs: number): boolean {
    return ledger.playEndMs() > nowMs - MAX_CARRIER_DELAY_MS;
  }

  /** Empties the carrier's buffer where there may be anything in it. */
  function clear(nowMs: number): void {
    starving = null;
    if (hasUnplayed(nowMs)) {
      options.sendClear();
      ledger.clear(nowMs);
      listener.onCleared(nowMs);
    }
  }

  function close(): void {
    mode = 'closed';
    rest();
    items = [];
    spareStore = null;
  }

  return {
    begin(itemId) {
      if (mode === 'closed' || find(itemId) !== undefined) return;
      ledger.begin(itemId);
      items.push(createQueuedItem(itemId, spareStore));
      spareStore = null;
    },
    append(itemId, audio) {
      const item = find(itemId);
      if (item === undefined || item.isEnded || audio.length === 0) return;
      const room = roomFor(audio);
      appendAudio(item, room === audio.length ? audio : audio.subarray(0, room));
      ledger.append(itemId, room);
      if (room < audio.length) listener.onQueueOverflow(itemId, mulawDurationMs(audio.length - room));
      work(clock.nowMs());
    },
    end(itemId) {
      const item = find(itemId);
      if (item === undefined || item.isEnded) return;
      item.isEnded = true;
      ledger.end(itemId);
      if (mode === 'playing' && item.length > 0 && ledger.sentBytes(itemId) === item.length) sendMark();
      work(clock.nowMs());
    },
    hold() {
      if (mode === 'playing') mode = 'held';
      starving = null;
    },
    interrupt() {
      if (mode === 'closed') return;
      mode = 'held';
      if (capabilities.clear) clear(clock.nowMs());
    },
    resume() {
      if (mode !== 'held') return;
      mode = 'playing';
      work(clock.nowMs());
    },
    discard() {
      if (mode === 'closed') return [];
      const nowMs = clock.nowMs();
      if (capabilities.clear) clear(nowMs);
      const discarded = items.map((item) => ({ itemId: item.itemId, heardMs: ledger.position(item.itemId, nowMs).heardMs }));
      for (const item of items) ledger.settle(item.itemId, nowMs);
      items = [];
      rest();
      mode = 'playing';
      return discarded;
    },
    position: (itemId) => ledger.position(itemId, clock.nowMs()),
    onMark(name) {
      if (mode === 'closed') return;
      const nowMs = clock.nowMs();
      if (ledger.echo(name, nowMs)) work(nowMs);
    },
    close,
  };
}
