import { systemClock, type Clock, type Timer } from '../../../src/base/clock.js';
import { babble } from './speech-audio.js';
import type { SocketFault, UpgradeFault } from './vendor-server.js';

const BYTES_PER_MS = 8;
const ODD_BYTES = 333;
const MS_PER_CHARACTER = 60;
const babbleSource = babble(20_000);

/** How fast a fake voice speaks. */
export interface VoicePace {
  readonly clock?: Clock;
  /** From the text to its first chunk. Default 0. */
  readonly firstByteMs?: number;
  /** How many times faster than real time chunks come. Default 8. */
  readonly pace?: number;
  /** Audio per chunk. Default 100. */
  readonly chunkMs?: number;
  /** Speaks a text as 8 kHz mu-law; in place of babble of 60 ms per character. */
  readonly render?: (text: string) => Buffer | Promise<Buffer>;
}

/** What may go wrong with a fake voice. */
export type VoiceFault =
  | { readonly upgrade: UpgradeFault }
  /** Happens once this much audio has been sent on the connection. */
  | { readonly socket: SocketFault; readonly afterAudioMs: number }
  /** Audio stops for good after this much. */
  | { readonly audio: 'stall'; readonly afterAudioMs: number }
  /** Chunks of odd sizes that fit no frame. */
  | { readonly audio: 'odd-sizes' }
  /** Chunks without a byte. */
  | { readonly audio: 'empty' }
  /** Two more chunks after each cancel. */
  | { readonly audio: 'late-after-cancel' }
  /** Something unreadable in place of each chunk. */
  | { readonly audio: 'garbage' }
  /** The vendor's error of this name or number in place of audio. */
  | { readonly error: string };

/** One piece of a text's speech. */
export interface SpeechChunk {
  readonly text: string;
  readonly audio: Buffer;
  /** Where it starts in the speech of its text, and how long that is, ms. */
  readonly offsetMs: number;
  readonly totalMs: number;
}

/** Speaks texts one after the other, in chunks and in time. */
export interface SpeechQueue {
  say(text: string): void;
  /** Runs `callback` when everything said so far has been sent: at once where that is so. */
  mark(callback: () => void): void;
  /** Drops what has not been sent, and the marks. */
  clear(): void;
}

type Item = { readonly kind: 'text'; readonly text: string; audio: Buffer | null } | { readonly kind: 'mark'; readonly callback: () => void };

/** A chunk of babble, for audio that nobody asked for. */
export const strayChunk = (chunkMs = 100): Buffer => babbleSource.subarray(0, chunkMs * BYTES_PER_MS);

/** What `audio` a fault asks for; undefined: none. */
export function audioFaultOf(fault: VoiceFault | undefined): Extract<VoiceFault, { audio: string }>['audio'] | undefined {
  return fault !== undefined && 'audio' in fault ? fault.audio : undefined;
}

/** Creates an empty queue. `onChunk` sends one chunk; it may clear the queue. */
export function createSpeechQueue(options: VoicePace, fault: VoiceFault | undefined, onChunk: (chunk: SpeechChunk) => void): SpeechQueue {
  const { clock = systemClock, firstByteMs = 0, pace = 8, chunkMs = 100 } = options;
  const chunkBytes = audioFaultOf(fault) === 'odd-sizes' ? ODD_BYTES : chunkMs * BYTES_PER_MS;
  const render = options.render ?? ((text: string) => babbleSource.subarray(0, text.length * MS_PER_CHARACTER * BYTES_PER_MS));
  let items: Item[] = [];
  let timer: Timer | null = null;
  let offset = 0;
  let sentMs = 0;

  function wait(delayMs: number): void {
    timer = clock.setTimer(delayMs, step);
  }

  function step(): void {
    timer = null;
    const head = items[0];
    if (head === undefined) return;
    if (head.kind === 'mark') {
      items.shift();
      head.callback();
      if (timer === null) step();
      return;
    }
    // Still being rendered: its arrival steps again.
    if (head.audio === null) return;
    if (fault && 'audio' in fault && fault.audio === 'stall' && sentMs >= fault.afterAudioMs) return;
    const isEmpty = audioFaultOf(fault) === 'empty';
    const audio = isEmpty ? Buffer.alloc(0) : head.audio.subarray(offset, offset + chunkBytes);
    const chunk = { text: head.text, audio, offsetMs: offset / BYTES_PER_MS, totalMs: head.audio.length / BYTES_PER_MS };
    offset += isEmpty ? head.audio.length : audio.length;
    sentMs += audio.length / BYTES_PER_MS;
    if (offset >= head.audio.length) {
      items.shift();
      offset = 0;
    }
    wait(audio.length / BYTES_PER_MS / pace);
    onChunk(chunk);
  }

  return {
    say(text) {
      const item: Item = { kind: 'text', text, audio: null };
      const isFirst = items.length === 0 && timer === null;
      items.push(item);
      const onRendered = (audio: Buffer) => {
        item.audio = audio;
        if (items[0] === item && timer === null) wait(isFirst ? firstByteMs : 0);
      };
      const rendered = render(text);
      if (Buffer.isBuffer(rendered)) onRendered(rendered);
      else void rendered.then(onRendered);
    },
    mark(callback) {
      items.push({ kind: 'mark', callback });
      if (items.length === 1 && timer === null) step();
    },
    clear() {
      timer?.cancel();
      timer = null;
      items = [];
      offset = 0;
    },
  };
}
