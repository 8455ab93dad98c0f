// Writes the parts of docs/ that follow from the code: docs/errors.md from the error catalogue, and the marked regions of other
// documents from schemas and registries. With --check it writes nothing and fails where a file is not current, where something that
// readers rely on is not documented, or where a document names a file that is not there.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tsImport } from 'tsx/esm/api';
import { z } from 'zod';
import { brokenReferences } from './doc-references.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const load = (path) => tsImport(join(root, path), import.meta.url);
const read = (path) => readFileSync(join(root, path), 'utf8');

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
events keep the \`code\`. Streams to an agent that exists, active or archived, that are refused before a run is minted are listed by \`GET /api/v1/refusals\`.

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

const jsonSchemaOf = (schema) => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });

/** A type as a reader needs it: `300 to 600`, `text`, `one of a, b`. */
function typeText(schema) {
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`;
  if (schema.type === 'array') return `list of ${typeText(schema.items ?? {})}`;
  if (schema.type !== 'integer' && schema.type !== 'number') return { string: 'text', boolean: 'true or false', object: 'object' }[schema.type] ?? 'any';
  const { minimum, maximum } = schema;
  return minimum === undefined || maximum === undefined ? 'number' : `${minimum} to ${maximum}`;
}

function defaultText(schema, isRequired) {
  if (isRequired) return 'required';
  const { default: value } = schema;
  if (value === undefined || value === '' || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)) return 'none';
  if (Array.isArray(value)) return value.map((item) => `“${item}”`).join(', ');
  return typeof value === 'string' && /[ .?!]$| /.test(value) ? `“${value}”` : `\`${value}\``;
}

/** One row per field of an object schema; nested objects as dotted paths. */
function fieldRows(schema, prefix = '') {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    if (field.type === 'object' && field.properties !== undefined) return fieldRows(field, `${path}.`);
    const isRequired = schema.required?.includes(name) ?? false;
    return [[`\`${path}\``, typeText(field), defaultText(field, isRequired), field.description ?? '']];
  });
}

const runningTypes = ['startCall', 'agentNode', 'endCall', 'globalNode', 'say', 'transferCall', 'collectDigits', 'webhook', 'qa'];
const fieldTitles = ['Field', 'Value', 'Default', 'Meaning'];

function nodeTables(nodeSchemas) {
  return runningTypes
    .map((type) => {
      const rows = fieldRows(jsonSchemaOf(nodeSchemas[type]).properties.data);
      return `### ${type}\n\n${table(fieldTitles, rows)}`;
    })
    .join('\n\n');
}

function edgeTable(edgeSchema) {
  return table(fieldTitles, fieldRows(jsonSchemaOf(edgeSchema).properties.data));
}

/** The fields of a run within a webhook's body. */
function webhookFieldTable(payloadSchema) {
  const run = jsonSchemaOf(payloadSchema).properties.data.properties.run.anyOf.find(({ properties }) => properties !== undefined);
  const rows = Object.entries(run.properties).map(([name, field]) => {
    const names = { string: 'text', integer: 'number' };
    const types = (field.anyOf ?? [field]).flatMap(({ type }) => type).map((type) => names[type] ?? type);
    return [`\`${name}\``, types.join(' or '), field.description ?? ''];
  });
  return table(['Field', 'Value', 'Meaning'], rows);
}

/** Vendors that embed documents, with their options. */
function embeddingTable(vendors) {
  const rows = vendors.filter(({ embeddings }) => embeddings !== undefined).map((vendor) => {
    const { model, dimensions, min_similarity: minSimilarity } = jsonSchemaOf(vendor.embeddings.settingsSchema).properties;
    return [`\`${vendor.name}\``, `\`${model.default}\``, `${typeText(dimensions)}; default ${dimensions.default ?? 'the model’s own'}`, `${typeText(minSimilarity)}; default ${minSimilarity.default}`, `\`${vendor.apiKeyEnv}\``, `\`${vendor.baseUrl.env}\``];
  });
  return table(['`vendor`', 'Default `model`', '`dimensions`', '`min_similarity`', 'Key', 'Base URL'], rows);
}

const legNames = ['stt', 'llm', 'tts', 'realtime'];
const legsOf = (vendor) => legNames.filter((leg) => vendor[leg] !== undefined);

function vendorTable(vendors) {
  const rows = vendors.map((vendor) => {
    const key = vendor.apiKeyEnv === null ? 'none' : `\`${vendor.apiKeyEnv}\``;
    const options = legsOf(vendor).map((leg) => jsonSchemaOf(vendor[leg].settingsSchema).properties ?? {});
    // A voice that has no models is known by its voice.
    const model = [...options.map((each) => each.model?.default), ...options.map((each) => each.voice?.default)].find((name) => name !== undefined);
    return [`\`${vendor.name}\``, vendor.displayName, legsOf(vendor).join(', '), key, model === undefined ? 'simulated' : `\`${model}\``];
  });
  return table(['Vendor', 'Name', 'Legs', 'Key', 'Default model'], rows);
}

/** What each leg can do, and what the fault suite puts it through (test/contracts/vendor-faults.test.ts). */
function testedTable(rows) {
  const context = { clock: { nowMs: () => 0, wallMs: () => 0, setTimer: () => ({ cancel: () => undefined }) }, apiKey: 'none', baseUrl: 'http://localhost', fetch };
  const names = { interimTranscripts: 'interim text', speechEvents: 'start of speech', turnEvents: 'end of a turn', wordTimes: 'word times' };
  const cells = rows.map(({ vendor, leg, mode, settings, faults }) => {
    const { capabilities = {} } = vendor[leg].create(vendor[leg].settingsSchema.parse(settings), context);
    const able = Object.entries(capabilities).filter(([, isAble]) => isAble).map(([name]) => names[name]);
    return [`\`${vendor.name}\`${mode === '' ? '' : ` ${mode}`}`, leg, able.join(', ') || 'none', faults.map(({ what }) => what).join(', ')];
  });
  return table(['Vendor', 'Leg', 'Reports by itself', 'Faults it was put through'], cells);
}

function vendorOptionTables(vendors) {
  return vendors
    .flatMap((vendor) =>
      legsOf(vendor).flatMap((leg) => {
        const rows = fieldRows(jsonSchemaOf(vendor[leg].settingsSchema));
        return rows.length === 0 ? [] : [`### ${vendor.name}: ${leg}\n\n${table(['Option', 'Value', 'Default', 'Meaning'], rows)}`];
      }),
    )
    .join('\n\n');
}

async function metricTable(createMetrics) {
  const { registry } = createMetrics({ activeCalls: () => 0, maxCalls: () => 0 });
  const metrics = (await registry.getMetricsAsJSON()).filter(({ name }) => name.startsWith('agent_stream_'));
  const labels = (name) => registry.getSingleMetric(name).labelNames.map((label) => `\`${label}\``).join(', ') || 'none';
  return table(['Metric', 'Type', 'Labels', 'Meaning'], metrics.map(({ name, type, help }) => [`\`${name}\``, type, labels(name), help]));
}

/** Replaces what stands between the markers of `name`. */
function fillRegion(text, name, content) {
  const pattern = new RegExp(`(<!-- generated: ${name} -->\\n)[\\s\\S]*?(<!-- end: ${name} -->)`);
  if (!pattern.test(text)) throw new Error(`no region "${name}" in the document`);
  return text.replace(pattern, (_, start, end) => `${start}${content}\n${end}`);
}

/** The document with its regions filled in. */
const filled = (path, regions) => Object.entries(regions).reduce((text, [name, content]) => fillRegion(text, name, content), read(path));

/** Variables that the code reads: the server's own, and those of providers and vendors. */
async function variableNames(vendors) {
  const { environmentNames } = await load('src/config.ts');
  const { providers } = await load('src/telephony/registry.ts');
  const ofProviders = Object.values(providers).map((provider) => provider.apiBaseUrl.env);
  const ofVendors = vendors.flatMap((vendor) => [vendor.apiKeyEnv, vendor.baseUrl.env]);
  return [...environmentNames, ...ofProviders, ...ofVendors].filter((name) => name !== null && name !== undefined);
}

/** Types of the events that calls record: arguments of `record` and `append`, and the unions whose members are passed on. */
function eventTypes() {
  const sources = ['src/call', 'src/turn', 'src/telephony'].flatMap((folder) =>
    readdirSync(join(root, folder)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts')).map((name) => read(`${folder}/${name}`)),
  );
  const recorded = sources.flatMap((text) => [...text.matchAll(/(?:record|append|noteEvent)\(\s*'([a-z]+(?:-[a-z]+)+)'/g), ...text.matchAll(/\bevent: '([a-z]+(?:-[a-z]+)+)'/g)]);
  const protocol = /type ProtocolEventType =([^;]*);/.exec(read('src/telephony/protocol-events.ts'))?.[1] ?? '';
  const notes = /type: 'note-event';\s*readonly event: ([^;]*);/.exec(read('src/turn/turn.ts'))?.[1] ?? '';
  const members = [...`${protocol} ${notes}`.matchAll(/'([a-z-]+)'/g)];
  if (recorded.length < 20 || members.length < 10) throw new Error('the events of calls are not found where they were');
  return [...new Set([...recorded, ...members].map(([, type]) => type))].sort();
}

const { errorCatalogue } = await load('src/base/error-catalogue.ts');
const { endReasons } = await load('src/runs/lifecycle.ts');
const { edgeSchema, nodeSchemas } = await load('src/workflow/schema.ts');
const { createSettingsSchema } = await load('src/workflow/settings.ts');
const { vendors } = await load('src/speech/registry.ts');
const { vendorLegRows } = await load('test/contracts/vendor-legs.ts');
const { runEventTypes, webhookPayloadSchema } = await load('src/after-call/webhook-payload.ts');
const { createMetrics } = await load('src/http/metrics.ts');

const settingsRows = fieldRows(jsonSchemaOf(createSettingsSchema()));
const documents = {
  'docs/errors.md': errorsDocument(errorCatalogue),
  'docs/run-record.md': filled('docs/run-record.md', { 'end-reasons': endReasonTable(endReasons) }),
  'docs/workflow.md': filled('docs/workflow.md', {
    nodes: nodeTables(nodeSchemas),
    edges: edgeTable(edgeSchema),
    settings: table(['Setting', 'Value', 'Default', 'Meaning'], settingsRows),
  }),
  'docs/vendors.md': filled('docs/vendors.md', {
    vendors: vendorTable(vendors),
    options: vendorOptionTables(vendors),
    embeddings: embeddingTable(vendors),
    tested: testedTable(vendorLegRows),
  }),
  'docs/webhooks.md': filled('docs/webhooks.md', {
    events: table(['Event', 'Sent'], Object.entries(runEventTypes).map(([name, meaning]) => [`\`${name}\``, meaning])),
    run: webhookFieldTable(webhookPayloadSchema),
  }),
  'docs/metrics.md': filled('docs/metrics.md', { metrics: await metricTable(createMetrics) }),
};

const isChecking = process.argv.includes('--check');
const problems = [];
for (const [path, text] of Object.entries(documents)) {
  if (!isChecking) writeFileSync(join(root, path), text);
  else if (read(path) !== text) problems.push(`${path} is not current: run npm run docs`);
}
const mustMention = (path, names) => {
  const text = read(path);
  for (const name of names) if (!text.includes(`\`${name}\``)) problems.push(`${path} does not mention ${name}`);
};
mustMention('docs/configuration.md', await variableNames(vendors));
mustMention('docs/run-record.md', eventTypes());
problems.push(...brokenReferences(root));
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
