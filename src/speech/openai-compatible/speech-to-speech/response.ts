import { mulawDurationMs } from '../../../audio/frame.js';
import { createPartQueue } from '../../part-queue.js';
import type { RealtimePart } from '../../realtime-model.js';
import { itemDelete, itemTruncate, responseCancel, type ResponseEnd, type ServerEvent } from './messages.js';

/** A message item of a response and how much speech the vendor sent of it. */
interface SpokenItem {
  readonly id: string;
  audioMs: number;
}

/** One response that was asked for. */
export interface OpenResponse {
  readonly parts: AsyncIterable<RealtimePart>;
  /** True once somebody gave it up before its end. */
  readonly isGivenUp: boolean;
  /** The vendor has begun it under this id. */
  begin(responseId: string): void;
  take(event: ServerEvent): void;
  /** The vendor has ended it. */
  finish(end: ResponseEnd): void;
  /** Nobody wants the rest: the vendor is told as soon as it can be. */
  giveUp(reason: unknown): void;
  /** It is lost with its connection, or was refused. */
  fail(error: unknown): void;
  /** The caller heard so much of it: the vendor's memory keeps no more. */
  settle(heardMs: number): void;
}

/** What cuts a response's items to `heardMs` of their speech. */
function truncations(items: readonly SpokenItem[], heardMs: number): readonly string[] {
  let leftMs = heardMs;
  const messages: string[] = [];
  for (const { id, audioMs } of items) {
    if (leftMs <= 0) messages.push(itemDelete(id));
    else if (leftMs < audioMs) messages.push(itemTruncate(id, leftMs));
    leftMs -= audioMs;
  }
  return messages;
}

/** Creates the record of a response. `send` reaches the connection that it was asked on, and no other. */
export function createOpenResponse(send: (message: string) => void): OpenResponse {
  const queue = createPartQueue<RealtimePart>();
  const items: SpokenItem[] = [];
  let phase: 'asked' | 'running' | 'over' = 'asked';
  let responseId = '';
  let isGivenUp = false;
  let hasCalls = false;
  let heardMs = Infinity;

  const truncate = () => {
    for (const message of truncations(items, heardMs)) send(message);
  };
  const cancel = () => {
    if (phase === 'running') send(responseCancel(responseId));
  };
  const giveUp = (reason: unknown) => {
    if (isGivenUp || phase === 'over') return;
    isGivenUp = true;
    queue.fail(reason);
    // Before the vendor has named it there is nothing that could be cancelled.
    cancel();
  };

  return {
    parts: queue.parts,
    get isGivenUp() {
      return isGivenUp;
    },
    begin(id) {
      responseId = id;
      phase = 'running';
      if (isGivenUp) cancel();
    },
    take(event) {
      if (event.type === 'item-added' && event.isMessage) items.push({ id: event.itemId, audioMs: 0 });
      else if (event.type === 'text') queue.push({ type: 'text-delta', text: event.text });
      else if (event.type === 'audio') {
        const item = items.find(({ id }) => id === event.itemId);
        if (item !== undefined) item.audioMs += mulawDurationMs(event.audio.length);
        queue.push({ type: 'audio', audio: event.audio });
      } else if (event.type === 'call') {
        hasCalls = true;
        queue.push({ type: 'tool-call', toolCall: { id: event.id, name: event.name, argumentsJson: event.argumentsJson } });
      }
    },
    finish({ reason, usage, error }) {
      phase = 'over';
      truncate();
      if (error !== null) return queue.fail(error);
      queue.push({ type: 'finish', reason: reason === 'stop' && hasCalls ? 'tool-calls' : reason, usage });
      queue.end();
    },
    giveUp,
    fail(error) {
      phase = 'over';
      items.length = 0;
      queue.fail(error);
    },
    settle(ms) {
      heardMs = Math.min(heardMs, ms);
      if (phase === 'over') truncate();
    },
  };
}
