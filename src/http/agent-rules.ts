import type { z } from 'zod';
import { isPrototypeKey } from '../base/json.js';
import { compileWorkflow, type Problem as WorkflowProblem } from '../workflow/compile.js';
import { defaultDocument } from '../workflow/default-document.js';
import { issueProblems } from '../workflow/problems.js';
import { knownToolsOf } from '../workflow/tools/tool-definition.js';
import { importAgent } from '../workflow/import/import-agent.js';
import { createSettingsSchema, defaultSettings, parseSettings } from '../workflow/settings.js';
import { MAX_VARIABLES, MAX_VARIABLES_BYTES, MAX_VARIABLE_NAME_LENGTH } from '../workflow/variables.js';
import type { AgentContent } from '../store/store.js';
import type { AgentRules, Problem } from './services.js';

/** Variables that every call has (contract §2): templates may name them without a default. */
const builtInVariables = ['provider', 'direction', 'caller_number', 'called_number', 'agent_uuid', 'call_id'];

function toProblem({ kind, id, field, message, cure }: WorkflowProblem): Problem {
  if (kind === 'workflow') return { path: [id === 'workflow' ? 'workflow_definition' : id, field].filter((part) => part !== '').join('.'), message, cure };
  return { path: field, message, cure, elementId: id };
}

function problemsOfVariables(variables: AgentContent['variables']): readonly Problem[] {
  const path = 'template_context_variables';
  const names = Object.keys(variables);
  const problems = names
    .filter((name) => isPrototypeKey(name) || name.length > MAX_VARIABLE_NAME_LENGTH)
    .map((name): Problem => ({ path: `${path}.${name.slice(0, MAX_VARIABLE_NAME_LENGTH)}`, message: 'is not a usable name', cure: 'Rename it.' }));
  const isTooMuch = names.length > MAX_VARIABLES || Buffer.byteLength(JSON.stringify(variables)) > MAX_VARIABLES_BYTES;
  if (!isTooMuch) return problems;
  return [...problems, { path, message: `more than ${MAX_VARIABLES} variables or ${MAX_VARIABLES_BYTES} bytes`, cure: 'Keep less in them.' }];
}

/** What makes `settings.models` valid, of an agent and of an organization. */
export interface ModelsSchemas {
  readonly agent: z.ZodType;
  readonly organization: z.ZodType;
}

/** The rules of agents' content: the document compiles, the settings fit their schema, `models` names vendors and options that exist. */
export function createAgentRules({ agent: modelsSchema, organization }: ModelsSchemas): AgentRules {
  return {
    starterWorkflow: () => structuredClone(defaultDocument),
    check({ workflow, settings, variables }, { tools, credentialUuids }) {
      const parsed = parseSettings(settings, modelsSchema);
      const compiled = compileWorkflow(workflow, {
        forPublish: true,
        knownVariables: [...builtInVariables, ...Object.keys(variables)],
        settings: parsed.ok ? parsed.settings : defaultSettings,
        tools: knownToolsOf(tools),
        credentialUuids,
      });
      return {
        problems: [
          ...(compiled.ok ? [] : compiled.problems.map(toProblem)),
          ...(parsed.ok ? [] : parsed.problems.map(toProblem)),
          ...problemsOfVariables(variables),
        ],
        warnings: compiled.ok ? compiled.warnings.map(toProblem) : [],
      };
    },
    readExport: (document, known) => importAgent(document, { known, settingsSchema: createSettingsSchema(modelsSchema) }),
    problemsOfModels(models) {
      const parsed = organization.safeParse(models);
      if (parsed.success) return [];
      return issueProblems(parsed.error.issues, { kind: 'workflow', id: 'default_models' }).map(toProblem);
    },
  };
}
