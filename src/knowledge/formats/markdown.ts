import type { Section } from '../section.js';
import { createHeadingPath } from './heading-path.js';
import { decodeText } from './plain-text.js';

/** CommonMark 0.31 §4.2. */
const atxHeading = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$/;
/** CommonMark 0.31 §4.3: the line beneath a heading. */
const underline = /^ {0,3}(=+|-{2,})[ \t]*$/;
/** CommonMark 0.31 §4.5. */
const fence = /^ {0,3}(`{3,}|~{3,})/;

/** Longer lines are text, whatever they begin with. */
const MAX_HEADING_LINE_LENGTH = 1000;

/** What a line of Markdown is, given the line before it. */
type Line = { readonly type: 'text' | 'underline' } | { readonly type: 'heading'; readonly level: number; readonly title: string };

function classify(line: string, before: string | undefined): Line {
  if (line.length > MAX_HEADING_LINE_LENGTH) return { type: 'text' };
  const atx = atxHeading.exec(line);
  if (atx !== null) return { type: 'heading', level: atx[1]?.length ?? 1, title: atx[2] ?? '' };
  const canUnderline = before !== undefined && before.trim() !== '' && !/^\s*([-*+>|]|\d+[.)])/.test(before);
  return canUnderline && underline.test(line) ? { type: 'underline' } : { type: 'text' };
}

/** A Markdown file is a section per heading; the text stays as it is written. */
export function parseMarkdown(bytes: Uint8Array): readonly Section[] {
  const sections: Section[] = [];
  const path = createHeadingPath();
  let lines: string[] = [];
  let openFence: string | null = null;
  const finish = () => {
    sections.push({ heading: path.titles, page: null, text: lines.join('\n') });
    lines = [];
  };
  for (const line of decodeText(bytes).split(/\r\n|\r|\n/)) {
    const mark = fence.exec(line)?.[1];
    if (openFence !== null || mark !== undefined) {
      if (openFence === null) openFence = mark ?? null;
      else if (mark?.startsWith(openFence) === true) openFence = null;
      lines.push(line);
      continue;
    }
    const kind = classify(line, lines.at(-1));
    if (kind.type === 'text') lines.push(line);
    else if (kind.type === 'heading') {
      finish();
      path.enter(kind.level, kind.title);
    } else {
      const title = lines.pop() ?? '';
      finish();
      path.enter(line.includes('=') ? 1 : 2, title);
    }
  }
  finish();
  return sections.filter(({ text }) => text.trim() !== '');
}
