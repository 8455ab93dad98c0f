import pc from 'picocolors';

/** What the CLI writes to: process.stdout, or a collector in tests. */
export interface TextSink {
  write(text: string): unknown;
}

/** A column of {@link Output.table}. */
export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** Everything the CLI prints. Results go to stdout, notes and errors to stderr, so that output can be piped. */
export interface Output {
  /** Colour functions; they return their argument unchanged where stdout is not a terminal or NO_COLOR is set. */
  readonly colors: ReturnType<typeof pc.createColors>;
  /** One line on stdout. */
  line(text?: string): void;
  /** One line on stderr: progress and hints, not results. */
  note(text: string): void;
  /** A JSON document on stdout, indented. */
  json(value: unknown): void;
  /** Aligned columns on stdout; control characters in cells are shown, not sent to the terminal. */
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): void;
}

/** C0 and C1 control characters and bidirectional overrides: what could move the cursor or disguise text. */
const controlCharacters = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Makes text that others wrote safe to print: control characters become `\u{…}`. */
export function printable(text: string): string {
  return text.replace(controlCharacters, (character) => `\\u{${character.charCodeAt(0).toString(16)}}`);
}

/** Lays out rows below their titles, two spaces between columns, nothing after the last one. */
export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const cells = [columns.map((column) => column.title), ...rows.map((row) => columns.map((_, index) => printable(row[index] ?? '')))];
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => row[index]?.length ?? 0)));
  return cells.map((row) =>
    row
      .map((cell, index) => (columns[index]?.align === 'right' ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** Creates the output over two sinks. */
export function createOutput(options: { stdout: TextSink; stderr: TextSink; hasColor: boolean }): Output {
  const { stdout, stderr } = options;
  const colors = pc.createColors(options.hasColor);
  return {
    colors,
    line: (text = '') => void stdout.write(`${text}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    json: (value) => void stdout.write(`${JSON.stringify(value, null, 2)}\n`),
    table(columns, rows) {
      const [header = '', ...lines] = formatTable(columns, rows);
      stdout.write(`${colors.dim(header)}\n`);
      for (const line of lines) stdout.write(`${line}\n`);
    },
  };
}
