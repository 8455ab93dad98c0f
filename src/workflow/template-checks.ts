import type { Problem } from './problems.js';
import type { WorkflowEdge, WorkflowNode } from './schema.js';
import { invalidExpressions, parseTemplate, requiredVariables, type Template } from './template.js';

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
      return { prompt: node.data.prompt, greeting: node.data.greeting };
    case 'agentNode':
    case 'endCall':
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

/** Templates without a default whose variable no call of this agent can have. */
export function unknownVariables(parts: readonly (WorkflowNode | WorkflowEdge)[], knownVariables: Iterable<string>): readonly Problem[] {
  const known = new Set([...knownVariables, ...engineVariables, ...parts.flatMap(setDuringCall)]);
  return parts.flatMap((part) =>
    templateFields(part).flatMap(({ template, ...place }) =>
      requiredVariables(template)
        .filter((name) => !known.has(name))
        .map((name) => ({
          ...place,
          message: `no call of this agent has the variable ${name}`,
          cure: `Give a default, {{${name} | …}}, or add ${name} to the agent’s variables.`,
        })),
    ),
  );
}
