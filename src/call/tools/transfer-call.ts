import { z } from 'zod';
import { AgentStreamError } from '../../base/errors.js';
import { parseJson } from '../../base/json.js';
import { isTransferDestination } from '../../base/transfer-destination.js';
import type { Variables } from '../../workflow/engine.js';
import { parseTemplate, renderTemplate, variableAt } from '../../workflow/template.js';
import { transferCallConfig } from '../../workflow/tools/tool-configs.js';
import { fillUrl, lowerCaseNames, presetsOf, sendRequest } from './send-request.js';
import { toolKind, type ToolContext } from './tool-kind.js';

type Config = ReturnType<typeof transferCallConfig.parse>;
type ConfigOf<Source extends Config['source']> = Extract<Config, { source: Source }>;

/** What a resolver answers; Dograh's put it into `transfer_context`. */
const answerSchema = z.object({
  destination: z.string().max(300),
  message: z.string().max(2000).optional(),
  custom_message: z.string().max(2000).optional(),
  timeout_seconds: z.int().min(5).max(120).optional(),
});
const resolvedSchema = z.union([z.object({ transfer_context: answerSchema }).transform(({ transfer_context: inner }) => inner), answerSchema]);

const failed = (message: string) => new AgentStreamError('tool-failed', { message });

async function resolve({ resolver }: ConfigOf<'dynamic'>, given: Variables, context: ToolContext) {
  const { variables, clock } = context;
  const values = { ...given, ...presetsOf(resolver.preset_parameters, variables, clock.wallMs()) };
  const { url } = fillUrl(resolver.url, values);
  const answer = await sendRequest(
    { method: 'POST', url: url.href, headers: { ...lowerCaseNames(resolver.headers), 'content-type': 'application/json' }, body: JSON.stringify({ arguments: values, context: variables }) },
    context,
  );
  if (answer.status < 200 || answer.status > 299) throw failed(`The resolver of the destination answered ${answer.status}.`);
  const parsed = resolvedSchema.safeParse(parseJson(answer.text));
  if (!parsed.success) throw failed('The resolver gave no destination.');
  return parsed.data;
}

function mapped(config: ConfigOf<'mapping'>, { destination: chosen }: Variables, variables: Variables): string {
  if (config.choices.length > 0) {
    const choice = config.choices.find(({ name }) => name === chosen);
    if (choice === undefined) throw failed(`"destination" must be one of: ${config.choices.map(({ name }) => name).join(', ')}.`);
    return choice.destination;
  }
  for (const { context_path: path, routes } of config.rules) {
    const value = variableAt(variables, path.split('.'));
    const route = routes.find(({ context_value: expected }) => value !== undefined && value !== null && String(value as string) === expected);
    if (route !== undefined) return route.destination;
  }
  if (config.fallback_destination === undefined) throw failed('No destination is configured for this call.');
  return config.fallback_destination;
}

/** Hands the call over to where the configuration, a mapping or a resolver says: never to what the model makes up. */
export const transferCall = toolKind({
  readConfig: (config) => transferCallConfig.parse(config),
  timeoutMs: (config) => (config.source === 'dynamic' ? config.resolver.timeout_ms : 1000),
  async run({ config, arguments: given }, context) {
    const { variables, clock } = context;
    const render = (text: string) => renderTemplate(parseTemplate(text), variables, clock.wallMs()).trim();
    const resolved = config.source === 'dynamic' ? await resolve(config, given, context) : null;
    const destination = resolved?.destination.trim() ?? render(config.source === 'static' ? config.destination : mapped(config as ConfigOf<'mapping'>, given, variables));
    if (!isTransferDestination(destination)) throw failed('The destination is not a number or SIP address.');
    const text = resolved?.message ?? resolved?.custom_message ?? render(config.message);
    const transfer = { destination, mode: config.mode, timeoutSeconds: resolved?.timeout_seconds ?? config.timeout_seconds };
    return { text: 'The call is being transferred.', isError: false, followUp: { type: 'transfer', transfer, text } };
  },
});
