import { isPrototypeKey, isRecord } from '../../base/json.js';
import type { Variables } from '../../workflow/engine.js';
import { withoutSecrets } from '../../workflow/request-credential.js';
import { parseTemplate, renderTemplate } from '../../workflow/template.js';
import { httpApiConfig } from '../../workflow/tools/tool-configs.js';
import { addQuery, fillUrl, lowerCaseNames, presetsOf, sendRequest, type OutgoingRequest } from './send-request.js';
import { toolKind, type ToolContext } from './tool-kind.js';

/** Deepest nesting of a body template. */
const MAX_BODY_DEPTH = 20;

/** Texts of a JSON value as templates. A text that is one variable alone keeps the type of an argument. */
function renderBody(template: unknown, values: Variables, wallMs: number, depth = 0): unknown {
  if (depth > MAX_BODY_DEPTH) return null;
  if (typeof template === 'string') {
    const alone = /^\{\{\s*([A-Za-z_][\w-]*)\s*\}\}$/.exec(template)?.[1];
    if (alone !== undefined && Object.hasOwn(values, alone) && typeof values[alone] !== 'string') return values[alone];
    return renderTemplate(parseTemplate(template), values, wallMs);
  }
  if (Array.isArray(template)) return template.map((item) => renderBody(item, values, wallMs, depth + 1));
  if (!isRecord(template)) return template;
  const fields = Object.entries(template).filter(([name]) => !isPrototypeKey(name));
  return Object.fromEntries(fields.map(([name, value]) => [name, renderBody(value, values, wallMs, depth + 1)]));
}

const layered = (...layers: readonly Readonly<Record<string, unknown>>[]): Variables =>
  Object.assign(Object.create(null) as Record<string, unknown>, ...layers) as Variables;

/** The request; what is not in its path goes into the query of GET and DELETE, and the body of the others. */
function requestOf(config: ReturnType<typeof httpApiConfig.parse>, given: Variables, { variables, clock }: ToolContext): OutgoingRequest {
  const wallMs = clock.wallMs();
  // Presets come last: the model cannot replace them.
  const values = layered(given, presetsOf(config.preset_parameters, variables, wallMs));
  const { url, used } = fillUrl(config.url, values);
  const rest = Object.fromEntries(Object.entries(values).filter(([name]) => !used.has(name)));
  const { method } = config;
  const headers = { accept: 'application/json, text/*;q=0.8, */*;q=0.1', ...lowerCaseNames(config.headers) };
  if (method === 'GET' || method === 'DELETE') return { method, url: addQuery(url, rest).href, headers, body: null };
  const body = config.body_template === undefined ? rest : renderBody(config.body_template, layered(variables, values), wallMs);
  return { method, url: url.href, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

/** A request to an HTTP server, whose answer the model is given. */
export const httpApi = toolKind({
  readConfig: (config) => httpApiConfig.parse(config),
  timeoutMs: (config) => config.timeout_ms,
  async run({ config, arguments: given }, context) {
    const { status, text, isCut, secrets } = await sendRequest(requestOf(config, given, context), context);
    const isError = status < 200 || status > 299;
    const shown = withoutSecrets(text, secrets).trim();
    const whole = isCut ? `${shown} (the answer was longer)` : shown;
    if (isError) return { text: `Error: the server answered ${status}. ${whole}`.trim(), isError };
    return { text: whole === '' ? `Done: the server answered ${status}.` : whole, isError };
  },
});
