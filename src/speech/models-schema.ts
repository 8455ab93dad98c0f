import { z } from 'zod';
import { FIRST_PART_LIMIT_MS } from './fallback/model-attempt.js';
import { vendors } from './registry.js';
import type { Leg } from './vendor.js';

/** What is wrong with one field of `settings.models`. */
export interface ModelsProblem {
  /** Dotted, below `models`: `tts.voice`. Empty: the value as a whole. */
  readonly path: string;
  readonly message: string;
}

/** Vendors that may stand in for the one of a leg. */
const MAX_FALLBACKS = 4;

/** One vendor as chosen: its name and its options with defaults filled in. */
export interface VendorSettings {
  readonly vendor: string;
  readonly [option: string]: unknown;
}

/** One leg as chosen: the vendor of choice, and those that are asked where it fails, in order. */
export interface LegSettings extends VendorSettings {
  readonly fallbacks?: readonly VendorSettings[] | undefined;
  /** Only of a language model: a request that brings nothing for so long is sent a second time. Undefined: none is. */
  readonly hedge_after_ms?: number | undefined;
}

/** `settings.models` with every default filled in. A leg that is left out is chosen elsewhere. */
export interface ModelsSettings {
  readonly stt?: LegSettings | undefined;
  readonly llm?: LegSettings | undefined;
  readonly tts?: LegSettings | undefined;
  /** In place of `stt`, `llm` and `tts`. */
  readonly realtime?: LegSettings | undefined;
}

/** {@link ModelsSettings} as an organization has them: with the model that embeds its documents. */
export interface OrganizationModelsSettings extends ModelsSettings {
  readonly embeddings?: VendorSettings | undefined;
}

/** The options of each vendor that has this leg, with those that all of them have (`common`), told apart by `vendor`. */
function createVendorSchema<Common extends z.ZodRawShape>(leg: Leg | 'embeddings', common: Common) {
  const offering = vendors.filter((vendor) => vendor[leg] !== undefined);
  const options = offering.map((vendor) => {
    const schema = vendor[leg]?.settingsSchema;
    if (!(schema instanceof z.ZodObject)) throw new TypeError(`The options of ${vendor.name} are not an object schema`);
    return schema.extend({ vendor: z.literal(vendor.name), ...common });
  });
  const [first, ...rest] = options;
  if (first === undefined) throw new TypeError(`No vendor has the leg ${leg}`);
  const names = offering.map((vendor) => vendor.name).join(', ');
  return z.discriminatedUnion('vendor', [first, ...rest], {
    error: `vendor must be one of: ${names}`,
  });
}

const refused = (error: string) => z.never({ error }).optional();

/** `common`: what all vendors of the leg take. `ofFallback`: what their fallbacks take of it. */
function createLegSchema(leg: Leg, common: z.ZodRawShape = {}, ofFallback: z.ZodRawShape = {}) {
  const fallback = createVendorSchema(leg, { fallbacks: refused('a fallback has no fallbacks of its own: remove it'), ...ofFallback });
  const fallbacks = z.array(fallback).max(MAX_FALLBACKS, `at most ${MAX_FALLBACKS} fallbacks`);
  return createVendorSchema(leg, { fallbacks: fallbacks.optional().meta({ description: 'Vendors asked where this one fails, in order.' }), ...common });
}

/** Shortest and longest wait before a request to a language model is sent a second time. */
const MIN_HEDGE_AFTER_MS = 100;
const MAX_HEDGE_AFTER_MS = 5000;

function createLanguageModelSchema() {
  const hedgeAfterMs = z
    .int()
    .min(MIN_HEDGE_AFTER_MS)
    .max(MAX_HEDGE_AFTER_MS)
    .optional()
    .meta({ description: 'A request of a caller’s turn that brings nothing for so long is sent a second time; the first answer is taken. Unset: none is.' });
  return createLegSchema('llm', { hedge_after_ms: hedgeAfterMs }, { hedge_after_ms: refused('a fallback has no hedge_after_ms of its own: set it on llm') });
}

const legs = {
  stt: createLegSchema('stt').optional().meta({ description: 'Speech-to-text.' }),
  llm: createLanguageModelSchema()
    .optional()
    .meta({ description: 'Language model. Beside `realtime`: collects variables and answers written conversations.' }),
  tts: createLegSchema('tts').optional().meta({ description: 'Text-to-speech. Beside `realtime`: speaks fixed words.' }),
  realtime: createLegSchema('realtime')
    .optional()
    .meta({ description: 'Speech-to-speech model: hears, answers and speaks in place of the three legs.' }),
};

const embeddings = createVendorSchema('embeddings', { fallbacks: refused('embeddings have no fallbacks, since vectors of two models cannot be compared: remove it') })
  .optional()
  .meta({ description: 'Embeds the organization’s documents, and what is looked for in them.' });

/** What the legs mean for each other. */
function checkTogether({ realtime, stt, llm }: { readonly realtime?: unknown; readonly stt?: unknown; readonly llm?: unknown }, context: z.RefinementCtx): void {
  const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
  if (realtime !== undefined && stt !== undefined) refuse(['stt'], 'a speech-to-speech model (realtime) hears by itself: remove stt');
  const { fallbacks = [], hedge_after_ms: hedgeAfterMs = 0 } = (llm ?? {}) as Partial<LegSettings>;
  if (fallbacks.length === 0 || hedgeAfterMs < FIRST_PART_LIMIT_MS) return;
  refuse(['llm', 'hedge_after_ms'], `must be less than ${FIRST_PART_LIMIT_MS} beside fallbacks: a model that is silent for so long is left for the next one`);
}

/**
 * `settings.models` of an agent: for each leg a vendor and its options, or a speech-to-speech model.
 * Strict: what a vendor does not know is refused with its path.
 */
export const modelsSchema = z
  .strictObject({ ...legs, embeddings: refused('documents are the organization’s: set embeddings in its default_models (PUT /organization/limits)') })
  .superRefine(checkTogether);

/** The organization's default of the same shape, with `embeddings`. */
export const organizationModelsSchema = z.strictObject({ ...legs, embeddings }).superRefine(checkTogether);

function problemsOf(models: unknown, schema: z.ZodType): readonly ModelsProblem[] {
  const parsed = schema.safeParse(models ?? {});
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), message: 'unknown option' }))
      : [{ path: issue.path.join('.'), message: issue.message }],
  );
}

/** Every problem of a `settings.models` value at once; empty where it is valid. `undefined` and `null` choose nothing and are valid. */
export const problemsOfModels = (models: unknown): readonly ModelsProblem[] => problemsOf(models, modelsSchema);

/** {@link problemsOfModels} of an organization's default. */
export const problemsOfOrganizationModels = (models: unknown): readonly ModelsProblem[] => problemsOf(models, organizationModelsSchema);
