import { createToolRunner } from '../../call/tools/run-tool.js';
import { attachClips } from '../../workflow/attach-clips.js';
import { attachDocuments, documentUuidsOf } from '../../workflow/attach-documents.js';
import { knownToolsOf } from '../../workflow/tools/tool-definition.js';
import { modelsSchema, resolveModels } from '../../speech/models.js';
import { createSimulatedSpeech } from '../../simulator/simulated-speech.js';
import { compileWorkflow } from '../../workflow/compile.js';
import { parseSettings } from '../../workflow/settings.js';
import { asRecord } from '../../base/json.js';
import { readAgentContent, type AgentFileContent } from '../agent-file.js';
import { CliError } from '../cli-error.js';
import type { CliContext } from '../command.js';
import { exitCodes } from '../exit-codes.js';
import { attachedClips } from './local-clips.js';
import { openLocalDocuments } from './local-documents.js';
import { openStubs } from './stubs.js';
import { createAudioRunner } from './audio-runner.js';
import type { CallStage } from './call-stage.js';
import { readEvaluationFile, type EvaluationFile, type Scenario } from './scenario-file.js';
import type { ScenarioRunner } from './scenario-runner.js';
import { createTextRunner } from './text-runner.js';

/** An evaluation file with its agent, checked and ready to be played either way. */
export interface Suite {
  readonly file: EvaluationFile;
  readonly scenarios: readonly Scenario[];
  /** In writing. @throws AgentStreamError `vendor-unauthorized` where the model's key is missing */
  inWriting(): ScenarioRunner;
  /** Through calls. */
  throughAudio(stage: CallStage): ScenarioRunner;
}

const builtin = { vendor: 'builtin' };

/**
 * Reads an evaluation file and its agent.
 * @param options `builtin`: the simulated vendors, whatever the agent says; `only`: a part of the names of those to play
 * @throws CliError `usage` where either cannot be used
 */
export async function openSuite(
  path: string,
  options: { readonly builtin?: boolean; readonly only?: string },
  context: Pick<CliContext, 'env' | 'clock' | 'fetch' | 'output'>,
): Promise<Suite> {
  const { env, clock, fetch, output } = context;
  const file = readEvaluationFile(path);
  const content = withModels(readAgentContent(file.agentPath), options.builtin === true);
  const parsed = parseSettings(content.settings, modelsSchema);
  if (!parsed.ok) throw unusableAgent(file, parsed.problems);
  const { settings } = parsed;
  const compiled = compileWorkflow(content.workflow_definition, { settings, tools: knownToolsOf(file.tools) });
  if (!compiled.ok) throw unusableAgent(file, compiled.problems);
  const knowledge = await openLocalDocuments(file.documents, clock);
  const withDocuments = attachDocuments(compiled.graph, await knowledge.open('', documentUuidsOf(compiled.graph)));
  const graph = attachClips(withDocuments, attachedClips(file.clips));
  const stubs = openStubs(file.stubs, { clock, fetch });
  const tools = createToolRunner({
    clock,
    fetch: stubs.over(fetch),
    credentialOf: () => Promise.resolve(null),
    searchDocuments: (uuids, text, signal) => knowledge.search('', uuids, { text, signal }),
    onFault: (error) => output.note(`A tool broke: ${error instanceof Error ? error.message : String(error)}`),
  });
  const only = options.only?.toLowerCase() ?? '';
  const variables = { ...content.template_context_variables, ...file.variables };
  return {
    file,
    scenarios: file.scenarios.filter(({ name }) => name.toLowerCase().includes(only)),
    inWriting() {
      const { llm: model } = resolveModels({ agentModels: settings.models, organizationModels: undefined, env, clock, fetch, credentials: {} });
      return createTextRunner({ graph, model, tools, clock, variables, close: () => stubs.close() });
    },
    throughAudio: (stage) =>
      createAudioRunner({
        stage,
        name: file.name,
        content,
        documents: file.documents,
        clips: file.clips,
        tools: file.tools,
        variables,
        idleTimeoutMs: settings.max_user_idle_timeout * 1000,
        edgeNames: new Set(Object.values(graph.nodes).flatMap((node) => ('edgesByTool' in node ? Object.keys(node.edgesByTool) : []))),
        speech: createSimulatedSpeech(clock),
        clock,
      }),
  };
}

function withModels(content: AgentFileContent, isBuiltin: boolean): AgentFileContent {
  if (!isBuiltin) return content;
  return { ...content, settings: { ...asRecord(content.settings), models: { stt: builtin, llm: builtin, tts: builtin } } };
}

function unusableAgent({ path, agentPath }: EvaluationFile, problems: readonly { readonly id: string; readonly field: string; readonly message: string }[]): CliError {
  const listed = problems.slice(0, 10).map(({ id, field, message }) => `${id} ${field}: ${message}`);
  return new CliError(exitCodes.usage, `the agent ${agentPath} of ${path} cannot run: ${listed.join('; ')}`);
}
