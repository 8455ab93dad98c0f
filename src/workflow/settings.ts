import { z } from 'zod';
import { issueProblems, type Problem } from './problems.js';

/** Longest text that the engine speaks on its own, characters. */
const MAX_TEXT_LENGTH = 500;
/** Longest `idle_ladder.checks`. */
const MAX_IDLE_CHECKS = 5;
/** Most entries of `dictionary` and of `acknowledgement_words`. */
const MAX_WORDS = 200;

const text = (standard: string, description: string) =>
  z.string().trim().min(1).max(MAX_TEXT_LENGTH).default(standard).meta({ description });

const words = z.array(z.string().trim().min(1).max(100)).max(MAX_WORDS);

const endpointing = z
  .strictObject({
    min_delay_ms: z.int().min(0).max(5000).default(300).meta({ description: 'Silence that ends a turn whose words sound complete.' }),
    max_delay_ms: z.int().min(100).max(10_000).default(1200).meta({ description: 'Silence that ends a turn whatever its words.' }),
  })
  .refine((value) => value.min_delay_ms <= value.max_delay_ms, { path: ['max_delay_ms'], error: 'must not be less than min_delay_ms' });

/** The same words as turn/options.ts, which this layer must not import; test/contracts/turn-defaults.test.ts keeps them equal. */
const acknowledgementWords = [
  'mm-hm', 'mhm', 'mm', 'uh-huh', 'uhuh', 'yeah', 'yes', 'yep', 'ok', 'okay', 'right', 'sure', 'i see', 'aha', 'hm', 'hmm',
];

const interruption = z.strictObject({
  enabled: z.boolean().default(true).meta({ description: 'False: the caller’s voice never stops the agent.' }),
  min_duration_ms: z.int().min(0).max(5000).optional().meta({ description: 'Speech that must last before the agent stops. Without it: 160 ms with the energy detector, 96 ms with Silero.' }),
  min_words: z.int().min(0).max(20).default(0).meta({ description: 'Words that must be recognised before the agent stops; 0: the voice is enough.' }),
  acknowledgement_words: words.default(acknowledgementWords).meta({ description: 'Words that show attention and do not take the turn.' }),
  false_interruption_timeout_ms: z
    .int()
    .min(0)
    .max(10_000)
    .default(1500)
    .meta({ description: 'After a stop without words, the agent goes on when this much time has passed.' }),
  resume: z.boolean().default(true).meta({ description: 'False: a false interruption ends the reply.' }),
});

const preemptiveGeneration = z.strictObject({
  enabled: z.boolean().default(true).meta({ description: 'The reply is begun when the caller pauses, and dropped unheard where the caller goes on.' }),
  max_per_turn: z
    .int()
    .min(1)
    .max(10)
    .default(2)
    .meta({ description: 'Replies begun per caller turn. Each that is dropped costs a request to the model, and perhaps one to the voice.' }),
});

const filler = z.strictObject({
  enabled: z.boolean().default(true).meta({ description: 'texts.filler is said once where the model leaves the caller waiting.' }),
  after_ms: z
    .int()
    .min(500)
    .max(6000)
    .default(2500)
    .meta({ description: 'From the end of the caller’s turn to the filler, where the model has not begun to speak.' }),
});

const recording = z.strictObject({
  enabled: z.boolean().default(true).meta({ description: 'Both sides are recorded, each on a channel.' }),
  retention_days: z
    .int()
    .min(1)
    .max(3650)
    .optional()
    .meta({ description: 'Days of 24 h after the call’s end at which its recording is deleted; unset: it is kept.' }),
});

const idleLadder = z.strictObject({
  checks: z
    .array(z.string().trim().min(1).max(MAX_TEXT_LENGTH))
    .max(MAX_IDLE_CHECKS)
    .default(['Are you still there?'])
    .meta({ description: 'Said one after the other, each after max_user_idle_timeout of silence.' }),
  goodbye: text('I cannot hear you, so I will end the call now. Goodbye.', 'Said when every check went unanswered; then the call ends.'),
});

const voicemailDetection = z.strictObject({
  enabled: z.boolean().default(false).meta({ description: 'The beginning of each call is watched for a voicemail system.' }),
  action: z.enum(['hang_up', 'leave_message']).default('hang_up').meta({ description: 'What follows where one is found.' }),
  message: text('Hello. We could not reach you, and will try again later. Goodbye.', 'Said after the beep, where the action is leave_message. A template.'),
  long_speech_seconds: z.number().min(3).max(60).default(8).meta({ description: 'Words without a break for so long are an announcement.' }),
  max_wait_seconds: z.number().min(5).max(120).default(30).meta({ description: 'How long the beep is waited for; then the call is hung up.' }),
});

const texts = z.strictObject({
  greeting: text('Hello. How can I help you?', 'First words where the model should greet and gives none.'),
  fallback: text('Sorry, I did not get that. Could you say it again?', 'Said when the model gives nothing the caller could hear.'),
  apology: text('Sorry, something went wrong on my side. Could you say that again?', 'Said when the model fails.'),
  filler: text('One moment, please.', 'Said when the model takes long to begin (turn.filler).'),
  tool_waiting: text('One moment, please. I am still on it.', 'Said when a tool takes long, again and again.'),
  goodbye: text('Goodbye.', 'Said when the closing turn gives no words.'),
  transfer: text('One moment, please. I am connecting you.', 'Said before a transfer that has no message of its own.'),
  transfer_failed: text('Sorry, nobody could take the call.', 'Said when a transfer failed and nothing else is left to say.'),
  max_duration: text('I am sorry, we have reached the end of the time for this call. Goodbye.', 'Goodbye at max_call_duration.'),
  quota_exceeded: text('I am sorry, I have to end the call here. Goodbye.', 'Goodbye when the quota runs out during the call.'),
  drained: text('I am sorry, I have to end the call here. Please call again. Goodbye.', 'Goodbye when the server shuts down.'),
  operator_hangup: text('I have to end the call here. Goodbye.', 'Goodbye when the call is ended through the API.'),
  vendor_error: text('I am sorry, I cannot go on right now. Please call again later. Goodbye.', 'Goodbye when the model keeps failing, or the recogniser is lost.'),
});

/**
 * Settings of an agent's version, strict: an unknown key is refused, and so is one whose function is not built.
 * @param models schema of `models` (speech/models.ts); without it any JSON object is taken.
 */
export function createSettingsSchema<Models = unknown>(models?: z.ZodType<Models>) {
  return z
    .strictObject({
      max_call_duration: z.int().min(10).max(14_400).default(300).meta({ description: 'Seconds; then a goodbye and hang-up.' }),
      max_duration_warning_seconds: z
        .int()
        .min(0)
        .max(300)
        .default(15)
        .meta({ description: 'Seconds before max_call_duration at which the caller is warned; 0: no warning.' }),
      max_duration_warning_text: text('We have only a few seconds left on this call.', 'The warning.'),
      max_user_idle_timeout: z.number().min(2).max(300).default(10).meta({ description: 'Seconds of silence of both sides.' }),
      idle_ladder: idleLadder.prefault({}),
      turn: z
        .strictObject({
          endpointing: endpointing.prefault({}),
          interruption: interruption.prefault({}),
          preemptive_generation: preemptiveGeneration.prefault({}),
          filler: filler.prefault({}),
        })
        .prefault({}),
      recording: recording.prefault({}),
      voicemail_detection: voicemailDetection.prefault({}),
      language: z
        .string()
        .regex(/^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/, 'must be a language tag such as en or pt-BR')
        .default('en')
        .meta({ description: 'Language of the conversation (BCP 47).' }),
      dictionary: words.default([]).meta({ description: 'Names and words the recogniser should expect.' }),
      limits: z
        .strictObject({
          concurrent_calls: z.int().min(1).max(10_000).optional().meta({ description: 'Calls of this agent at once; unset: the organization’s limit.' }),
        })
        .prefault({}),
      models: (models ?? z.record(z.string(), z.unknown())).optional().meta({ description: 'Vendor and model of each leg.' }),
      texts: texts.prefault({}),
    })
    .refine((value) => value.max_duration_warning_seconds < value.max_call_duration, {
      path: ['max_duration_warning_seconds'],
      error: 'must be less than max_call_duration',
    });
}

/** Settings with every default filled in. */
export type WorkflowSettings = z.infer<ReturnType<typeof createSettingsSchema<unknown>>>;

/** What the engine speaks on its own. */
export type WorkflowTexts = WorkflowSettings['texts'];

/** Settings of the reference's documents, and of later versions, that this version cannot carry out. */
const unbuiltSettings: ReadonlySet<string> = new Set([
  'ambient_noise',
  'ambient_noise_configuration',
  'context_compaction',
  'context_compaction_enabled',
  'transcript',
  'transcript_configuration',
  'text_chat_inactivity_timeout_seconds',
]);

/**
 * Validates the settings of a version; `undefined` and `null` mean all defaults.
 * @param modelsSchema see {@link createSettingsSchema}.
 */
export function parseSettings(
  input: unknown,
  modelsSchema?: z.ZodType,
): { readonly ok: true; readonly settings: WorkflowSettings } | { readonly ok: false; readonly problems: readonly Problem[] } {
  const result = createSettingsSchema(modelsSchema).safeParse(input ?? {});
  if (result.success) return { ok: true, settings: result.data };
  const problems = issueProblems(result.error.issues, { kind: 'workflow', id: 'settings' }).map((problem) =>
    unbuiltSettings.has(problem.field)
      ? { ...problem, message: `not supported yet: ${problem.field}`, cure: `Remove ${problem.field}.` }
      : problem,
  );
  return { ok: false, problems };
}

/** All defaults. */
export const defaultSettings: WorkflowSettings = createSettingsSchema().parse({});
