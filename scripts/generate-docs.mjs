// Writes the parts of docs/ that follow from the code: docs/errors.md from the error catalogue, and the end reasons of
// docs/run-record.md. With --check it writes nothing and fails where a file is not current or a variable is not documented.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tsImport } from 'tsx/esm/api';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const load = (path) => tsImport(join(root, path), import.meta.url);

/** A table cell: one line, no column separators. */
const cell = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '&lt;');

function table(titles, rows) {
  return [titles, titles.map(() => '---'), ...rows.map((row) => row.map(cell))].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

function errorsDocument(catalogue) {
  const entries = Object.entries(catalogue);
  const closing = entries.filter(([, entry]) => entry.closeCode !== undefined).sort(([, left], [, right]) => left.closeCode - right.closeCode);
  const others = entries.filter(([, entry]) => entry.closeCode === undefined);
  const streamRows = closing.map(([code, entry]) => [entry.closeCode, entry.message, `\`${code}\``, entry.cause, entry.cure]);
  const otherRows = others.map(([code, entry]) => [`\`${code}\``, entry.httpStatus, entry.retryable ? 'yes' : 'no', entry.cause, entry.cure]);
  return `# Errors

Generated from \`src/base/error-catalogue.ts\` by \`npm run docs\`; do not edit.

Every error has a stable \`code\`. The REST API answers problem+json (RFC 9457) with that \`code\`, a \`detail\` and a \`cure\`. A media stream
is closed with the close code and reason below; its run, where one was minted, keeps both as \`close_code\` and \`close_reason\`, and the run's
events keep the \`code\`. Streams that are refused before a run is minted are listed by \`GET /api/v1/refusals\`.

## Streams

A normal end is 1000. Before the upgrade the answer is HTTP: 404 for another path, 426 without an upgrade, 429 from the limiter, 503 with
\`Retry-After\` while draining.

${table(['Close code', 'Reason', 'Code', 'Cause', 'Cure'], streamRows)}

## API, providers and vendors

Where such an error ends a stream, the stream is closed with 1011 \`Internal server error\`.

${table(['Code', 'HTTP', 'Retry may help', 'Cause', 'Cure'], otherRows)}
`;
}

function endReasonTable(endReasons) {
  return table(
    ['`end_reason`', '`state`', 'Meaning'],
    Object.entries(endReasons).map(([name, { state, meaning }]) => [`\`${name}\``, state, meaning]),
  );
}

/** Replaces what stands between the markers of `name`. */
function fillRegion(text, name, content) {
  const pattern = new RegExp(`(<!-- generated: ${name} -->\\n)[\\s\\S]*?(<!-- end: ${name} -->)`);
  if (!pattern.test(text)) throw new Error(`no region "${name}" in the document`);
  return text.replace(pattern, (_, start, end) => `${start}${content}\n${end}`);
}

/** Variables that the code reads: the server's own, and those of providers and vendors. */
async function variableNames() {
  const { environmentNames } = await load('src/config.ts');
  const { providers } = await load('src/telephony/registry.ts');
  const { vendors } = await load('src/speech/registry.ts');
  const ofProviders = Object.values(providers).map((provider) => provider.apiBaseUrl.env);
  const ofVendors = vendors.flatMap((vendor) => [vendor.apiKeyEnv, vendor.baseUrl.env]);
  return [...environmentNames, ...ofProviders, ...ofVendors].filter((name) => name !== null && name !== undefined);
}

const read = (path) => readFileSync(join(root, path), 'utf8');
const { errorCatalogue } = await load('src/base/error-catalogue.ts');
const { endReasons } = await load('src/runs/lifecycle.ts');
const documents = {
  'docs/errors.md': () => errorsDocument(errorCatalogue),
  'docs/run-record.md': () => fillRegion(read('docs/run-record.md'), 'end-reasons', endReasonTable(endReasons)),
};

const isChecking = process.argv.includes('--check');
const problems = [];
for (const [path, render] of Object.entries(documents)) {
  const text = render();
  if (!isChecking) writeFileSync(join(root, path), text);
  else if (read(path) !== text) problems.push(`${path} is not current: run npm run docs`);
}
const configuration = read('docs/configuration.md');
for (const name of await variableNames()) {
  if (!configuration.includes(`\`${name}\``)) problems.push(`docs/configuration.md does not mention ${name}`);
}
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
