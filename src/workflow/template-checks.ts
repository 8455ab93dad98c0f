import type { Problem } from './problems.js';
import type { WorkflowEdge, WorkflowNode } from './schema.js';
import { expressionPaths } from './expression.js';
import { parseExpression } from './expression-parser.js';
import { invalidExpressions, parseTemplate, requiredVariables, rootOf, templateVariables, type Template } from './template.js';

/** Variables the engine itself sets during a call. */
const engineVariables: readonly string[] = ['last_digit'];

/** One text of a node or edge that is a template. */
interface TemplateField {
  readonly kind: 'node' | 'edge';
  readonly id: string;
  readonly field: string;
  readonly template: Template;
}

function nodeTexts(node: WorkflowNode): Readonly<Record<string, string>> {
  switch (node.type) {
    case 'startCall':
      return { prompt: node.data.prompt, greeting: node.data.greeting, extraction_prompt: node.data.extraction_prompt };
    case 'agentNode':
    case 'endCall':
      return { prompt: node.data.prompt, extraction_prompt: node.data.extraction_prompt };
    case 'globalNode':
    case 'collectDigits':
      return { prompt: node.data.prompt };
    case 'say':
      return { text: node.data.text };
    case 'transferCall':
      return { destination: node.data.destination, message: node.data.message };
    default:
      return {};
  }
}

const isEdge = (part: WorkflowNode | WorkflowEdge): part is WorkflowEdge => 'source' in part;

function templateFields(part: WorkflowNode | WorkflowEdge): readonly TemplateField[] {
  const texts = isEdge(part) ? { transition_speech: part.data.transition_speech ?? '' } : nodeTexts(part);
  return Object.entries(texts).map(([field, text]) => ({
    kind: isEdge(part) ? 'edge' : 'node',
    id: part.id,
    field: `data.${field}`,
    template: parseTemplate(text),
  }));
}

/** Expressions of a node or edge that are no templates: they would say nothing in every call. */
export function checkTemplates(part: WorkflowNode | WorkflowEdge): readonly Problem[] {
  return templateFields(part).flatMap(({ template, ...place }) =>
    invalidExpressions(template).map((source) => ({
      ...place,
      message: `{{${source}}} is neither a variable nor a known built-in`,
      cure: 'Write {{name}}, {{name.part | default}}, {{current_time}} or {{current_time_Europe/London}}.',
    })),
  );
}

function setDuringCall(part: WorkflowNode | WorkflowEdge): readonly string[] {
  if (isEdge(part)) return [];
  if (part.type === 'collectDigits') return part.data.variable === undefined ? [] : [part.data.variable];
  if (part.type !== 'startCall' && part.type !== 'agentNode' && part.type !== 'endCall') return [];
  return part.data.extraction_variables.map((variable) => variable.name);
}

/** Variables that hold digits which must not leave the call. */
export const sensitiveVariables = (nodes: readonly WorkflowNode[]): readonly string[] => [
  ...new Set(nodes.flatMap((node) => (node.type === 'collectDigits' && node.data.sensitive && node.data.variable !== undefined ? [node.data.variable] : []))),
];

/** Texts that would say or show a sensitive variable. A transfer's destination may hold one: it goes to the provider alone. */
export function spokenSecrets(parts: readonly (WorkflowNode | WorkflowEdge)[], secrets: readonly string[]): readonly Problem[] {
  if (secrets.length === 0) return [];
  return parts.flatMap((part) =>
    templateFields(part)
      .filter(({ field }) => field !== 'data.destination')
      .flatMap(({ template, ...place }) =>
        templateVariables(template)
          .filter((name) => secrets.includes(name))
          .map((name) => ({
            ...place,
            message: `${name} is sensitive: its digits are neither spoken nor shown to a model`,
            cure: `Remove {{${name}}}, or make the collectDigits node not sensitive.`,
          })),
      ),
  );
}

/** Variables of a part that must be there for it to mean something, each with where it is read. */
function readVariables(part: WorkflowNode | WorkflowEdge): readonly (Omit<Problem, 'message' | 'cure'> & { readonly name: string })[] {
  const inTemplates = templateFields(part).flatMap(({ template, ...place }) => requiredVariables(template).map((name) => ({ ...place, name })));
  const source = isEdge(part) ? part.data.when?.expression : undefined;
  const parsed = source === undefined ? null : parseExpression(source);
  if (parsed?.ok !== true) return inTemplates;
  const place = { kind: 'edge', id: part.id, field: 'data.when.expression' } as const;
  return [...inTemplates, ...expressionPaths(parsed.expression).map((path) => ({ ...place, name: rootOf(path) }))];
}

/** Templates without a default, and conditions, whose variable no call of this agent can have. */
export function unknownVariables(parts: readonly (WorkflowNode | WorkflowEdge)[], knownVariables: Iterable<string>): readonly Problem[] {
  const known = new Set([...knownVariables, ...engineVariables, ...parts.flatMap(setDuringCall)]);
  return parts.flatMap((part) =>
    readVariables(part)
      .filter(({ name }) => !known.has(name))
      .map(({ name, ...place }) => ({
        ...place,
        message: `no call of this agent has the variable ${name}`,
        cure:
          place.field === 'data.when.expression'
            ? `Check its spelling, or add ${name} to the agent’s variables.`
            : `Give a default, {{${name} | …}}, or add ${name} to the agent’s variables.`,
      })),
  );
}
