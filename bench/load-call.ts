import { WebSocket } from 'ws';
import { FRAME_MS } from '../src/audio/frame.js';
import { benchDomain, benchSession } from './bench-call.js';
import { silentPayload, type Utterance } from './caller-audio.js';
import { createPlayoutLead, type PlayoutTotals } from './playout-lead.js';
import type { Samples } from './samples.js';
import { sharedNowMs } from './shared-clock.js';
import { readTurnId } from './turn-id.js';

/** What a caller does, and when. Times within a call count from the first agent audio. */
export interface CallPlan {
  readonly question: Utterance;
  readonly interruption: Utterance;
  /** From the agent's first audio to the first question. */
  readonly firstTurnMs: number;
  /** From one question to the next, whatever the agent does. */
  readonly turnPeriodMs: number;
  /** Every n-th answer is interrupted; 0 interrupts none. */
  readonly interruptEvery: number;
  /** From the answer's first audio to the interruption. */
  readonly interruptAfterMs: number;
}

/** What the generator measures over all calls; cleared when the measured window begins. */
export interface LoadTotals extends PlayoutTotals {
  /** Last speech frame sent → first agent media received. */
  readonly response: Samples;
  /** Upgrade accepted → first agent media received. */
  readonly greeting: Samples;
  /** First speech frame of an interruption sent → `clear` received. */
  readonly bargeIn: Samples;
  /** How late the generator itself sent its frames. */
  readonly tickLateness: Samples;
  /** Vendor's first audio byte of a turn sent → its first frame received, by the id in the audio. */
  readonly firstFrameAt: Map<string, number>;
  questions: number;
  /** Questions without an answer before the next one was due. */
  unanswered: number;
  interruptions: number;
  /** Interruptions that were not followed by `clear` within 2 s. */
  uncleared: number;
  framesSent: number;
  /** Calls that ended before the generator ended them. */
  dropped: number;
  closeCodes: Record<string, number>;
}

/** An interruption without `clear` for this long is counted as missed. */
const CLEAR_TIMEOUT_MS = 2000;

/** What the caller is doing. */
type Mouth =
  | { readonly name: 'silent' }
  | { readonly name: 'asking'; frame: number }
  | { readonly name: 'interrupting'; frame: number };

/** One call of the load generator. */
export interface LoadCall {
  /** When the next 20 ms frame is due, on the shared clock. */
  dueMs: number;
  readonly isOpen: boolean;
  /** Sends the frame that is due and decides what the caller does next. */
  tick(nowMs: number): void;
  hangUp(): void;
}

const PAYLOAD_KEY = Buffer.from('"payload":"');

/** Media in this form is not parsed; anything else is. */
const MEDIA_PREFIX = Buffer.from('{"event":"media"');
const isMedia = (data: Buffer) => data.subarray(0, MEDIA_PREFIX.length).equals(MEDIA_PREFIX);

/** Opens a call and starts its schedule once the server has accepted it. */
export function openLoadCall(url: string, id: number, plan: CallPlan, totals: LoadTotals): LoadCall {
  const socket = new WebSocket(url, { perMessageDeflate: false, generateMask: (mask) => void mask.fill(0) });
  const streamSid = `ST-bench-${id}`;
  const session = benchSession(id);
  const playout = createPlayoutLead(totals);
  let openedMs = 0;
  let firstAudioMs = 0;
  let frame = 0;
  let sequence = 1;
  let turn = 0;
  let interruptedTurn = 0;
  let nextTurnMs = Number.POSITIVE_INFINITY;
  let interruptAtMs = Number.POSITIVE_INFINITY;
  let onsetMs = 0;
  let speechEndMs = 0;
  let mouth: Mouth = { name: 'silent' };
  let isEnding = false;

  const send = (text: string) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(text);
  };
  const mediaText = (payload: string) =>
    `{"event":"media","sequenceNumber":"${(sequence += 1)}","streamSid":"${streamSid}","media":{"track":"inbound","chunk":${frame},"timestamp":"${(frame - 1) * FRAME_MS}","payload":"${payload}"}}`;

  const onFirstOfAnswer = (nowMs: number) => {
    totals.response.add(nowMs - speechEndMs);
    speechEndMs = 0;
    if (plan.interruptEvery === 0 || turn % plan.interruptEvery !== 0 || interruptedTurn === turn) return;
    interruptedTurn = turn;
    interruptAtMs = nowMs + plan.interruptAfterMs;
  };

  const onMedia = (data: Buffer, nowMs: number) => {
    const at = data.indexOf(PAYLOAD_KEY) + PAYLOAD_KEY.length;
    const end = data.lastIndexOf(0x22);
    const audioMs = Math.floor(((end - at) * 3) / 4 / 160) * FRAME_MS;
    if (firstAudioMs === 0) {
      firstAudioMs = nowMs;
      totals.greeting.add(nowMs - openedMs);
      nextTurnMs = nowMs + plan.firstTurnMs;
    } else if (speechEndMs > 0 && playout.queuedMs(nowMs) === 0) {
      const turnId = readTurnId(Buffer.from(data.toString('latin1', at, end), 'base64'));
      if (turnId !== null) totals.firstFrameAt.set(turnId, nowMs);
      onFirstOfAnswer(nowMs);
    }
    playout.add(audioMs, nowMs);
  };

  socket.on('message', (data: Buffer) => {
    const nowMs = sharedNowMs();
    if (isMedia(data)) return onMedia(data, nowMs);
    const message = JSON.parse(data.toString('utf8')) as { event: string; mark?: { name: string } };
    if (message.event !== 'clear') return;
    playout.clear(nowMs);
    if (onsetMs === 0) return;
    totals.bargeIn.add(nowMs - onsetMs);
    onsetMs = 0;
  });
  socket.on('open', () => {
    openedMs = sharedNowMs();
    call.dueMs = openedMs + FRAME_MS;
    send('{"event":"connected","protocol":"Call","version":"1.0.0"}');
    send(
      JSON.stringify({
        event: 'start',
        sequenceNumber: '1',
        streamSid,
        start: {
          streamSid,
          session,
          callSid: session,
          accountSid: benchDomain(id),
          from: `+1212555${String(id % 10_000).padStart(4, '0')}`,
          to: '+12125550199',
          context: 'inbound',
          tracks: ['inbound'],
          customParameters: {},
          mediaFormat: { encoding: 'audio/x-mulaw', sampleRate: 8000, channels: 1 },
        },
      }),
    );
  });
  socket.on('error', () => undefined);
  socket.on('close', (code, reason) => {
    const label = `${code} ${reason.toString('utf8')}`.trim();
    totals.closeCodes[label] = (totals.closeCodes[label] ?? 0) + 1;
    if (!isEnding) totals.dropped += 1;
    call.dueMs = Number.POSITIVE_INFINITY;
  });

  const startTurn = (nowMs: number) => {
    turn += 1;
    totals.questions += 1;
    if (speechEndMs > 0) totals.unanswered += 1;
    speechEndMs = 0;
    nextTurnMs = nowMs + plan.turnPeriodMs;
    mouth = { name: 'asking', frame: 0 };
  };

  const takePayload = (nowMs: number): string => {
    if (mouth.name === 'silent') return silentPayload;
    const utterance = mouth.name === 'asking' ? plan.question : plan.interruption;
    if (mouth.name === 'interrupting' && mouth.frame === 0) {
      onsetMs = nowMs;
      totals.interruptions += 1;
    }
    const payload = utterance[mouth.frame] ?? silentPayload;
    mouth.frame += 1;
    if (mouth.frame >= utterance.length) {
      mouth = { name: 'silent' };
      speechEndMs = nowMs;
      playout.endReply();
    }
    return payload;
  };

  const call: LoadCall = {
    dueMs: Number.POSITIVE_INFINITY,
    get isOpen() {
      return socket.readyState === WebSocket.OPEN;
    },
    tick(nowMs) {
      totals.tickLateness.add(nowMs - call.dueMs);
      if (nowMs >= nextTurnMs && mouth.name === 'silent') startTurn(nowMs);
      if (nowMs >= interruptAtMs && mouth.name === 'silent') {
        interruptAtMs = Number.POSITIVE_INFINITY;
        if (playout.queuedMs(nowMs) > 0) mouth = { name: 'interrupting', frame: 0 };
      }
      if (onsetMs > 0 && nowMs - onsetMs > CLEAR_TIMEOUT_MS) {
        totals.uncleared += 1;
        onsetMs = 0;
      }
      frame += 1;
      totals.framesSent += 1;
      send(mediaText(takePayload(nowMs)));
      call.dueMs += FRAME_MS;
    },
    hangUp() {
      isEnding = true;
      send(JSON.stringify({ event: 'stop', sequenceNumber: String(sequence + 1), streamSid, stop: { session, callSid: session } }));
      socket.close(1000);
    },
  };
  return call;
}
