import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../src/base/errors.js';
import type { StreamMessage, StreamStart } from '../../src/telephony/dialect.js';
import type { ProviderModule } from '../../src/telephony/provider.js';

/** Media as a reader delivered it. */
export interface ReadMedia {
  readonly payload: readonly number[];
  readonly sequence: number;
  readonly timestampMs: number;
}

/** One wire message and what the dialect makes of it. */
export interface WireCase {
  readonly name: string;
  readonly wire: string | Buffer;
  readonly isBinary?: boolean;
  readonly media?: readonly ReadMedia[];
  /** Partial messages; an empty list means that the message is passed over. */
  readonly messages?: readonly Partial<StreamMessage>[];
}

/** A start message and what must be found in it, or the code that refuses it. */
export interface StartCase {
  readonly name: string;
  readonly wire: string;
  readonly start?: Partial<StreamStart>;
  readonly code?: ErrorCode;
}

/** Recorded traffic of one dialect. */
export interface DialectFixtures {
  /** A complete start message. */
  readonly start: string;
  /** A media message of 20 ms, the bytes it carries. */
  readonly media: { readonly wire: string; readonly payload: readonly number[] };
  readonly starts: readonly StartCase[];
  readonly cases: readonly WireCase[];
  /** What the writer sends for given input on the stream of {@link DialectFixtures.start}. */
  readonly written: { readonly media: (audio: readonly number[]) => unknown; readonly mark: (name: string) => unknown; readonly clear: unknown };
}

/** Reads messages with a fresh reader. */
export function readAll(provider: ProviderModule, wires: readonly (string | Buffer)[], isBinary = false): { media: ReadMedia[]; messages: StreamMessage[] } {
  const media: ReadMedia[] = [];
  const messages: StreamMessage[] = [];
  const reader = provider.dialect.createReader({
    onMedia: (payload, sequence, timestampMs) => void media.push({ payload: [...payload], sequence, timestampMs }),
    onMessage: (message) => void messages.push(message),
  });
  for (const wire of wires) reader.read(Buffer.from(wire), isBinary);
  return { media, messages };
}

function startOf(provider: ProviderModule, wire: string): StreamStart {
  const message = readAll(provider, [wire]).messages[0];
  if (message?.type !== 'start') throw new Error(`The fixture is no start message: ${JSON.stringify(message)}`);
  return message.start;
}

/** Cuts, repeats and overwrites parts of a message. */
const mutation = (wire: string) =>
  fc
    .array(fc.tuple(fc.nat(wire.length), fc.nat(12), fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom('"', '{', '}', '\\', 'null', '[', ':'))), {
      minLength: 1,
      maxLength: 4,
    })
    .map((edits) => edits.reduce((text, [at, length, insert]) => text.slice(0, at) + insert + text.slice(at + length), wire));

/** Every dialect runs this suite against its recorded traffic. */
export function describeDialect(provider: ProviderModule, fixtures: DialectFixtures): void {
  const { dialect } = provider;

  describe(`dialect: ${provider.name}`, () => {
    it('declares a handshake that ends in the start message, and a sane lead', () => {
      expect(dialect.handshake.at(-1)).toBe('start');
      expect(dialect.capabilities.maxLeadMs).toBeGreaterThanOrEqual(20);
    });

    it.each(fixtures.starts)('start: $name', ({ wire, start, code }) => {
      const { messages, media } = readAll(provider, [wire]);
      expect(media).toEqual([]);
      expect(messages).toHaveLength(1);
      if (code === undefined) expect(messages[0]).toMatchObject({ type: 'start', start });
      else expect(messages[0]).toMatchObject({ type: 'malformed', code });
    });

    it.each(fixtures.cases)('message: $name', ({ wire, isBinary, media, messages }) => {
      const read = readAll(provider, [wire], isBinary);
      expect(read.media).toEqual(media ?? []);
      expect(read.messages).toHaveLength(messages?.length ?? 0);
      messages?.forEach((message, n) => expect(read.messages[n]).toMatchObject(message));
    });

    it('reads media of every length exactly, one after the other', () => {
      const lengths = [160, 1, 2, 3, 159, 161, 320, 8000, 160];
      for (const length of lengths) {
        const audio = Buffer.from(Array.from({ length }, (_, n) => (n * 7) & 0xff));
        const wire = fixtures.media.wire.replace(Buffer.from(fixtures.media.payload).toString('base64'), audio.toString('base64'));
        expect(readAll(provider, [fixtures.media.wire, wire]).media.map(({ payload }) => payload)).toEqual([fixtures.media.payload, [...audio]]);
      }
    });

    it('writes media, marks and clear as the provider expects them', () => {
      const writer = dialect.createWriter(startOf(provider, fixtures.start));
      const audio = Array.from({ length: 160 }, (_, n) => n);
      expect(JSON.parse(String(writer.media(Uint8Array.from(audio))))).toEqual(fixtures.written.media(audio));
      expect(JSON.parse(String(writer.media(Uint8Array.of(1, 2, 3))))).toEqual(fixtures.written.media([1, 2, 3]));
      expect(JSON.parse(String(writer.mark('m"1\\')))).toEqual(fixtures.written.mark('m"1\\'));
      expect(JSON.parse(String(writer.clear()))).toEqual(fixtures.written.clear);
    });

    it('never throws on arbitrary bytes', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, isBinary) => {
          const { media, messages } = readAll(provider, [Buffer.from(bytes)], isBinary);
          expect(media.length + messages.length).toBeLessThanOrEqual(1);
        }),
        { numRuns: 4000 },
      );
    });

    it('never throws on arbitrary JSON', () => {
      fc.assert(
        fc.property(fc.json({ maxDepth: 5 }), (json) => {
          expect(readAll(provider, [json]).messages).toHaveLength(1);
        }),
        { numRuns: 3000 },
      );
    });

    it.each(['start', 'media', 'mark', 'dtmf', 'stop', 'connected'])('never throws on a %s of arbitrary content', (event) => {
      fc.assert(
        fc.property(fc.jsonValue({ maxDepth: 3 }), fc.jsonValue({ maxDepth: 3 }), (body, extra) => {
          const { media, messages } = readAll(provider, [JSON.stringify({ event, [event]: body, extra })]);
          expect(media.length + messages.length).toBeLessThanOrEqual(1);
        }),
        { numRuns: 500 },
      );
    });

    it('never throws on damaged messages, and reads what is still JSON alike however it is spaced', () => {
      let readable = 0;
      fc.assert(
        fc.property(fc.oneof(mutation(fixtures.start), mutation(fixtures.media.wire)), (wire) => {
          const read = readAll(provider, [wire]);
          expect(read.media.length + read.messages.length).toBeLessThanOrEqual(1);
          if (!isJson(wire)) return;
          readable += 1;
          expect(readAll(provider, [` ${wire}`])).toEqual(read);
        }),
        { numRuns: 6000 },
      );
      expect(readable).toBeGreaterThan(100);
    });
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}
