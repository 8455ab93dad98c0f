import { isPrototypeKey } from '../base/json.js';

/** Longest text a template renders to, characters; what is longer is cut. */
export const MAX_RENDERED_LENGTH = 32_768;
/** Longest `{{…}}`, characters. */
const MAX_EXPRESSION_LENGTH = 300;
/** Time zones whose formatters are kept. */
const MAX_CACHED_ZONES = 64;

/** A stretch of a template. */
type TemplateSegment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'variable'; readonly path: readonly string[]; readonly fallback: string }
  | { readonly kind: 'time' | 'weekday'; readonly timeZone: string }
  /** Not a template expression: renders to nothing, refused at publish. */
  | { readonly kind: 'invalid'; readonly source: string };

/** A parsed text with `{{path}}`, `{{path | default}}` and built-ins. */
export type Template = readonly TemplateSegment[];

const pathPattern = /^[A-Za-z_][\w-]*(\.[\w-]+)*$/;
const builtInPattern = /^current_(time|weekday)(?:_([A-Za-z][\w+/-]*))?$/;
const contextPrefixes: ReadonlySet<string> = new Set(['initial_context', 'gathered_context']);

const formatters = new Map<string, Intl.DateTimeFormat>();

/** Null for a name that is no IANA time zone. */
function formatterOf(timeZone: string): Intl.DateTimeFormat | null {
  const cached = formatters.get(timeZone);
  if (cached !== undefined) return cached;
  try {
    const formatter = new Intl.DateTimeFormat('en-US', {
      timeZone,
      weekday: 'long',
      year: 'numeric',
      month: '2-digit',
      day: '2-digit',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    if (formatters.size < MAX_CACHED_ZONES) formatters.set(timeZone, formatter);
    return formatter;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

const unquoted = (text: string): string => /^(["'])(.*)\1$/s.exec(text)?.[2] ?? text;

function parseExpression(source: string): TemplateSegment {
  const invalid: TemplateSegment = { kind: 'invalid', source: source.slice(0, 60) };
  if (source.length > MAX_EXPRESSION_LENGTH) return invalid;
  const bar = source.indexOf('|');
  const name = (bar < 0 ? source : source.slice(0, bar)).trim();
  const fallback = bar < 0 ? '' : unquoted(source.slice(bar + 1).trim().replace(/^fallback:/, '').trim());
  const builtIn = builtInPattern.exec(name);
  if (builtIn !== null) {
    const timeZone = builtIn[2] ?? 'UTC';
    if (formatterOf(timeZone) === null) return invalid;
    return { kind: builtIn[1] === 'time' ? 'time' : 'weekday', timeZone };
  }
  return pathPattern.test(name) ? { kind: 'variable', path: name.split('.'), fallback } : invalid;
}

/** A backslash and an n, as documents written in a one-line field hold it, is a line break. */
const literal = (text: string): TemplateSegment => ({ kind: 'literal', text: text.replaceAll('\\n', '\n') });

/** Parses a text in one linear pass; never throws. */
export function parseTemplate(text: string): Template {
  const segments: TemplateSegment[] = [];
  let from = 0;
  for (;;) {
    const open = text.indexOf('{{', from);
    const close = open < 0 ? -1 : text.indexOf('}}', open + 2);
    if (close < 0) break;
    if (open > from) segments.push(literal(text.slice(from, open)));
    segments.push(parseExpression(text.slice(open + 2, close)));
    from = close + 2;
  }
  if (from < text.length) segments.push(literal(text.slice(from)));
  return segments;
}

const ownValue = (holder: unknown, key: string): unknown =>
  typeof holder === 'object' && holder !== null && !isPrototypeKey(key) && Object.hasOwn(holder, key)
    ? (holder as Readonly<Record<string, unknown>>)[key]
    : undefined;

/** The value of a dotted path; undefined where it is missing. Prototype keys find nothing. */
export function variableAt(variables: Readonly<Record<string, unknown>>, path: readonly string[]): unknown {
  const [root = '', ...rest] = path;
  const isPrefixed = rest.length > 0 && contextPrefixes.has(root) && !Object.hasOwn(variables, root);
  return (isPrefixed ? rest : path).reduce<unknown>(ownValue, variables);
}

function textOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
    case 'boolean':
      return String(value);
    case 'object':
      return value === null ? '' : jsonOf(value);
    default:
      return '';
  }
}

function jsonOf(value: object): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // Cyclic, or holds a bigint: not data a document could mean.
    if (error instanceof TypeError) return '';
    throw error;
  }
}

function wallTime(kind: 'time' | 'weekday', timeZone: string, wallMs: number): string {
  const formatter = formatterOf(timeZone);
  if (formatter === null || !Number.isFinite(wallMs)) return '';
  const parts = new Map(formatter.formatToParts(wallMs).map((part) => [part.type, part.value]));
  const part = (type: Intl.DateTimeFormatPartTypes): string => parts.get(type) ?? '';
  if (kind === 'weekday') return part('weekday');
  return `${part('year')}-${part('month')}-${part('day')} ${part('hour')}:${part('minute')} ${timeZone}`;
}

function renderSegment(segment: TemplateSegment, variables: Readonly<Record<string, unknown>>, wallMs: number): string {
  switch (segment.kind) {
    case 'literal':
      return segment.text;
    case 'variable':
      return textOf(variableAt(variables, segment.path)) || segment.fallback;
    case 'time':
    case 'weekday':
      return wallTime(segment.kind, segment.timeZone, wallMs);
    case 'invalid':
      return '';
  }
}

/**
 * Fills a template in. What is missing, or an empty text, becomes its default, else nothing.
 * @param wallMs wall-clock time for `current_time` and `current_weekday`.
 */
export function renderTemplate(template: Template, variables: Readonly<Record<string, unknown>>, wallMs: number): string {
  let output = '';
  for (const segment of template) {
    output += renderSegment(segment, variables, wallMs);
    if (output.length > MAX_RENDERED_LENGTH) return output.slice(0, MAX_RENDERED_LENGTH);
  }
  return output;
}

/** The variable a dotted path begins with, context prefix dropped. */
export function rootOf([root = '', next]: readonly string[]): string {
  return contextPrefixes.has(root) && next !== undefined ? next : root;
}

/** Variables a template reads, with a default or without: root names, context prefix dropped. */
export const templateVariables = (template: Template): readonly string[] =>
  template.flatMap((segment) => (segment.kind === 'variable' ? [rootOf(segment.path)] : []));

/** Those of {@link templateVariables} that have no default. */
export const requiredVariables = (template: Template): readonly string[] =>
  templateVariables(template.filter((segment) => segment.kind !== 'variable' || segment.fallback === ''));

/** Expressions of a template that are none. */
export const invalidExpressions = (template: Template): readonly string[] =>
  template.flatMap((segment) => (segment.kind === 'invalid' ? [segment.source] : []));
