import type { Clock } from '../base/clock.js';
import type { GuardedEgress } from '../base/guarded-fetch.js';
import { AgentStreamError } from '../base/errors.js';
import type { LanguageModel } from './language-model.js';
import { modelsSchema, problemsOfModels, type LegSettings, type ModelsSettings } from './models-schema.js';
import { findVendor, vendorsOf } from './registry.js';
import type { SpeechToText } from './speech-to-text.js';
import type { TextToSpeech } from './text-to-speech.js';
import type { Leg, VendorLeg, VendorModule } from './vendor.js';

export { modelsSchema, problemsOfModels, type ModelsProblem, type ModelsSettings } from './models-schema.js';

type Environment = Readonly<Record<string, string | undefined>>;

/** A vendor's key as an organization stored it. */
export interface VendorCredential {
  readonly apiKey: string;
  /** Origin to use instead of the vendor's own. */
  readonly baseUrl?: string | undefined;
}

/** Stored credentials by vendor name. */
export type VendorCredentials = Readonly<Record<string, VendorCredential | undefined>>;

/** Which vendor serves a leg, and why. */
export interface ModelChoice {
  readonly vendor: string;
  readonly model: string;
  /** Who chose: the agent's settings, the organization's default, a stored or an environment key that is there, or nobody. */
  readonly reason: 'agent' | 'organization' | 'credential' | 'environment' | 'builtin';
  readonly isSimulated: boolean;
}

/** The vendors of one call, ready to be opened. */
export interface ResolvedModels {
  readonly stt: SpeechToText;
  readonly llm: LanguageModel;
  readonly tts: TextToSpeech;
  readonly choice: Readonly<Record<Leg, ModelChoice>>;
}

/** What decides the vendors of an agent's version. */
export interface ModelSources {
  /** `settings.models` of the agent's version; undefined or null: chooses nothing. */
  readonly agentModels: unknown;
  /** The organization's default of the same shape. */
  readonly organizationModels: unknown;
  readonly env: Environment;
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** Where base URLs of stored credentials may lead; absent: anywhere. Those of the environment are the operator's own. */
  readonly egress?: GuardedEgress | undefined;
}

/** Creates the vendors of one call from the credentials stored at this moment. */
export type CreateModels = (credentials: VendorCredentials) => ResolvedModels;

interface Products {
  readonly stt: SpeechToText;
  readonly llm: LanguageModel;
  readonly tts: TextToSpeech;
}

type Legs = { readonly [L in Leg]?: VendorLeg<Products[L]> };

/** A vendor picked for a leg; its options are parsed. */
interface Pick {
  readonly vendor: VendorModule;
  readonly settings: unknown;
  readonly reason: ModelChoice['reason'];
}

function parseModels(models: unknown, owner: string): ModelsSettings {
  const [problem] = problemsOfModels(models);
  if (problem === undefined) return modelsSchema.parse(models ?? {});
  throw new AgentStreamError('workflow-invalid', { message: `The ${owner}’s models are not valid: ${problem.path} ${problem.message}` });
}

/** A value of the environment; empty counts as unset. */
function envValue(env: Environment, name: string | null): string | undefined {
  const value = name === null ? undefined : env[name];
  return value === '' ? undefined : value;
}

/** Where the key of a vendor comes from. Stored credentials win over the environment. */
function keySource(vendor: VendorModule, env: Environment, credentials: VendorCredentials): 'credential' | 'environment' | null {
  if (vendor.apiKeyEnv === null) return null;
  if (credentials[vendor.name] !== undefined) return 'credential';
  return envValue(env, vendor.apiKeyEnv) === undefined ? null : 'environment';
}

function pickNamed(leg: Leg, { vendor: name, ...settings }: LegSettings, reason: 'agent' | 'organization'): Pick {
  const vendor = findVendor(String(name));
  if (vendor === undefined) throw new AgentStreamError('workflow-invalid', { message: `There is no vendor ${String(name)}.` });
  return { vendor, settings, reason };
}

/** The first vendor in the leg's order that has a key, else `builtin`; each with its default options. */
function pickDefault(leg: Leg, env: Environment, credentials: VendorCredentials): Pick {
  for (const vendor of vendorsOf(leg)) {
    const legModule = vendor[leg];
    if (legModule === undefined) continue;
    const reason = vendor.apiKeyEnv === null ? 'builtin' : keySource(vendor, env, credentials);
    if (reason !== null) return { vendor, settings: legModule.settingsSchema.parse({}), reason };
  }
  throw new AgentStreamError('configuration-invalid', { message: `No vendor has the leg ${leg}.` });
}

/** Name of the vendor that serves a leg where neither agent nor organization chose one. */
export function defaultVendorOf(leg: Leg, env: Environment, credentials: VendorCredentials = {}): string {
  return pickDefault(leg, env, credentials).vendor.name;
}

function createProduct<L extends Leg>(leg: L, pick: Pick, sources: ModelSources, credentials: VendorCredentials): Products[L] {
  const { vendor } = pick;
  const legs: Legs = vendor;
  const legModule = legs[leg];
  if (legModule === undefined) throw new AgentStreamError('workflow-invalid', { message: `${vendor.name} has no ${leg} leg.` });
  const credential = credentials[vendor.name];
  const apiKey = credential?.apiKey ?? envValue(sources.env, vendor.apiKeyEnv);
  if (apiKey === undefined && vendor.apiKeyEnv !== null) {
    throw new AgentStreamError('vendor-unauthorized', {
      message: `${vendor.displayName} has no API key: set ${vendor.apiKeyEnv} or store a credential for ${vendor.name}.`,
      details: { vendor: vendor.name, leg },
    });
  }
  const { clock, fetch, egress } = sources;
  const storedUrl = credential?.baseUrl;
  const baseUrl = storedUrl ?? envValue(sources.env, vendor.baseUrl.env) ?? vendor.baseUrl.default;
  if (storedUrl === undefined || egress === undefined) return legModule.create(pick.settings, { clock, fetch, apiKey, baseUrl });
  egress.check(storedUrl);
  return legModule.create(pick.settings, { clock, fetch: egress.fetch, lookup: egress.lookup, apiKey, baseUrl });
}

/**
 * Parses what decides an agent's vendors once, so that each call only creates them. For each leg: the agent's choice, else the
 * organization's, else the first vendor in the leg's order that has a key, else `builtin`.
 * @throws AgentStreamError `workflow-invalid` where a choice is not valid. The function it returns throws `vendor-unauthorized`
 * where a chosen vendor has no key, and `egress-refused` where a stored base URL is an internal address.
 */
export function compileModels(sources: ModelSources): CreateModels {
  const agent = parseModels(sources.agentModels, 'agent');
  const organization = parseModels(sources.organizationModels, 'organization');
  const pick = (leg: Leg, credentials: VendorCredentials): Pick => {
    const chosen = agent[leg];
    if (chosen !== undefined) return pickNamed(leg, chosen, 'agent');
    const inherited = organization[leg];
    return inherited === undefined ? pickDefault(leg, sources.env, credentials) : pickNamed(leg, inherited, 'organization');
  };
  const describe = ({ vendor, reason }: Pick, model: string): ModelChoice => ({ vendor: vendor.name, model, reason, isSimulated: vendor.isSimulated });

  return (credentials) => {
    const picks = { stt: pick('stt', credentials), llm: pick('llm', credentials), tts: pick('tts', credentials) };
    const stt = createProduct('stt', picks.stt, sources, credentials);
    const llm = createProduct('llm', picks.llm, sources, credentials);
    const tts = createProduct('tts', picks.tts, sources, credentials);
    const choice = { stt: describe(picks.stt, stt.model), llm: describe(picks.llm, llm.model), tts: describe(picks.tts, tts.model) };
    return { stt, llm, tts, choice };
  };
}

/**
 * {@link compileModels} and its result in one step.
 * @throws AgentStreamError `workflow-invalid`, `vendor-unauthorized`
 */
export function resolveModels(sources: ModelSources & { readonly credentials: VendorCredentials }): ResolvedModels {
  return compileModels(sources)(sources.credentials);
}
