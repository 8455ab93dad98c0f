/** One event of a stream (WHATWG HTML §9.2). */
export interface ServerSentEvent {
  /** `message` where the stream names none. */
  readonly event: string;
  readonly data: string;
  /** Last id seen so far; empty before the first. */
  readonly id: string;
}

/** Longest line kept, in characters; a longer one ends the stream with an error. */
export const maxLineLength = 1_000_000;

/** Turns chunks of text into events; keeps what is incomplete until the next chunk. */
export function createServerSentEventParser(onEvent: (event: ServerSentEvent) => void): (chunk: string) => void {
  let rest = '';
  let event = '';
  let id = '';
  let data: string[] = [];

  function takeLine(line: string): void {
    if (line === '') {
      if (data.length > 0) onEvent({ event: event === '' ? 'message' : event, data: data.join('\n'), id });
      event = '';
      data = [];
      return;
    }
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
    else if (field === 'id' && !value.includes('\u0000')) id = value;
  }

  return (chunk) => {
    rest += chunk;
    // A carriage return at the end may be the first half of a CRLF: it waits for the next chunk.
    for (let match = /\r\n|\n|\r(?!$)/.exec(rest); match !== null; match = /\r\n|\n|\r(?!$)/.exec(rest)) {
      const line = rest.slice(0, match.index);
      rest = rest.slice(match.index + match[0].length);
      takeLine(line);
    }
    if (rest.length > maxLineLength) throw new RangeError(`a line of the event stream exceeds ${maxLineLength} characters`);
  };
}
