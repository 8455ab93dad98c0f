import type { Recognition } from '../recogniser-wire.js';

/** Items whose text is waited for; a vendor that begins more forgets the oldest. */
const MAX_ITEMS = 32;
/** Longest text of an item. */
const MAX_CHARACTERS = 20_000;

/** A stretch of a session's audio whose text is under way. Times in ms of the connection's audio. */
interface Item {
  readonly id: string | null;
  startMs: number;
  /** Null while the stretch is open. */
  endMs: number | null;
  text: string;
  isSettled: boolean;
  /** This side asked for it to be closed. */
  isAsked: boolean;
}

/** The items of one session, in the order of their audio: texts of different items may come in any order. */
export interface RealtimeItems {
  /** Speech began in an item. */
  begin(id: string, startMs: number): void;
  /** The vendor heard the end of an item's speech. */
  end(id: string, endMs: number): void;
  /** More text of an item. */
  write(id: string, text: string): void;
  /** An item's audio is complete: closed by the vendor where `end` came before, else by the oldest commit of this side. */
  commit(id: string): void;
  /** An item's text is complete; null: as it was written. Items that it held back are complete with it. */
  settle(id: string, text: string | null): readonly Recognition[];
  /** This side asks for everything before `endMs`. */
  ask(endMs: number): void;
  /** The vendor refused the oldest commit: it has nothing that is not in an item. */
  refuse(): readonly Recognition[];
  /** All text that is not settled. */
  readonly text: string;
}

/** Creates an empty list. `endsTurns`: the end that the vendor hears is the end of a turn. `onPause` is asked whether such an end is a pause. */
export function createRealtimeItems(endsTurns: boolean, onPause: () => boolean): RealtimeItems {
  const items: Item[] = [];
  const asked: number[] = [];
  let committedMs = 0;

  function itemOf(id: string): Item {
    const known = items.find((item) => item.id === id);
    if (known !== undefined) return known;
    const item: Item = { id, startMs: committedMs, endMs: null, text: '', isSettled: false, isAsked: false };
    if (items.length >= MAX_ITEMS) items.shift();
    items.push(item);
    return item;
  }

  /** What the vendor's own end of an item means. */
  function endOf(endMs: number): Recognition[] {
    const covered: Recognition = { type: 'audio-covered', endMs };
    // The caller speaks again already: the turn goes on in the item behind.
    if (items.length > 0) return [covered];
    if (endsTurns) return [{ type: 'turn-end' }, covered];
    return onPause() ? [{ type: 'turn-pause' }, covered] : [covered];
  }

  function drain(): readonly Recognition[] {
    const found: Recognition[] = [];
    for (let head = items[0]; head?.isSettled === true; head = items[0]) {
      items.shift();
      const { startMs, isAsked } = head;
      const endMs = Math.max(startMs, head.endMs ?? startMs);
      if (head.id !== null) found.push({ type: 'text-settled', text: head.text.trim(), startMs, endMs });
      if (isAsked) found.push({ type: 'finalize-answered', endMs });
      else found.push(...endOf(endMs));
    }
    return found;
  }

  return {
    begin(id, startMs) {
      itemOf(id).startMs = Math.max(committedMs, startMs);
    },
    end(id, endMs) {
      itemOf(id).endMs = endMs;
    },
    write(id, text) {
      const item = itemOf(id);
      item.text = (item.text + text).slice(0, MAX_CHARACTERS);
    },
    commit(id) {
      const item = itemOf(id);
      if (item.endMs === null) {
        const endMs = asked.shift();
        item.isAsked = endMs !== undefined;
        item.endMs = endMs ?? committedMs;
      }
      committedMs = Math.max(committedMs, item.endMs);
    },
    settle(id, text) {
      const item = itemOf(id);
      if (text !== null) item.text = text;
      item.isSettled = true;
      return drain();
    },
    ask: (endMs) => void asked.push(endMs),
    refuse() {
      const endMs = asked.shift();
      if (endMs === undefined) return [];
      items.push({ id: null, startMs: endMs, endMs, text: '', isSettled: true, isAsked: true });
      return drain();
    },
    get text() {
      return items.map((item) => item.text.trim()).filter((text) => text !== '').join(' ');
    },
  };
}
