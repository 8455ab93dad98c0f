import type { Clock } from '../base/clock.js';
import type { GuardedEgress } from '../base/guarded-fetch.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import { asRecord } from '../base/json.js';
import type { LanguageModel } from './language-model.js';
import { createFalloverFeed, type FalloverFeed } from './fallback/fallover-feed.js';
import { createHealthTable, healthKeyOf, type HealthTable } from './fallback/health-table.js';
import { createFallbackLanguageModel, probeLanguageModel } from './fallback/language-model.js';
import { createLineup, type Candidate, type Fallover, type Lineup, type LineupOptions } from './fallback/lineup.js';
import { createFallbackSpeechToText, probeSpeechToText } from './fallback/speech-to-text.js';
import { createFallbackTextToSpeech, probeTextToSpeech } from './fallback/text-to-speech.js';
import { modelsSchema, problemsOfModels, type LegSettings, type ModelsSettings, type VendorSettings } from './models-schema.js';
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
  /** The vendors in use: those of choice, until one of them falls over. */
  readonly choice: Readonly<Record<Leg, ModelChoice>>;
  /** The fall-overs of this call. */
  readonly fallovers: FalloverFeed;
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
  /** What calls know of vendors with fallbacks; absent: nothing that other agents' calls have learnt. */
  readonly health?: HealthTable | undefined;
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

/** A leg's vendors: the one of choice first. */
type Picks = readonly [Pick, ...Pick[]];

function parseModels(models: unknown, owner: string): ModelsSettings {
  const [problem] = problemsOfModels(models);
  // The vendors' schemas are a list: the compiler does not see what they have in common.
  if (problem === undefined) return modelsSchema.parse(models ?? {}) as ModelsSettings;
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

function pickVendor({ vendor: name, ...settings }: VendorSettings, reason: 'agent' | 'organization'): Pick {
  const vendor = findVendor(name);
  if (vendor === undefined) throw new AgentStreamError('workflow-invalid', { message: `There is no vendor ${name}.` });
  return { vendor, settings, reason };
}

/** The vendor of choice and its fallbacks. */
function pickNamed({ fallbacks = [], ...chosen }: LegSettings, reason: 'agent' | 'organization'): Picks {
  return [pickVendor(chosen, reason), ...fallbacks.map((fallback) => pickVendor(fallback, reason))];
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

/** @throws AgentStreamError `vendor-unauthorized`, `egress-refused`, `configuration-invalid` */
function createCandidate<L extends Leg>(leg: L, pick: Pick, sources: ModelSources, credentials: VendorCredentials): Candidate<Products[L]> {
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
  const isFree = storedUrl === undefined || egress === undefined;
  if (!isFree) egress.check(storedUrl);
  const reach = isFree ? { fetch } : { fetch: egress.fetch, lookup: egress.lookup };
  const product = legModule.create(pick.settings, { clock, ...reach, apiKey, baseUrl });
  return { vendor: vendor.name, product, healthKey: healthKeyOf({ leg, vendor: vendor.name, model: product.model, baseUrl, apiKey }) };
}

type Candidates<Product> = readonly [Candidate<Product>, ...Candidate<Product>[]];

/**
 * The vendors of a leg that can be used at all: one that has no key, or may not be reached, is left out as long as another one is left.
 * @throws AgentStreamError what the first one fails with where none is left
 */
function createCandidates<Product extends { readonly model: string }>(
  leg: Leg,
  picks: Picks,
  create: (pick: Pick) => Candidate<Product>,
  onFallover: (fallover: Fallover) => void,
): Candidates<Product> {
  const usable: Candidate<Product>[] = [];
  const failures = new Map<Pick, AgentStreamError>();
  for (const pick of picks) {
    try {
      usable.push(create(pick));
    } catch (error) {
      failures.set(pick, toAgentStreamError(error));
    }
  }
  const [first, ...rest] = usable;
  const failure = failures.get(picks[0]);
  if (first === undefined) throw failure ?? new AgentStreamError('configuration-invalid');
  if (failure !== undefined) {
    const { model } = asRecord(picks[0].settings);
    const from = { vendor: picks[0].vendor.name, model: typeof model === 'string' ? model : '' };
    onFallover({ leg, from, to: { vendor: first.vendor, model: first.product.model }, code: failure.code });
  }
  return [first, ...rest];
}

/** What becomes of one leg. */
interface CreatedLeg<Product> {
  readonly product: Product;
  choice(): ModelChoice;
}

/** How the vendors of a leg are made into one that falls over from one to the next. */
interface Composition<Product> {
  readonly create: (lineup: Lineup<Product>, clock: Clock) => Product;
  readonly probe: LineupOptions<Product>['probe'];
}

const compositions: { readonly [L in Leg]: Composition<Products[L]> } = {
  stt: { create: createFallbackSpeechToText, probe: probeSpeechToText },
  llm: { create: createFallbackLanguageModel, probe: probeLanguageModel },
  tts: { create: createFallbackTextToSpeech, probe: probeTextToSpeech },
};

function describe({ vendor, product }: Candidate<{ readonly model: string }>, reason: ModelChoice['reason']): ModelChoice {
  return { vendor, model: product.model, reason, isSimulated: findVendor(vendor)?.isSimulated ?? false };
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
  const pick = (leg: Leg, credentials: VendorCredentials): Picks => {
    const chosen = agent[leg];
    if (chosen !== undefined) return pickNamed(chosen, 'agent');
    const inherited = organization[leg];
    return inherited === undefined ? [pickDefault(leg, sources.env, credentials)] : pickNamed(inherited, 'organization');
  };
  const health = sources.health ?? createHealthTable(sources.clock);

  return (credentials) => {
    const fallovers = createFalloverFeed();
    const create = <L extends Leg>(leg: L): CreatedLeg<Products[L]> => {
      const picks = pick(leg, credentials);
      const [{ reason }] = picks;
      const candidates = createCandidates(leg, picks, (each) => createCandidate(leg, each, sources, credentials), fallovers.tell);
      const [only] = candidates;
      if (candidates.length === 1) return { product: only.product, choice: () => describe(only, reason) };
      const { create: compose, probe } = compositions[leg];
      const lineup = createLineup({ leg, candidates, health, clock: sources.clock, onFallover: fallovers.tell, probe });
      return { product: compose(lineup, sources.clock), choice: () => describe(lineup.current, reason) };
    };
    const stt = create('stt');
    const llm = create('llm');
    const tts = create('tts');
    return {
      stt: stt.product,
      llm: llm.product,
      tts: tts.product,
      fallovers,
      get choice() {
        return { stt: stt.choice(), llm: llm.choice(), tts: tts.choice() };
      },
    };
  };
}

/**
 * {@link compileModels} and its result in one step.
 * @throws AgentStreamError `workflow-invalid`, `vendor-unauthorized`
 */
export function resolveModels(sources: ModelSources & { readonly credentials: VendorCredentials }): ResolvedModels {
  return compileModels(sources)(sources.credentials);
}
