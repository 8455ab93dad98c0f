// Finds what documents name and what is not there: relative links, headings, and paths of files and folders.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const skipped = new Set(['node_modules', 'dist', 'data', 'coverage', '.git']);
const textFile = /\.(md|ts|mjs|js|cjs|json)$/;
const link = /\]\(([^)\s]+)\)/g;
/** A path of this repository as prose and comments write it; a trailing `*` stands for any ending. */
const path = /(?<![\w./{}@-])(?:src|test|docs|scripts|bench|bin|examples)\/[\w./-]*[\w*]/g;
/** The same in code: only documents, since a message or comment that names one sends its reader there. */
const document = /(?<![\w./-])docs\/[\w-]+\.md/g;

function listFiles(directory) {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    if (skipped.has(entry.name) || entry.name.startsWith('dist.')) return [];
    const file = join(directory, entry.name);
    if (entry.isDirectory()) return listFiles(file);
    return textFile.test(entry.name) ? [file] : [];
  });
}

/** The anchors that a reader of the rendered document can jump to. */
function anchorsOf(markdown) {
  return [...markdown.matchAll(/^#{1,6} +(.*)$/gm)].map(([, title]) => title.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-'));
}

function isThere(target) {
  if (!target.endsWith('*')) return existsSync(target);
  const folder = dirname(target);
  const beginning = target.slice(folder.length + 1, -1);
  return existsSync(folder) && readdirSync(folder).some((name) => name.startsWith(beginning));
}

function brokenLinks(file, text) {
  return [...text.matchAll(link)].flatMap(([, target]) => {
    if (/^[a-z]+:/i.test(target)) return [];
    const [to, anchor] = target.split('#');
    const path = to === '' ? file : resolve(dirname(file), to);
    if (!existsSync(path)) return [`links to ${target}, which is not there`];
    if (anchor === undefined || anchorsOf(readFileSync(path, 'utf8')).includes(anchor)) return [];
    return [`links to ${target}, which has no such heading`];
  });
}

/** Folders that a run makes and git does not keep: a document may name them, and a fresh checkout lacks them. */
function generatedFolders(root) {
  const lines = readFileSync(join(root, '.gitignore'), 'utf8').split('\n');
  return lines.filter((line) => line.endsWith('/')).map((line) => line.replace(/^\/|\/$/g, ''));
}

/** One line for every reference that leads nowhere. */
export function brokenReferences(root) {
  const generated = generatedFolders(root);
  return listFiles(root).flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    const isDocument = file.endsWith('.md');
    const named = [...new Set([...text.matchAll(isDocument ? path : document)].map(([name]) => name.replace(/[./]+$/, '')))];
    const missing = named.filter((name) => !generated.includes(name) && !isThere(join(root, name))).map((name) => `names ${name}, which is not there`);
    const problems = isDocument ? [...brokenLinks(file, text), ...missing] : missing;
    return problems.map((problem) => `${relative(root, file)} ${problem}`);
  });
}
