import { isDeepStrictEqual } from 'node:util';
import type { ModelUsage } from '../speech/language-model.js';
import { createReplyGate, type ReplyGate } from './reply-gate.js';
import { startReply, type Reply, type ReplyListener, type ReplyOptions, type SpeechAction } from './reply.js';

/** A reply and what holds back its reports. */
export interface StartedReply {
  readonly reply: Reply;
  readonly gate: ReplyGate;
}

/** What the replies of a call are made with, and what they cost. */
export interface RepliesOptions extends Omit<ReplyOptions, 'id' | 'waitingSinceMs'> {
  /** Takes the reports of the reply with this id. */
  readonly listenerOf: (id: string) => ReplyListener;
  readonly onModelUsage: (usage: ModelUsage) => void;
  /** A prepared reply came to nothing. */
  readonly onDropped: (reply: Reply) => void;
}

/** Begins the replies of one call; one of them may be prepared, unheard, for words that may become the caller's turn. */
export interface Replies {
  /** Begins a reply to `speech`, or takes the one that was prepared for just this; another one is dropped. It reports once its gate is opened. */
  begin(speech: readonly SpeechAction[], waitingSinceMs: number): StartedReply;
  /** Begins a reply that waits for {@link begin}; returns its id. */
  prepare(speech: readonly SpeechAction[]): string;
  /** Stops the prepared reply, where there is one. */
  dropPrepared(): void;
}

/** Creates the replies of one call. */
export function createReplies(options: RepliesOptions): Replies {
  const { clock, listenerOf, onModelUsage, onDropped } = options;
  let count = 0;
  let prepared: { readonly speech: readonly SpeechAction[]; readonly started: StartedReply } | null = null;

  const start = (speech: readonly SpeechAction[], waitingSinceMs: number): StartedReply => {
    count += 1;
    const id = `reply-${count}`;
    const gate = createReplyGate(listenerOf(id), dropPrepared);
    const listener: ReplyListener = {
      ...gate.listener,
      onPassEnded(pass) {
        // It is paid for, heard or not.
        if (pass.usage !== undefined) onModelUsage(pass.usage);
        return gate.listener.onPassEnded(pass);
      },
    };
    return { reply: startReply(speech, { ...options, id, waitingSinceMs }, listener), gate };
  };

  const dropPrepared = () => {
    if (prepared === null) return;
    const { reply, gate } = prepared.started;
    prepared = null;
    reply.cancel();
    gate.close();
    onDropped(reply);
  };

  return {
    begin(speech, waitingSinceMs) {
      if (prepared === null || !isDeepStrictEqual(prepared.speech, speech)) {
        dropPrepared();
        return start(speech, waitingSinceMs);
      }
      const { started } = prepared;
      prepared = null;
      return started;
    },
    prepare(speech) {
      dropPrepared();
      const started = start(speech, clock.nowMs());
      prepared = { speech, started };
      return started.reply.id;
    },
    dropPrepared,
  };
}
