import type { Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { GuardedEgress } from '../base/guarded-fetch.js';
import { createHealthTable } from '../speech/fallback/health-table.js';
import type { EmbeddingModel } from '../speech/embedding-model.js';
import { createEmbeddingModel } from '../speech/embeddings.js';
import { compileModels, type CreateModels, type ResolvedModels, type VendorCredentials } from '../speech/models.js';
import type { CallableAgent, Store } from '../store/store.js';
import { compileWorkflow } from '../workflow/compile.js';
import type { WorkflowGraph } from '../workflow/graph.js';
import { knownToolsOf } from '../workflow/tools/tool-definition.js';
import { parseSettings, type WorkflowSettings } from '../workflow/settings.js';

/** Stored credentials and the organization's default models are read anew after this long. */
const FRESH_MS = 5000;

/** Organizations whose credentials are kept in memory. */
const MAX_ORGANIZATIONS = 500;

/** An agent's version, ready to run. */
export interface CompiledVersion {
  readonly graph: WorkflowGraph;
  readonly settings: WorkflowSettings;
}

/** Compiles each version once. */
export interface WorkflowResolver {
  /** @throws AgentStreamError `workflow-invalid` where a draft that cannot run is called */
  of(callable: CallableAgent): CompiledVersion;
}

/** Creates the vendors of each call. */
export interface ModelResolver {
  /** @throws AgentStreamError `workflow-invalid`, `vendor-unauthorized` */
  resolve(owner: { readonly agent: { readonly organizationId: string } }, settings: WorkflowSettings): Promise<ResolvedModels>;
}

/** Finds the embedding models of organizations. */
export interface EmbeddingResolver {
  /**
   * Null: the organization has none. `isFresh`: as stored at this moment, not a few seconds ago.
   * @throws AgentStreamError `workflow-invalid`, `vendor-unauthorized`, `egress-refused`
   */
  embeddingsOf(organizationId: string, options?: { readonly isFresh: boolean }): Promise<EmbeddingModel | null>;
}

/** An agent as it was read is compiled once; what its tools became in the meantime is read with it. */
export function createWorkflowResolver(): WorkflowResolver {
  const compiled = new WeakMap<CallableAgent, CompiledVersion>();
  return {
    of(callable) {
      const known = compiled.get(callable) ?? compileVersion(callable);
      compiled.set(callable, known);
      return known;
    },
  };
}

/** Compiles a version with the tools it may name. @throws AgentStreamError `workflow-invalid` */
export function compileVersion({ version, tools }: Pick<CallableAgent, 'version' | 'tools'>): CompiledVersion {
  const parsed = parseSettings(version.settings);
  if (!parsed.ok) throw invalidVersion(parsed.problems);
  const result = compileWorkflow(version.workflow, { settings: parsed.settings, tools: knownToolsOf(tools) });
  if (!result.ok) throw invalidVersion(result.problems);
  return { graph: result.graph, settings: parsed.settings };
}

/** What says that a version cannot run. */
export function invalidVersion(problems: readonly { field: string; message: string }[]): AgentStreamError {
  const [first] = problems;
  return new AgentStreamError('workflow-invalid', first === undefined ? {} : { message: `The agent’s version cannot run: ${first.field} ${first.message}` });
}

interface OrganizationModels {
  readonly credentials: VendorCredentials;
  readonly defaultModels: unknown;
  readonly untilMs: number;
}

/** Creates the resolver of this node. */
export function createModelResolver(options: {
  readonly store: Pick<Store, 'accounts' | 'vendorCredentials'>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** Where base URLs of stored credentials may lead; absent: anywhere. */
  readonly egress?: GuardedEgress | undefined;
}): ModelResolver & EmbeddingResolver {
  const { store, clock } = options;
  const health = createHealthTable(clock);
  const organizations = new Map<string, OrganizationModels>();
  const factories = new WeakMap<WorkflowSettings, { create: CreateModels; defaultModels: unknown }>();

  async function load(organizationId: string, isFresh = false): Promise<OrganizationModels> {
    const known = organizations.get(organizationId);
    if (!isFresh && known !== undefined && known.untilMs > clock.nowMs()) return known;
    const [organization, stored] = await Promise.all([
      store.accounts.getOrganization(organizationId),
      store.vendorCredentials.list(organizationId),
    ]);
    const credentials = Object.fromEntries(stored.map(({ vendor, apiKey, baseUrl }) => [vendor, { apiKey, baseUrl: baseUrl ?? undefined }]));
    const entry = { credentials, defaultModels: organization?.defaultModels, untilMs: clock.nowMs() + FRESH_MS };
    organizations.delete(organizationId);
    organizations.set(organizationId, entry);
    for (const oldest of organizations.keys()) {
      if (organizations.size <= MAX_ORGANIZATIONS) break;
      organizations.delete(oldest);
    }
    return entry;
  }

  return {
    async embeddingsOf(organizationId, { isFresh } = { isFresh: false }) {
      const { credentials, defaultModels } = await load(organizationId, isFresh);
      return createEmbeddingModel(defaultModels, credentials, options);
    },
    async resolve({ agent }, settings) {
      const { credentials, defaultModels } = await load(agent.organizationId);
      const known = factories.get(settings);
      if (known?.defaultModels === defaultModels && known !== undefined) return known.create(credentials);
      const create = compileModels({ ...options, health, agentModels: settings.models, organizationModels: defaultModels });
      factories.set(settings, { create, defaultModels });
      return create(credentials);
    },
  };
}
