import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createServerSentEventParser, maxLineLength, type ServerSentEvent } from './server-sent-events.js';

function parseAll(chunks: readonly string[]): ServerSentEvent[] {
  const events: ServerSentEvent[] = [];
  const parse = createServerSentEventParser((event) => events.push(event));
  for (const chunk of chunks) parse(chunk);
  return events;
}

describe('createServerSentEventParser', () => {
  it('reads names, ids, several data lines and comments', () => {
    const text = ': hello\nid: 7\nevent: run-event\ndata: {"a":\ndata: 1}\n\ndata:bare\n\n';
    expect(parseAll([text])).toEqual([
      { event: 'run-event', data: '{"a":\n1}', id: '7' },
      { event: 'message', data: 'bare', id: '7' },
    ]);
  });

  it('dispatches nothing for an event without data and nothing for an unfinished one', () => {
    expect(parseAll(['event: ping\n\ndata: half\n'])).toEqual([]);
  });

  it.each(['\n', '\r\n', '\r'])('finds the same events however the text is cut, with line end %j', (lineEnd) => {
    const text = ['id: 1', 'data: one', '', 'event: x', 'data: two', 'data:  three', '', ''].join(lineEnd) + lineEnd;
    const expected = parseAll([`${text}: end\n`]);
    expect(expected).toEqual([
      { event: 'message', data: 'one', id: '1' },
      { event: 'x', data: 'two\n three', id: '1' },
    ]);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 12 }), (cuts) => {
        const points = [0, ...cuts.toSorted((a, b) => a - b), text.length];
        const chunks = points.slice(1).map((point, index) => text.slice(points[index], point));
        expect(parseAll([...chunks, ': end\n'])).toEqual(expected);
      }),
    );
  });

  it('refuses a line without end', () => {
    expect(() => parseAll(['x'.repeat(maxLineLength + 1)])).toThrow(RangeError);
  });
});
