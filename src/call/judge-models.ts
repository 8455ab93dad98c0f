import { isRecord } from '../base/json.js';
import type { LanguageModel } from '../speech/language-model.js';
import type { VendorWork } from '../speech/work-meter.js';
import { parseSettings, type WorkflowSettings } from '../workflow/settings.js';
import { invalidVersion, type ModelResolver } from './resolvers.js';

/** Only the language model is wanted: the other legs need no key. */
const silentLegs = { stt: { vendor: 'builtin' }, tts: { vendor: 'builtin' } };

/** The language model of an agent's version, by itself. */
export interface JudgeModel {
  readonly model: LanguageModel;
  /** What it has done so far. */
  readonly work: () => readonly VendorWork[];
}

/**
 * The language model of a version, or `model` of the same vendor, without fallbacks.
 * @throws AgentStreamError `workflow-invalid`, `vendor-unauthorized`
 */
export async function openJudgeModel(models: ModelResolver, asked: { organizationId: string; settings: unknown; model: string | null }): Promise<JudgeModel> {
  const parsed = parseSettings(asked.settings);
  if (!parsed.ok) throw invalidVersion(parsed.problems);
  const chosen = isRecord(parsed.settings.models) ? parsed.settings.models : {};
  const resolve = (settings: WorkflowSettings) => models.resolve({ agent: { organizationId: asked.organizationId } }, settings);
  const own = await resolve({ ...parsed.settings, models: { ...chosen, ...silentLegs } });
  if (asked.model === null) return { model: own.llm, work: () => own.meter.work };
  const { llm } = chosen;
  const options = { ...(isRecord(llm) ? llm : { vendor: own.choice.llm.vendor }), fallbacks: undefined };
  const other = await resolve({ ...parsed.settings, models: { ...silentLegs, llm: { ...options, model: asked.model } } });
  return { model: other.llm, work: () => other.meter.work };
}
