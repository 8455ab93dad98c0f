import type { AgentContent } from '../store/store.js';
import { checkClips } from './clip-checks.js';
import { checkDocuments } from './document-checks.js';
import type { AgentCheck, AppServices } from './services.js';

/** Checks content as it must be to be published: by the agent rules, and against what the organization has stored. */
export async function checkContent({ agentRules, store }: Pick<AppServices, 'agentRules' | 'store'>, organizationId: string, content: AgentContent): Promise<AgentCheck> {
  const { workflow } = content;
  const [tools, credentialUuids, documentProblems, clipProblems] = await Promise.all([
    store.tools.list(organizationId),
    store.credentials.uuids(organizationId),
    checkDocuments(store.documents, organizationId, workflow),
    checkClips(store.audioClips, organizationId, workflow),
  ]);
  const { problems, warnings } = agentRules.check(content, { tools, credentialUuids });
  return { problems: [...problems, ...documentProblems, ...clipProblems], warnings };
}
