import { describe, expect, it } from 'vitest';
import { createOutput, formatTable, printable } from './output.js';

describe('printable', () => {
  it('shows what could move the cursor or disguise text', () => {
    expect(printable('a\u001b[2Jb\u202ec\r\n')).toBe('a\\u{1b}[2Jb\\u{202e}c\\u{d}\\u{a}');
    expect(printable('Grüße, 電話 ☎')).toBe('Grüße, 電話 ☎');
  });
});

describe('formatTable', () => {
  it('aligns columns and leaves no trailing space', () => {
    expect(formatTable([{ title: 'A' }, { title: 'NUM', align: 'right' }, { title: 'C' }], [['long', '1', ''], ['x', '22']])).toEqual([
      'A     NUM  C',
      'long    1',
      'x      22',
    ]);
  });
});

describe('createOutput', () => {
  it('keeps results and notes apart, and colours out of a pipe', () => {
    const written: { stdout: string[]; stderr: string[] } = { stdout: [], stderr: [] };
    const sinks = { stdout: { write: (text: string) => written.stdout.push(text) }, stderr: { write: (text: string) => written.stderr.push(text) } };
    const output = createOutput({ ...sinks, hasColor: false });
    output.line(output.colors.red('result'));
    output.note('note');
    output.json({ a: 1 });
    output.table([{ title: 'A' }], []);
    expect(written).toEqual({ stdout: ['result\n', '{\n  "a": 1\n}\n', 'A\n'], stderr: ['note\n'] });
    const colorful = createOutput({ ...sinks, hasColor: true });
    expect(colorful.colors.red('x')).toBe('\u001b[31mx\u001b[39m');
  });
});
