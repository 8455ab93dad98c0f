import type { AgentStreamError } from '../../../base/errors.js';
import type { ResponseEnd } from './messages.js';
import type { OpenResponse } from './response.js';

/** The responses that were asked for and have not ended, found by the key of their request or by the vendor's own id. */
export interface ResponseBook {
  /** True while the vendor may still write to the conversation. */
  readonly isConversing: boolean;
  /** Enters a response; returns the key of its request. */
  enter(response: OpenResponse, isConversation: boolean): string;
  /** The vendor began the response to the request; `key` null: to the oldest that it has not begun. */
  begin(responseId: string, key: string | null): void;
  of(responseId: string): OpenResponse | undefined;
  finish(responseId: string, end: ResponseEnd): void;
  /** The vendor refused a request. */
  refuse(key: string, error: AgentStreamError): void;
  /** Everything is lost. */
  fail(error: AgentStreamError): void;
}

interface Entry {
  readonly response: OpenResponse;
  readonly isConversation: boolean;
  /** The vendor's id; null: it has not begun. */
  responseId: string | null;
}

/** Creates an empty book. `onChange` runs when a response has left it. */
export function createResponseBook(onChange: () => void): ResponseBook {
  const entries = new Map<string, Entry>();
  let count = 0;

  const find = (responseId: string) => [...entries].find(([, entry]) => entry.responseId === responseId);
  const remove = (key: string) => {
    entries.delete(key);
    onChange();
  };

  return {
    get isConversing() {
      return [...entries.values()].some(({ isConversation }) => isConversation);
    },
    enter(response, isConversation) {
      count += 1;
      const key = `request-${count}`;
      entries.set(key, { response, isConversation, responseId: null });
      return key;
    },
    begin(responseId, key) {
      const entry = key === null ? [...entries.values()].find((waiting) => waiting.responseId === null) : entries.get(key);
      if (entry === undefined) return;
      entry.responseId = responseId;
      entry.response.begin(responseId);
    },
    of: (responseId) => find(responseId)?.[1].response,
    finish(responseId, end) {
      const found = find(responseId);
      if (found === undefined) return;
      found[1].response.finish(end);
      remove(found[0]);
    },
    refuse(key, error) {
      entries.get(key)?.response.fail(error);
      remove(key);
    },
    fail(error) {
      const lost = [...entries.values()];
      entries.clear();
      for (const { response } of lost) response.fail(error);
      onChange();
    },
  };
}
