import { describe, expect, it } from 'vitest';
import { handbookDocx, makePdf } from '../../test/support/documents/files.js';
import { systemClock } from '../base/clock.js';
import { createFileReader } from './file-reader.js';
import type { FormatName } from './format.js';
import { MAX_WAITING_FILES, PARSE_TIMEOUT_MS } from './limits.js';

const file = (format: FormatName, bytes: Buffer) => ({ bytes: new Uint8Array(bytes), format, mode: 'retrieval' as const });
const never = new AbortController().signal;

describe('reading a file in a thread', () => {
  it('gives its parts', async () => {
    const reader = createFileReader(systemClock);
    const [pdf, docx] = await Promise.all([
      reader.read(file('pdf', makePdf([['Opening hours']])), never),
      reader.read(file('docx', handbookDocx()), never),
    ]);
    expect(pdf).toEqual({ chunks: [{ position: 0, heading: [], page: 1, text: 'Opening hours' }], textLength: 13 });
    expect(docx.chunks).toHaveLength(3);
  });

  it('says what is wrong with it, and reads the next one', async () => {
    const reader = createFileReader(systemClock);
    const broken = reader.read(file('pdf', Buffer.from('nonsense')), never);
    const next = reader.read(file('text', Buffer.from('Hello.')), never);
    await expect(broken).rejects.toMatchObject({ code: 'document-unreadable', message: expect.stringMatching(/no PDF/) as string });
    expect((await next).textLength).toBe(6);
  });

  it('leaves the event loop to the calls, and ends with its signal', async () => {
    const reader = createFileReader(systemClock);
    const abort = new AbortController();
    let beats = 0;
    const beat = setInterval(() => (beats += 1), 5);
    // Two million lists: parsed here, they would hold the loop for their whole time.
    const large = Buffer.from(`[${'[1],'.repeat(2_200_000)}[1]]`);
    const reading = reader.read(file('json', large), abort.signal);
    await expect(reading).rejects.toMatchObject({ code: 'document-unreadable' });
    clearInterval(beat);
    expect(beats).toBeGreaterThan(20);

    const stopped = reader.read(file('json', large), abort.signal);
    setTimeout(() => abort.abort(new Error('The client went away')), 300);
    await expect(stopped).rejects.toThrow('The client went away');
  });

  it('is given up after its time', async () => {
    let fire = () => {};
    const clock = {
      ...systemClock,
      setTimer(delayMs: number, callback: () => void) {
        expect(delayMs).toBe(PARSE_TIMEOUT_MS);
        fire = callback;
        return { cancel() {} };
      },
    };
    const reading = createFileReader(clock).read(file('json', Buffer.from(`[${'[1],'.repeat(2_200_000)}[1]]`)), never);
    setTimeout(() => fire(), 300);
    await expect(reading).rejects.toMatchObject({ code: 'document-unreadable', message: expect.stringMatching(/longer than 30 s/) as string });
  });

  it('turns away more than may wait', async () => {
    const reader = createFileReader(systemClock);
    const text = file('text', Buffer.from('Hello.'));
    const taken = Array.from({ length: MAX_WAITING_FILES + 1 }, () => reader.read(text, never));
    await expect(reader.read(text, never)).rejects.toMatchObject({ code: 'rate-limited' });
    expect(await Promise.all(taken)).toHaveLength(MAX_WAITING_FILES + 1);
  });
});
