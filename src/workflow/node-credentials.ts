import { nodeProblem, type Problem } from './problems.js';
import type { WorkflowNode } from './schema.js';

/** Fields of nodes that name a stored credential, and the field with the address it is sent to. */
export const credentialFields = { credential_uuid: 'endpoint_url', pre_call_fetch_credential_uuid: 'pre_call_fetch_url' } as const;

/** Credentials that a node names and that are not among `known`: its request could not be sent. */
export function checkNodeCredentials({ id, data }: WorkflowNode, known: ReadonlySet<string>): readonly Problem[] {
  const named: Readonly<Record<string, unknown>> = data;
  return Object.keys(credentialFields).flatMap((field) => {
    const uuid = named[field];
    if (typeof uuid !== 'string' || known.has(uuid)) return [];
    return [nodeProblem(id, `data.${field}`, `there is no credential ${uuid}`, 'Create it (POST /api/v1/credentials) and name it here, or leave the field out.')];
  });
}
