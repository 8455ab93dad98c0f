import { randomUUID } from 'node:crypto';
import type { Clock } from '../base/clock.js';
import { DEFAULT_LINGER_MS, runScriptedCall, type CallerMind, type CallResult } from './caller.js';
import type { CallerStep } from './caller-script.js';
import type { CarrierEvent } from './carrier.js';
import type { CarrierFault } from './carrier-faults.js';
import type { CarrierMediaFormat } from './cloudonix-wire.js';
import type { FakeCloudonix } from './fake-cloudonix.js';
import type { MarkEcho } from './playout-buffer.js';
import type { SimulatedSpeech } from './simulated-speech.js';
import { loadWavClip, renderSpeech } from './speech-clip.js';
import type { ConversationTurn } from './turn-log.js';

/** The Cloudonix domain that simulated calls come from unless told otherwise. */
export const SIMULATOR_DOMAIN = 'simulator.cloudonix.net';

/** The credential of {@link SIMULATOR_DOMAIN} at the fake Cloudonix. Worth nothing anywhere else, so it may be public. */
export const SIMULATOR_BEARER_TOKEN = 'simulated-cloudonix-bearer-token';

/** Who calls when nobody says: a number reserved for fiction. */
export const DEFAULT_FROM = '+12025550143';
/** Who is called when nobody says. */
export const DEFAULT_TO = '+12025550199';

/** Longest call unless told otherwise. */
export const DEFAULT_MAX_DURATION_MS = 5 * 60_000;

/** One simulated call against a server. */
export interface PlaceCallOptions {
  /** The agent's stream URL, complete. */
  readonly url: string;
  readonly domain: string;
  /** The fake that the server asks about the session; null where the session is known to whatever it asks. */
  readonly cloudonix: FakeCloudonix | null;
  /** Session token; a random one where left out. */
  readonly session?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly mediaFormat?: CarrierMediaFormat | undefined;
  readonly echoMarks?: MarkEcho | undefined;
  readonly faults?: readonly CarrierFault[] | undefined;
  readonly customParameters?: Readonly<Record<string, string>> | undefined;
  /** A script; or a caller who decides as the call goes, and hangs up. */
  readonly steps: readonly CallerStep[] | CallerMind;
  readonly speech: SimulatedSpeech;
  readonly clock: Clock;
  readonly maxDurationMs?: number | undefined;
  /** How long the caller stays on the line after the last step. */
  readonly lingerMs?: number | undefined;
  /** Aborting hangs up. */
  readonly signal?: AbortSignal | undefined;
  readonly onTurn?: ((turn: ConversationTurn) => void) | undefined;
  readonly onEvent?: ((event: CarrierEvent) => void) | undefined;
}

/** A call that took place, or tried to. */
export interface PlacedCall extends CallResult {
  readonly session: string;
  /** What the server asked Cloudonix' API to do with the call before it ended; null where it asked nothing. */
  readonly asked: 'hang-up' | 'transfer' | null;
}

/** The audio of every step that makes a sound, by the step's index. Rendered before the call: a person does not pause to synthesise. */
async function prepareClips(steps: readonly CallerStep[], options: PlaceCallOptions): Promise<ReadonlyMap<number, Uint8Array>> {
  const { speech, clock, signal } = options;
  const clips = new Map<number, Uint8Array>();
  for (const [index, step] of steps.entries()) {
    if (step.type === 'say') clips.set(index, await renderSpeech(speech.voice, step.text, clock, signal));
    if (step.type === 'play-wav') clips.set(index, await loadWavClip(step.path));
  }
  return clips;
}

/**
 * Places one call as Cloudonix would: registers the session at the fake REST API, opens the stream, plays the caller's part, and
 * ends the stream when the server asks the API to hang up or to switch the voice application.
 * @throws AgentStreamError where a step cannot be rendered; never for what happens in the call
 */
export async function placeCall(options: PlaceCallOptions): Promise<PlacedCall> {
  const { steps } = options;
  const part = typeof steps === 'function' ? steps : { steps, clips: await prepareClips(steps, options), lingerMs: options.lingerMs ?? DEFAULT_LINGER_MS };
  const session = options.session ?? randomUUID();
  let asked: PlacedCall['asked'] = null;
  options.cloudonix?.addSession(options.domain, session, { status: 'answer' });
  const result = await runScriptedCall({
    carrier: {
      url: options.url,
      clock: options.clock,
      domain: options.domain,
      session,
      callSid: `${randomUUID()}@127.0.0.1`,
      streamSid: `ST-${randomUUID()}`,
      from: options.from ?? DEFAULT_FROM,
      to: options.to ?? DEFAULT_TO,
      customParameters: options.customParameters ?? {},
      mediaFormat: options.mediaFormat ?? 'mulaw',
      echoMarks: options.echoMarks ?? 'yes',
      faults: options.faults ?? [],
    },
    part,
    recogniser: options.speech.recogniser,
    maxDurationMs: options.maxDurationMs ?? DEFAULT_MAX_DURATION_MS,
    ...(options.onTurn === undefined ? {} : { onTurn: options.onTurn }),
    ...(options.onEvent === undefined ? {} : { onEvent: options.onEvent }),
    onStream(stream) {
      if (options.signal?.aborted === true) stream.hangUp();
      options.signal?.addEventListener('abort', () => stream.hangUp(), { once: true });
      const endOwnCall = (request: { readonly token: string }, reason: PlacedCall['asked']) => {
        if (request.token !== session) return;
        asked ??= reason;
        stream.hangUp();
      };
      const { cloudonix } = options;
      if (cloudonix === null) return;
      const ignore = [
        cloudonix.on('hangup', (request) => endOwnCall(request, 'hang-up')),
        cloudonix.on('application', (request) => endOwnCall(request, 'transfer')),
      ];
      void stream.ended.then(() => ignore.forEach((unsubscribe) => unsubscribe()));
    },
  });
  return { ...result, session, asked };
}
