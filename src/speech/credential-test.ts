import { deadlineSignal, type Clock } from '../base/clock.js';
import { AgentStreamError, toAgentStreamError, type ErrorCode } from '../base/errors.js';
import { asRecord } from '../base/json.js';
import { probes, type LegProducts, type Probe } from './probes.js';
import { findVendor } from './registry.js';
import { createVendorContext, type VendorCredential, type VendorReach } from './vendor-context.js';
import type { Leg, VendorContext, VendorLeg } from './vendor.js';

/** Longest that the test of a leg may take: a recogniser has tried to connect three times by then. */
export const CREDENTIAL_TEST_LIMIT_MS = 8000;

/** What became of one leg. */
export interface LegTest {
  readonly leg: Leg;
  readonly model: string;
  /** From the beginning of the test to the vendor's first answer; null: there was none. */
  readonly timeToFirstByteMs: number | null;
  /** Null: it works. The message names neither key nor address. */
  readonly failure: { readonly code: ErrorCode; readonly message: string } | null;
}

/** Whether one leg works. @throws the signal's reason where the test itself was given up */
async function testLeg<L extends Leg>(leg: L, module: VendorLeg<LegProducts[L]>, createContext: () => VendorContext, run: { clock: Clock; signal: AbortSignal }): Promise<LegTest> {
  const { clock, signal: parent } = run;
  // Of a union of legs the compiler does not see that it is the one asked for.
  const probe: Probe<LegProducts[L]> = probes[leg];
  const settings = module.settingsSchema.parse({});
  const startedMs = clock.nowMs();
  let timeToFirstByteMs: number | null = null;
  const noteAnswer = () => (timeToFirstByteMs = Math.round(clock.nowMs() - startedMs));
  const late = () => new AgentStreamError('vendor-unreachable', { message: `The vendor did not answer within ${CREDENTIAL_TEST_LIMIT_MS / 1000} s.` });
  const { signal, dispose } = deadlineSignal(clock, CREDENTIAL_TEST_LIMIT_MS, parent, late);
  const { model: defaultModel } = asRecord(settings);
  let model = typeof defaultModel === 'string' ? defaultModel : '';
  try {
    const product = module.create(settings, createContext());
    ({ model } = product);
    await probe(product, signal, noteAnswer);
    return { leg, model, timeToFirstByteMs, failure: null };
  } catch (thrown) {
    parent.throwIfAborted();
    const { code, message } = toAgentStreamError(thrown, 'vendor-failed');
    return { leg, model, timeToFirstByteMs, failure: { code, message } };
  } finally {
    dispose();
  }
}

/**
 * Asks the vendor of a key for the least it can be asked, on each leg that it has, side by side and with each leg's default options:
 * a recogniser hears 100 ms of silence (one that is asked by requests 600 ms of tones), a model begins an answer of a few tokens, a voice begins one word, a speech-to-speech model sets a
 * session up. Takes {@link CREDENTIAL_TEST_LIMIT_MS} at most. Where a stored base URL leads is guarded as it is for calls.
 * @throws the signal's reason where it aborts
 */
export async function testCredential(vendorName: string, credential: VendorCredential, reach: VendorReach, signal: AbortSignal): Promise<readonly LegTest[]> {
  const vendor = findVendor(vendorName);
  if (vendor === undefined) return [];
  const createContext = () => createVendorContext(vendor, credential, reach);
  const run = { clock: reach.clock, signal };
  const { stt, llm, tts, realtime } = vendor;
  const tests: Promise<LegTest>[] = [];
  if (stt !== undefined) tests.push(testLeg('stt', stt, createContext, run));
  if (llm !== undefined) tests.push(testLeg('llm', llm, createContext, run));
  if (tts !== undefined) tests.push(testLeg('tts', tts, createContext, run));
  if (realtime !== undefined) tests.push(testLeg('realtime', realtime, createContext, run));
  return Promise.all(tests);
}
