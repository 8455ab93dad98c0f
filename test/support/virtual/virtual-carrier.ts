import { FRAME_BYTES, FRAME_MS, MULAW_SILENCE } from '../../../src/audio/frame.js';
import { repeat, type Clock, type Timer } from '../../../src/base/clock.js';
import {
  parseAgentMessage,
  serializeConnected,
  serializeDtmf,
  serializeMark,
  serializeMedia,
  serializeStart,
  serializeStop,
  type CarrierCall,
} from '../../../src/simulator/cloudonix-wire.js';
import { tagOf, voicedFrame } from './tagged-audio.js';
import { WireSocket, type ServerSide } from './wire-socket.js';

/** When the carrier echoes a mark: never, when its audio has played, so much later, or as soon as it comes. */
export type MarkEcho = 'never' | 'played' | 'at-once' | { readonly lateMs: number };

/** Length of one spoken word. */
export const WORD_MS = 300;

const WORD_FRAMES = WORD_MS / FRAME_MS;
const SILENCE = Buffer.alloc(FRAME_BYTES, MULAW_SILENCE);

/** What is on the caller's line besides words: 20 ms of mu-law for a time in ms; null for silence. */
export type LineSound = (atMs: number) => Uint8Array | null;

/** A frame of agent audio in the carrier's play-out. */
export interface HeardFrame {
  readonly playAtMs: number;
  readonly tag: number | null;
  readonly frame: Buffer;
}

/** What the server sent but media. */
export interface SentControl {
  readonly atMs: number;
  readonly type: 'clear' | 'mark' | 'close' | 'terminate';
  readonly code: number;
}

const carrierCall: CarrierCall = {
  domain: 'acme.cloudonix.net',
  session: 'session-token',
  callSid: 'call-sid',
  streamSid: 'ST-1',
  from: '+12125550100',
  to: '+12125550199',
  customParameters: {},
  mediaFormat: 'mulaw',
};

/** A caller and a Cloudonix in front of one socket, in virtual time. The caller's line sends a frame every 20 ms from the start. */
export class VirtualCarrier {
  readonly socket: WireSocket;
  /** What the caller hears or is about to hear, cleared audio left out. */
  readonly heard: HeardFrame[] = [];
  /** When the server sent each frame of media, cleared ones too. */
  readonly mediaSentAtMs: number[] = [];
  readonly controls: SentControl[] = [];
  /** Breaches of the protocol by the server. */
  readonly violations: string[] = [];
  /** When the caller's last sound was over. */
  voiceEndMs = 0;
  /** Media messages the server sent after the carrier said `stop`. */
  mediaAfterStop = 0;
  readonly #clock: Clock;
  readonly #line: Buffer[] = [];
  readonly #wordsByTag = new Map<number, string>();
  readonly #echoes = new Set<Timer>();
  #pump: Timer | null = null;
  #background: LineSound | null = null;
  #media: 'flowing' | 'lost' | 'silent' = 'flowing';
  #hasStopped = false;
  #playEndMs = 0;
  #lastTag = 0;
  #frameIndex = 0;
  #sequence = 2;
  #untaggedFrames = 0;

  constructor(
    clock: Clock,
    private readonly options: { readonly marks: MarkEcho; readonly playoutDelayMs: number },
  ) {
    this.#clock = clock;
    this.socket = new WireSocket(clock, (did) => this.#onServer(did));
    this.socket.on('close', () => this.#rest());
  }

  /** Sends the handshake; media follows at once. */
  open(handshake: readonly string[] = [serializeConnected(), serializeStart(carrierCall)]): void {
    for (const message of handshake) this.socket.deliver(message);
    this.#pump = repeat(this.#clock, FRAME_MS, () => this.#sendFrame());
  }

  /** The caller speaks from now, after what is still to be said: {@link WORD_MS} per word. Returns when the last word ends. */
  says(text: string): number {
    for (const word of text.split(' ')) {
      for (let frame = 0; frame < WORD_FRAMES; frame += 1) {
        this.#lastTag += 1;
        this.#line.push(voicedFrame(this.#lastTag));
      }
      this.#wordsByTag.set(this.#lastTag, word);
    }
    return this.#clock.nowMs() + this.#line.length * FRAME_MS;
  }

  /** The caller falls silent for so long before the next words. */
  pauses(ms: number): void {
    for (let atMs = 0; atMs < ms; atMs += FRAME_MS) this.#line.push(SILENCE);
  }

  /** A sound like speech that holds no words. */
  coughs(ms: number): void {
    for (let atMs = 0; atMs < ms; atMs += FRAME_MS) {
      this.#untaggedFrames += 1;
      const frame = voicedFrame(0, this.#untaggedFrames);
      frame.fill(MULAW_SILENCE, 0, 1);
      this.#line.push(frame);
    }
  }

  /** Plays a sound wherever the caller says nothing, from now until another one, or null. */
  setBackground(sound: LineSound | null): void {
    this.#background = sound;
  }

  /** The agent's frame that is in the caller's ear at a time; null where the agent is silent. */
  frameHeardAt(atMs: number): Uint8Array | null {
    return this.heard.findLast(({ playAtMs }) => playAtMs <= atMs && atMs < playAtMs + FRAME_MS)?.frame ?? null;
  }

  /** Nothing the caller was about to say is said. */
  fallsSilent(): void {
    this.#line.length = 0;
  }

  /** The word whose last frame this is. */
  wordEndingIn(frame: Uint8Array): string | undefined {
    const tag = tagOf(frame);
    return tag === null ? undefined : this.#wordsByTag.get(tag);
  }

  presses(digit: string): void {
    this.socket.deliver(serializeDtmf(carrierCall.streamSid, (this.#sequence += 1), digit));
  }

  /** `lost`: frames are dropped on the way, and the stream's time goes on. `silent`: the carrier sends none. */
  setMedia(media: 'flowing' | 'lost' | 'silent'): void {
    this.#media = media;
  }

  /** The caller hangs up, or the provider ends the stream: `stop`, then the socket closes. */
  stops({ isClosing = true, message = serializeStop(carrierCall, (this.#sequence += 1)) } = {}): void {
    if (this.#hasStopped) return;
    this.socket.deliver(message);
    this.#hasStopped = true;
    this.#pump?.cancel();
    if (isClosing) this.#later(20, () => this.socket.closeByPeer(1000, 'stream ended'));
  }

  /** The socket closes without a `stop`. */
  closes(code = 1005): void {
    this.socket.closeByPeer(code);
  }

  /** Frames of the agent that had begun to play by now. */
  heardByNow(): readonly HeardFrame[] {
    const nowMs = this.#clock.nowMs();
    return this.heard.filter((each) => each.playAtMs < nowMs);
  }

  /** When the server sent its controls of a type. */
  controlsAt(type: SentControl['type']): number[] {
    return this.controls.filter((control) => control.type === type).map(({ atMs }) => atMs);
  }

  /** Longest silence of the agent between two times. */
  longestSilenceMs(fromMs: number, toMs: number): number {
    let longestMs = 0;
    let lastMs = fromMs;
    for (const { playAtMs } of this.heard) {
      if (playAtMs < fromMs || playAtMs > toMs) continue;
      longestMs = Math.max(longestMs, playAtMs - lastMs);
      lastMs = playAtMs + FRAME_MS;
    }
    return Math.max(longestMs, toMs - lastMs);
  }

  #sendFrame(): void {
    const word = this.#line.shift();
    if (word !== undefined && word !== SILENCE) this.voiceEndMs = this.#clock.nowMs() + FRAME_MS;
    const frame = word ?? this.#background?.(this.#clock.nowMs()) ?? SILENCE;
    if (this.#media === 'silent') return;
    const index = this.#frameIndex;
    this.#frameIndex += 1;
    this.#sequence += 1;
    if (this.#media === 'flowing') this.socket.deliver(serializeMedia(carrierCall.streamSid, this.#sequence, index, frame));
  }

  #onServer(did: ServerSide): void {
    if (did.type !== 'message') {
      this.controls.push({ atMs: did.atMs, type: did.type, code: did.code });
      return;
    }
    if (this.socket.isOver) {
      this.violations.push('a message after the close');
      return;
    }
    const message = parseAgentMessage(did.text, carrierCall.streamSid);
    switch (message.type) {
      case 'media':
        return this.#play(message.audio, did.atMs);
      case 'mark':
        this.controls.push({ atMs: did.atMs, type: 'mark', code: 0 });
        return this.#echo(message.name);
      case 'clear':
        this.controls.push({ atMs: did.atMs, type: 'clear', code: 0 });
        return this.#clear(did.atMs);
      case 'violation':
        this.violations.push(message.problem);
    }
  }

  #play(audio: Uint8Array, nowMs: number): void {
    if (this.#hasStopped) {
      this.mediaAfterStop += 1;
      return;
    }
    for (let at = 0; at < audio.length; at += FRAME_BYTES) {
      const frame = Buffer.from(audio.subarray(at, at + FRAME_BYTES));
      const playAtMs = Math.max(nowMs + this.options.playoutDelayMs, this.#playEndMs);
      this.#playEndMs = playAtMs + FRAME_MS;
      this.mediaSentAtMs.push(nowMs);
      this.heard.push({ playAtMs, tag: tagOf(frame), frame });
    }
  }

  #clear(nowMs: number): void {
    while ((this.heard.at(-1)?.playAtMs ?? -1) >= nowMs) this.heard.pop();
    this.#playEndMs = Math.min(this.#playEndMs, nowMs);
  }

  #echo(name: string): void {
    const { marks } = this.options;
    if (marks === 'never') return;
    const echo = () => this.socket.deliver(serializeMark(carrierCall.streamSid, (this.#sequence += 1), name));
    const playedInMs = Math.max(0, this.#playEndMs - this.#clock.nowMs());
    if (marks === 'at-once') this.#later(1, echo);
    else this.#later(playedInMs + (marks === 'played' ? 0 : marks.lateMs), echo);
  }

  #later(delayMs: number, act: () => void): void {
    const timer = this.#clock.setTimer(delayMs, () => {
      this.#echoes.delete(timer);
      act();
    });
    this.#echoes.add(timer);
  }

  #rest(): void {
    this.#pump?.cancel();
    for (const timer of this.#echoes) timer.cancel();
    this.#echoes.clear();
  }
}
