import { isPrototypeKey, isRecord, parseJson } from '../base/json.js';
import type { Run } from '../store/store.js';
import { webhookSchema } from '../workflow/nodes/after-call-nodes.js';
import type { NodeOfType } from '../workflow/schema.js';
import { parseTemplate, renderTemplate } from '../workflow/template.js';

type WebhookNode = NodeOfType<'webhook'>;
type Variables = Readonly<Record<string, unknown>>;

/** Deepest value of a payload template; what is below becomes null. */
const MAX_DEPTH = 20;

/** What a webhook node asks to be sent; `body` null: none. */
export interface NodeRequest {
  readonly url: string;
  readonly method: WebhookNode['data']['http_method'];
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** The node, or null where the document holds none that can be sent: a draft may hold anything. */
export function parseWebhookNode(node: unknown): WebhookNode | null {
  const parsed = webhookSchema.safeParse(node);
  return parsed.success ? parsed.data : null;
}

/** What templates can name: the contexts and everything in them, and the run's facts (docs/webhooks.md), which win over both. */
export function nodeVariables(run: Run, publicUrl: string): Variables {
  const runUrl = `${publicUrl}/api/v1/runs/${run.id}`;
  return {
    ...run.initialContext,
    ...run.gatheredContext,
    initial_context: run.initialContext,
    gathered_context: run.gatheredContext,
    analysis: run.analysis,
    workflow_run_id: run.id,
    workflow_run_name: run.name,
    workflow_id: run.agentUuid,
    run_state: run.state,
    end_reason: run.endReason,
    call_disposition: run.gatheredContext['call_disposition'] ?? run.endReason,
    call_time: run.createdAt.toISOString(),
    duration_seconds: run.durationMs === null ? null : Math.round(run.durationMs / 1000),
    run_url: runUrl,
    transcript_url: `${runUrl}/transcript`,
    recording_url: run.recordingPath === null || run.recordingDeletedAt !== null ? null : `${runUrl}/recording`,
  };
}

function render(text: string, variables: Variables, wallMs: number): string {
  return renderTemplate(parseTemplate(text), variables, wallMs);
}

/** Every text of a JSON value rendered; keys and structure stay, so that no variable can break out of its place. */
function renderDeep(value: unknown, fill: (text: string) => string, depth = 0): unknown {
  if (typeof value === 'string') return fill(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= MAX_DEPTH) return null;
  if (Array.isArray(value)) return value.map((item: unknown) => renderDeep(item, fill, depth + 1));
  const entries = Object.entries(value).filter(([key]) => !isPrototypeKey(key));
  return Object.fromEntries(entries.map(([key, item]) => [key, renderDeep(item, fill, depth + 1)]));
}

/** The facts sent where the node has no template. */
const defaultFacts: readonly string[] = [
  ...['workflow_run_id', 'workflow_run_name', 'workflow_id', 'run_state', 'end_reason', 'call_disposition', 'call_time', 'duration_seconds'],
  ...['initial_context', 'gathered_context', 'run_url', 'transcript_url', 'recording_url', 'analysis'],
];

/** The body a node asks for: a JSON template filled in, a text filled in, or the run's facts. */
function renderBody({ payload_template: template }: WebhookNode['data'], variables: Variables, wallMs: number): string {
  const fill = (text: string) => render(text, variables, wallMs);
  if (template === undefined) return JSON.stringify(Object.fromEntries(defaultFacts.map((name) => [name, variables[name] ?? null])));
  const value = typeof template === 'string' ? parseJson(template) : template;
  if (isRecord(value) || Array.isArray(value)) return JSON.stringify(renderDeep(value, fill));
  return fill(typeof template === 'string' ? template : '');
}

/** What a header can hold (RFC 9110 §5.5); everything else, line ends above all, becomes a space. */
const oneLine = (text: string): string => text.replace(/[^\t\x20-\x7e\x80-\xff]/g, ' ');

const isBodiless = (method: string): boolean => method === 'GET';

/** Fills in a node's templates. `frozenBody`: what an earlier attempt sent, which is sent again. */
export function nodeRequest(node: WebhookNode, variables: Variables, sent: { readonly frozenBody: string | null; readonly wallMs: number }): NodeRequest {
  const { data } = node;
  const body = isBodiless(data.http_method) ? null : (sent.frozenBody ?? renderBody(data, variables, sent.wallMs));
  const isJson = body !== null && parseJson(body) !== undefined;
  const custom = data.custom_headers.map(({ key, value }) => [key.toLowerCase(), oneLine(render(value, variables, sent.wallMs))] as const);
  return {
    url: data.endpoint_url,
    method: data.http_method,
    headers: { ...(body === null ? {} : { 'content-type': isJson ? 'application/json' : 'text/plain; charset=utf-8' }), ...Object.fromEntries(custom) },
    body,
  };
}
