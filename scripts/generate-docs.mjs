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

/** Where the options of a vendor's leg stand in docs/vendors.md. */
const optionsAnchor = (vendor, leg) => `#${vendor.name}-${leg}`;
const optionsOf = (vendor, leg) => jsonSchemaOf(vendor[leg].settingsSchema).properties ?? {};

/** The variables of vendors, and what their keys are for. */
function variableTable(vendors) {
  const names = { stt: 'speech-to-text', llm: 'language model', tts: 'text-to-speech', realtime: 'speech-to-speech' };
  const rows = vendors.flatMap((vendor) => {
    if (vendor.apiKeyEnv === null) return [];
    const legs = legsOf(vendor).map((leg) => names[leg]).join(', ');
    return [[`\`${vendor.apiKeyEnv}\`, \`${vendor.baseUrl.env}\``, `unset, \`${vendor.baseUrl.default}\``, `${vendor.displayName}: ${legs}.`]];
  });
  return table(['Variable', 'Default', 'Meaning'], rows);
}

/** One row per vendor: its key, and where each leg's options are. A voice that has no models is known by its voice. */
function settingsTable(vendors) {
  const rows = vendors.map((vendor) => {
    const legs = legsOf(vendor).map((leg) => {
      const { model, voice } = optionsOf(vendor, leg);
      const name = model?.default ?? voice?.default;
      const link = Object.keys(optionsOf(vendor, leg)).length === 0 ? leg : `[${leg}](${optionsAnchor(vendor, leg)})`;
      return name === undefined || vendor.isSimulated ? link : `${link} \`${name}\``;
    });
    const key = vendor.apiKeyEnv === null ? 'none' : `\`${vendor.apiKeyEnv}\``;
    const url = vendor.baseUrl.env === null ? 'none' : `\`${vendor.baseUrl.env}\``;
    return [`\`${vendor.name}\``, vendor.displayName, key, url, legs.join(', ')];
  });
  return table(['Vendor', 'Name', 'Key', 'Base URL', 'Legs and their default models'], rows);
}

const idleContext = { clock: { nowMs: () => 0, wallMs: () => 0, setTimer: () => ({ cancel: () => undefined }) }, apiKey: 'none', baseUrl: 'http://localhost', fetch };
const capabilitiesOf = ({ vendor, leg, settings }, more = {}) => vendor[leg].create(vendor[leg].settingsSchema.parse({ ...settings, ...more }), idleContext).capabilities ?? {};

/** Who ends the caller's turns. */
function turnText(row, { endsTurnsWith, pausesWith }, options) {
  if (row.leg === 'llm' || row.leg === 'tts') return '–';
  if (endsTurnsWith === undefined) return capabilitiesOf(row).turnEvents ? fail(row, 'the vendor ends turns, and no fact says so') : 'local';
  if (!capabilitiesOf(row, endsTurnsWith).turnEvents) fail(row, 'the vendor does not end turns with these options');
  if (pausesWith !== undefined && !(pausesWith in options)) fail(row, `there is no option ${pausesWith}`);
  const pause = pausesWith === undefined ? '' : `, early with \`${pausesWith}\``;
  const [option] = Object.entries(endsTurnsWith).map(([name, value]) => (value === true ? `\`${name}\`` : `\`${name}: ${value}\``));
  return `${option === undefined ? 'vendor' : `local; vendor with ${option}`}${pause}`;
}

function fail({ title }, problem) {
  throw new Error(`test/contracts/vendor-facts.ts, ${title}: ${problem}`);
}

/** How the fake is known to speak the vendor's protocol: the SDK with its version, where a test has it talk with the fake. */
function fakeText(row, { fake }, oracles, versions) {
  if ('untested' in fake) return `no: ${fake.untested}`;
  const [sdk] = fake.test.split(':');
  if (!oracles.includes(`'${fake.test}`)) fail(row, `no test of the fakes begins with "${fake.test}"`);
  return `\`${sdk}\` ${versions[sdk] ?? fail(row, `${sdk} is not installed`)}`;
}

/** What each leg of each vendor can do natively, and how its fake is proven. */
function capabilityTable(rows, facts, titleOf, oracles, versions) {
  const titles = new Set(rows.map(titleOf));
  for (const title of Object.keys(facts)) if (!titles.has(title)) fail({ title }, 'there is no such row in test/contracts/vendor-legs.ts');
  const lines = rows.map((each) => {
    const row = { ...each, title: titleOf(each) };
    const { vendor, leg, mode } = row;
    const fact = facts[row.title] ?? fail(row, 'no facts');
    const options = optionsOf(vendor, leg);
    const isSpeech = leg === 'stt' || leg === 'realtime';
    return [
      `[\`${vendor.name}\`](${optionsAnchor(vendor, leg)})${mode === '' ? '' : ` ${mode}`}`,
      leg,
      fact.audio ?? '–',
      fact.text ?? '–',
      turnText(row, fact, options),
      leg === 'tts' ? (capabilitiesOf(row).wordTimes ? 'yes' : 'no') : (fact.times ?? (leg === 'realtime' ? 'no' : '–')),
      isSpeech ? (fact.keyterms ?? ('keyterms' in options ? 'yes' : 'no')) : '–',
      'language' in options ? '`language`' : (fact.language ?? fail(row, 'nothing says what decides the language')),
      leg === 'llm' || leg === 'realtime' ? 'yes' : '–',
      fact.interruption ?? (leg === 'stt' ? '–' : fail(row, 'nothing says what an interruption does')),
      fakeText(row, fact, oracles, versions),
    ];
  });
  return table(['Vendor', 'Leg', '8 kHz mu-law', 'Text in', 'End of turn', 'Word times', 'Keyterms', 'Language', 'Functions', 'Interrupted', 'Fake proven by its SDK'], lines);
}

/** What the fault suite puts each leg through (test/contracts/vendor-faults.test.ts): legs that meet the same faults share a row. */
function faultTable(rows) {
  const groups = new Map();
  for (const row of rows) {
    const key = `${row.leg}: ${row.faults.map(({ what }) => what).join(', ')}`;
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  const cells = [...groups].map(([key, members]) => {
    const names = members.map(({ vendor, mode }) => `\`${vendor.name}\`${mode === '' ? '' : ` ${mode}`}`);
    return [members[0].leg, names.join(', '), key.slice(key.indexOf(': ') + 2)];
  });
  return table(['Leg', 'Vendors', 'Faults'], cells);
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
const { titleOf, vendorLegRows } = await load('test/contracts/vendor-legs.ts');
const { vendorFacts } = await load('test/contracts/vendor-facts.ts');
const { runEventTypes, webhookPayloadSchema } = await load('src/after-call/webhook-payload.ts');
const { createMetrics } = await load('src/http/metrics.ts');

const oracles = ['oracles', 'language-model-oracles'].map((name) => read(`test/support/fakes/${name}.test.ts`)).join('\n');
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
    capabilities: capabilityTable(vendorLegRows, vendorFacts, titleOf, oracles, JSON.parse(read('package.json')).devDependencies),
    settings: settingsTable(vendors),
    options: vendorOptionTables(vendors),
    embeddings: embeddingTable(vendors),
    faults: faultTable(vendorLegRows),
  }),
  'docs/configuration.md': filled('docs/configuration.md', { vendors: variableTable(vendors) }),
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
