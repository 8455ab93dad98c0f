import { AgentStreamError } from '../base/errors.js';
import type { EmbeddingModel } from './embedding-model.js';
import { organizationModelsSchema, problemsOfOrganizationModels, type OrganizationModelsSettings } from './models-schema.js';
import { findVendor } from './registry.js';
import { createVendorContext, type VendorCredential, type VendorReach } from './vendor-context.js';

/**
 * The embedding model of an organization: `embeddings` of its default models. Null where it names none: a key alone chooses nothing, since
 * documents would then leave the server unasked.
 * @throws AgentStreamError `workflow-invalid`, `vendor-unauthorized` where the vendor has no key, `egress-refused`
 */
export function createEmbeddingModel(
  organizationModels: unknown,
  credentials: Readonly<Record<string, VendorCredential | undefined>>,
  reach: VendorReach,
): EmbeddingModel | null {
  const [problem] = problemsOfOrganizationModels(organizationModels);
  if (problem !== undefined) throw new AgentStreamError('workflow-invalid', { message: `The organization’s models are not valid: ${problem.path} ${problem.message}` });
  const { embeddings } = organizationModelsSchema.parse(organizationModels ?? {}) as OrganizationModelsSettings;
  if (embeddings === undefined) return null;
  const { vendor: name, ...settings } = embeddings;
  const vendor = findVendor(name);
  if (vendor?.embeddings === undefined) throw new AgentStreamError('workflow-invalid', { message: `${name} has no embeddings.` });
  return vendor.embeddings.create(settings, createVendorContext(vendor, credentials[name], reach));
}
