import { FRAME_BYTES, FRAME_MS } from '../audio/frame.js';
import { alawToMulaw, mulawToAlaw } from '../audio/g711.js';
import { createCallerVoice, type SpokenSpan } from './caller-voice.js';
import { fateOfFrame, type CarrierFault } from './carrier-faults.js';
import * as wire from './cloudonix-wire.js';
import { createPlayoutBuffer, type MarkEcho, type PlayoutStats } from './playout-buffer.js';
import { createTrack } from './track.js';

/** Violations kept in full; more are only counted. */
const KEPT_VIOLATIONS_LIMIT = 20;

/** What happens to the audio of a call. Times are milliseconds of the call's timeline: 0 is the `start` message. */
export type MediaEvent =
  /** The play-out buffer, empty before, received audio that plays from `atMs`. */
  | { readonly type: 'agent-audio-started'; readonly atMs: number }
  /** The play-out buffer ran empty. */
  | { readonly type: 'agent-audio-ended'; readonly atMs: number }
  | { readonly type: 'cleared'; readonly atMs: number; readonly droppedMs: number }
  | { readonly type: 'mark-received'; readonly name: string; readonly atMs: number }
  | { readonly type: 'mark-echoed'; readonly name: string; readonly atMs: number }
  /** The server sent something no carrier understands. */
  | { readonly type: 'violation-found'; readonly problem: string; readonly atMs: number };

/** What the play-out came to, and what was wrong with what the server sent. */
export interface ExchangeStats extends PlayoutStats {
  /** The first few problems. */
  readonly violations: readonly string[];
  readonly violationCount: number;
}

/** What an exchange needs from outside. */
export interface MediaExchangeOptions {
  readonly call: wire.CarrierCall;
  readonly echoMarks: MarkEcho;
  readonly faults: readonly CarrierFault[];
  readonly send: (text: string) => void;
  readonly onEvent: (event: MediaEvent) => void;
  /** Both sides of the 20 ms that have just passed; valid during the callback only. */
  readonly onFrame: (index: number, said: Uint8Array, heard: Uint8Array) => void;
}

/** The audio of one call as the carrier moves it: out of the caller's mouth, into the caller's ear. Has no clock of its own. */
export interface MediaExchange {
  /** Frames passed so far; the present is `frameCount * 20` ms. */
  readonly frameCount: number;
  /** Moves the call on by 20 ms: sends the caller's frame, plays the agent's, echoes marks. */
  passFrame(): void;
  /** Takes one message from the server at `atMs`. */
  receive(data: Buffer, isBinary: boolean, atMs: number): void;
  speak(audio: Uint8Array): Promise<SpokenSpan>;
  sendDtmf(digit: string): void;
  sendStop(): void;
  close(): void;
  recording(): { readonly caller: Uint8Array; readonly agent: Uint8Array };
  stats(): ExchangeStats;
}

/** Creates the exchange of a call that has just started. */
export function createMediaExchange(options: MediaExchangeOptions): MediaExchange {
  const { call, faults, send, onEvent } = options;
  const isAlaw = call.mediaFormat === 'alaw';
  const playout = createPlayoutBuffer(options.echoMarks);
  const voice = createCallerVoice();
  const callerTrack = createTrack();
  const violations: string[] = [];
  let violationCount = 0;
  let sequence = 1;
  let frameCount = 0;
  let heldFrame: string | null = null;
  let isPlaying = false;

  const nextSequence = () => (sequence += 1);

  const sendFrame = (index: number, said: Uint8Array) => {
    const audio = isAlaw ? mulawToAlaw(said) : said;
    const text = wire.serializeMedia(call.streamSid, nextSequence(), index, audio);
    const fate = fateOfFrame(faults, index, (index + 1) * FRAME_MS);
    if (fate === 'drop') return;
    if (fate === 'hold') {
      heldFrame = text;
      return;
    }
    send(text);
    if (fate === 'twice') send(text);
    if (heldFrame !== null) send(heldFrame);
    heldFrame = null;
  };

  const passFrame = () => {
    const index = frameCount;
    const said = voice.takeFrame(index);
    frameCount += 1;
    const atMs = frameCount * FRAME_MS;
    callerTrack.write(index * FRAME_BYTES, said);
    sendFrame(index, said);
    for (const name of playout.takeDueMarks(atMs)) {
      send(wire.serializeMark(call.streamSid, nextSequence(), name));
      onEvent({ type: 'mark-echoed', name, atMs });
    }
    if (isPlaying && playout.endMs <= atMs) {
      isPlaying = false;
      onEvent({ type: 'agent-audio-ended', atMs: playout.endMs });
    }
    options.onFrame(index, said, playout.heard.slice(index * FRAME_BYTES, frameCount * FRAME_BYTES));
  };

  const receive = (data: Buffer, isBinary: boolean, atMs: number) => {
    const message = isBinary ? wire.violation('binary frame') : wire.parseAgentMessage(data.toString('utf8'), call.streamSid);
    switch (message.type) {
      case 'media': {
        const startMs = playout.queue(isAlaw ? alawToMulaw(message.audio) : message.audio, atMs);
        if (!isPlaying) onEvent({ type: 'agent-audio-started', atMs: startMs });
        isPlaying = true;
        return;
      }
      case 'clear':
        return onEvent({ type: 'cleared', atMs, droppedMs: playout.clear(atMs) });
      case 'mark':
        playout.mark(message.name, atMs);
        return onEvent({ type: 'mark-received', name: message.name, atMs });
      case 'violation':
        violationCount += 1;
        if (violations.length < KEPT_VIOLATIONS_LIMIT) violations.push(message.problem);
        return onEvent({ type: 'violation-found', problem: message.problem, atMs });
    }
  };

  return {
    get frameCount() {
      return frameCount;
    },
    passFrame,
    receive,
    speak: (audio) => voice.speak(audio),
    sendDtmf: (digit) => send(wire.serializeDtmf(call.streamSid, nextSequence(), digit)),
    sendStop: () => send(wire.serializeStop(call, nextSequence())),
    close: () => voice.close(frameCount),
    recording: () => ({
      caller: callerTrack.slice(0, frameCount * FRAME_BYTES),
      agent: playout.heard.slice(0, frameCount * FRAME_BYTES),
    }),
    stats: () => ({ ...playout.stats, violations: [...violations], violationCount }),
  };
}
