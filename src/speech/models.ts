import type { Clock } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError } from '../base/errors.js';
import { asRecord } from '../base/json.js';
import { createFalloverFeed, type FalloverFeed } from './fallback/fallover-feed.js';
import { createHealthTable, healthKeyOf, type HealthTable } from './fallback/health-table.js';
import { createFallbackLanguageModel } from './fallback/language-model.js';
import { createHedging, type Hedging } from './fallback/hedging.js';
import { createFallbackRealtimeModel } from './fallback/realtime.js';
import { createLineup, type Candidate, type Fallover, type Lineup } from './fallback/lineup.js';
import { createFallbackSpeechToText } from './fallback/speech-to-text.js';
import { createFallbackTextToSpeech } from './fallback/text-to-speech.js';
import { meterLanguageModel, meterSpeechToText, meterTextToSpeech } from './metered.js';
import {
  modelsSchema,
  organizationModelsSchema,
  problemsOfModels,
  problemsOfOrganizationModels,
  type LegSettings,
  type ModelsSettings,
  type VendorSettings,
} from './models-schema.js';
import { probes, type LegProducts } from './probes.js';
import { findVendor, vendorsOf } from './registry.js';
import type { LanguageModel } from './language-model.js';
import type { RealtimeModel } from './realtime-model.js';
import type { SpeechToText } from './speech-to-text.js';
import type { TextToSpeech } from './text-to-speech.js';
import { createVendorContext, envValue, type Environment, type VendorCredential, type VendorReach } from './vendor-context.js';
import type { CascadedLeg, Leg, VendorLeg, VendorModule } from './vendor.js';
import { createWorkMeter, type WorkMeter } from './work-meter.js';

export { modelsSchema, organizationModelsSchema, problemsOfModels, type ModelsProblem, type ModelsSettings } from './models-schema.js';

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

/** What every call has, whoever speaks. */
interface CommonModels {
  /** Collects variables and answers written conversations; what is said too, where the models are cascaded. */
  readonly llm: LanguageModel;
  /** The vendors in use: those of choice, until one of them falls over. */
  readonly choice: { readonly [L in Leg]?: ModelChoice } & { readonly llm: ModelChoice };
  /** The fall-overs of this call. */
  readonly fallovers: FalloverFeed;
  /** What each vendor does for the call. */
  readonly meter: WorkMeter;
}

/** Three legs: speech-to-text, language model, text-to-speech. */
export interface CascadedModels extends CommonModels {
  readonly kind: 'cascaded';
  readonly stt: SpeechToText;
  readonly tts: TextToSpeech;
}

/** A speech-to-speech model in their place. */
export interface SpeechToSpeechModels extends CommonModels {
  readonly kind: 'speech-to-speech';
  readonly realtime: RealtimeModel;
  /** Speaks fixed words; null: the model itself does. */
  readonly tts: TextToSpeech | null;
}

/** The vendors of one call, ready to be opened. */
export type ResolvedModels = CascadedModels | SpeechToSpeechModels;

/** What decides the vendors of an agent's version. */
export interface ModelSources extends VendorReach {
  /** `settings.models` of the agent's version; undefined or null: chooses nothing. */
  readonly agentModels: unknown;
  /** The organization's default of the same shape. */
  readonly organizationModels: unknown;
  /** What calls know of vendors with fallbacks; absent: nothing that other agents' calls have learnt. */
  readonly health?: HealthTable | undefined;
}

/** Creates the vendors of one call from the credentials stored at this moment. */
export type CreateModels = (credentials: VendorCredentials) => ResolvedModels;

/** Whether a vendor has a key in the environment, or needs none. */
export const hasKeyIn = (vendor: VendorModule, env: Environment): boolean => vendor.apiKeyEnv === null || envValue(env, vendor.apiKeyEnv) !== undefined;

type Legs = { readonly [L in Leg]?: VendorLeg<LegProducts[L]> };

/** A vendor picked for a leg; its options are parsed. */
interface Pick {
  readonly vendor: VendorModule;
  readonly settings: unknown;
  readonly reason: ModelChoice['reason'];
}

/** How a leg is served. */
interface Picks {
  /** Its vendors: the one of choice first. */
  readonly line: readonly [Pick, ...Pick[]];
  /** See {@link LegSettings}. */
  readonly hedgeAfterMs?: number | undefined;
}

const parsers = {
  agent: { schema: modelsSchema, problemsOf: problemsOfModels },
  organization: { schema: organizationModelsSchema, problemsOf: problemsOfOrganizationModels },
};

function parseModels(models: unknown, owner: keyof typeof parsers): ModelsSettings {
  const { schema, problemsOf } = parsers[owner];
  const [problem] = problemsOf(models);
  // The vendors' schemas are a list: the compiler does not see what they have in common.
  if (problem === undefined) return schema.parse(models ?? {}) as ModelsSettings;
  throw new AgentStreamError('workflow-invalid', { message: `The ${owner}’s models are not valid: ${problem.path} ${problem.message}` });
}

/** Where the key of a vendor comes from. Stored credentials win over the environment. */
function keySource(vendor: VendorModule, env: Environment, credentials: VendorCredentials): 'credential' | 'environment' | null {
  if (vendor.apiKeyEnv === null) return null;
  if (credentials[vendor.name] !== undefined) return 'credential';
  return hasKeyIn(vendor, env) ? 'environment' : null;
}

function pickVendor({ vendor: name, ...settings }: VendorSettings, reason: 'agent' | 'organization'): Pick {
  const vendor = findVendor(name);
  if (vendor === undefined) throw new AgentStreamError('workflow-invalid', { message: `There is no vendor ${name}.` });
  return { vendor, settings, reason };
}

/** The vendor of choice and its fallbacks. */
function pickNamed({ fallbacks = [], hedge_after_ms: hedgeAfterMs, ...chosen }: LegSettings, reason: 'agent' | 'organization'): Picks {
  return { line: [pickVendor(chosen, reason), ...fallbacks.map((fallback) => pickVendor(fallback, reason))], hedgeAfterMs };
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
function createCandidate<L extends Leg>(leg: L, pick: Pick, sources: ModelSources, credentials: VendorCredentials): Candidate<LegProducts[L]> {
  const { vendor } = pick;
  const legs: Legs = vendor;
  const legModule = legs[leg];
  if (legModule === undefined) throw new AgentStreamError('workflow-invalid', { message: `${vendor.name} has no ${leg} leg.` });
  const context = createVendorContext(vendor, credentials[vendor.name], sources);
  const { apiKey, baseUrl } = context;
  const product = legModule.create(pick.settings, context);
  return { vendor: vendor.name, product, healthKey: healthKeyOf({ leg, vendor: vendor.name, model: product.model, baseUrl, apiKey }) };
}

type Candidates<Product> = readonly [Candidate<Product>, ...Candidate<Product>[]];

/**
 * The vendors of a leg that can be used at all: one that has no key, or may not be reached, is left out as long as another one is left.
 * @throws AgentStreamError what the first one fails with where none is left
 */
function createCandidates<Product extends { readonly model: string }>(
  leg: Leg,
  picks: Picks['line'],
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
  readonly create: (lineup: Lineup<Product>, clock: Clock, hedging: Hedging | null) => Product;
  /** Counts what one vendor does. */
  readonly count: (product: Product, meter: WorkMeter) => Product;
}

const compositions: { readonly [L in Leg]: Composition<LegProducts[L]> } = {
  stt: { create: createFallbackSpeechToText, count: meterSpeechToText },
  llm: { create: createFallbackLanguageModel, count: meterLanguageModel },
  tts: { create: createFallbackTextToSpeech, count: meterTextToSpeech },
  // What its vendors count is not the legs' units.
  realtime: { create: createFallbackRealtimeModel, count: (product) => product },
};

function describe({ vendor, product }: Candidate<{ readonly model: string }>, reason: ModelChoice['reason']): ModelChoice {
  return { vendor, model: product.model, reason, isSimulated: findVendor(vendor)?.isSimulated ?? false };
}

/** What the two who may choose have chosen. */
interface Choices {
  readonly agent: ModelsSettings;
  readonly organization: ModelsSettings;
}

/** A speech-to-speech model of the organization's stands back where the agent names a leg that it would replace. */
function pickRealtime({ agent, organization }: Choices): Picks | null {
  if (agent.realtime !== undefined) return pickNamed(agent.realtime, 'agent');
  const hasLegs = agent.stt !== undefined || agent.llm !== undefined || agent.tts !== undefined;
  return organization.realtime === undefined || hasLegs ? null : pickNamed(organization.realtime, 'organization');
}

/** The voice that was named beside a speech-to-speech model, by whoever named the model. */
function pickVoiceBeside({ line: [{ reason }] }: Picks, { agent, organization }: Choices): Picks | null {
  const owner = reason === 'agent' ? 'agent' : 'organization';
  const { tts } = { agent, organization }[owner];
  return tts === undefined ? null : pickNamed(tts, owner);
}

/**
 * Parses what decides an agent's vendors once, so that each call only creates them. A speech-to-speech model where one is chosen, else
 * for each leg: the agent's choice, else the organization's, else the first vendor in the leg's order that has a key, else `builtin`.
 * @throws AgentStreamError `workflow-invalid` where a choice is not valid. The function it returns throws `vendor-unauthorized`
 * where a chosen vendor has no key, and `egress-refused` where a stored base URL is an internal address.
 */
export function compileModels(sources: ModelSources): CreateModels {
  const choices = { agent: parseModels(sources.agentModels, 'agent'), organization: parseModels(sources.organizationModels, 'organization') };
  const pick = (leg: CascadedLeg, credentials: VendorCredentials): Picks => {
    const chosen = choices.agent[leg];
    if (chosen !== undefined) return pickNamed(chosen, 'agent');
    const inherited = choices.organization[leg];
    return inherited === undefined ? { line: [pickDefault(leg, sources.env, credentials)] } : pickNamed(inherited, 'organization');
  };
  const realtime = pickRealtime(choices);
  const voice = realtime === null ? null : pickVoiceBeside(realtime, choices);
  const health = sources.health ?? createHealthTable(sources.clock);

  return (credentials) => {
    const fallovers = createFalloverFeed();
    const meter = createWorkMeter();
    const create = <L extends Leg>(leg: L, picks: Picks): CreatedLeg<LegProducts[L]> => {
      const { line, hedgeAfterMs } = picks;
      const [{ reason }] = line;
      const { create: compose, count } = compositions[leg];
      const createCounted = (each: Pick) => {
        const candidate = createCandidate(leg, each, sources, credentials);
        return { ...candidate, product: count(candidate.product, meter) };
      };
      const candidates = createCandidates(leg, line, createCounted, fallovers.tell);
      const [only] = candidates;
      if (candidates.length === 1 && hedgeAfterMs === undefined) return { product: only.product, choice: () => describe(only, reason) };
      const lineup = createLineup({ leg, candidates, health, clock: sources.clock, onFallover: fallovers.tell, probe: probes[leg] });
      const hedging = hedgeAfterMs === undefined ? null : createHedging(hedgeAfterMs);
      return { product: compose(lineup, sources.clock, hedging), choice: () => describe(lineup.current, reason) };
    };
    const llm = create('llm', pick('llm', credentials));
    if (realtime !== null) {
      const speaker = create('realtime', realtime);
      const tts = voice === null ? null : create('tts', voice);
      return {
        kind: 'speech-to-speech',
        realtime: speaker.product,
        llm: llm.product,
        tts: tts?.product ?? null,
        fallovers,
        meter,
        get choice() {
          return { realtime: speaker.choice(), llm: llm.choice(), ...(tts === null ? {} : { tts: tts.choice() }) };
        },
      };
    }
    const stt = create('stt', pick('stt', credentials));
    const tts = create('tts', pick('tts', credentials));
    return {
      kind: 'cascaded',
      stt: stt.product,
      llm: llm.product,
      tts: tts.product,
      fallovers,
      meter,
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
