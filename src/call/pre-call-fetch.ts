import { deadlineSignal, type Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import { parseJsonRecord } from '../base/json.js';
import type { RequestCredential } from '../store/store.js';
import type { PreCallFetch } from '../workflow/graph.js';
import { readPreCallAnswer, type PreCallAnswer } from '../workflow/pre-call-fetch.js';
import { credentialHeaders, withoutSecrets } from '../workflow/request-credential.js';

/** The caller hears no more than ringing meanwhile: no answer is waited for any longer. */
export const PRE_CALL_FETCH_LIMIT_MS = 10_000;
/** Largest answer that is read. */
const MAX_ANSWER_BYTES = 64_000;

/** What was fetched, or why nothing was; and how long it took. */
export type PreCallResult = { readonly tookMs: number } & ({ readonly answer: PreCallAnswer } | { readonly failure: string });

/** What is known of a call before it begins. */
export interface PreCallFacts {
  readonly runId: string;
  readonly initialContext: Readonly<Record<string, unknown>>;
  readonly gatheredContext: Readonly<Record<string, unknown>>;
}

/** True where the document asks for a call of this direction. */
export const isFetched = ({ mode }: PreCallFetch, { initialContext }: PreCallFacts): boolean => mode === 'always' || mode === initialContext['direction'];

function bodyOf({ runId, initialContext, gatheredContext }: PreCallFacts): string {
  const { direction, provider, caller_number: caller, called_number: called, agent_uuid: agentUuid } = initialContext;
  const { call_id: callId, session, call_sid: callSid } = gatheredContext;
  const event = direction === 'outbound' ? 'call_outbound' : 'call_inbound';
  const numbers = { agent_id: agentUuid, from_number: caller, to_number: called };
  const facts = { caller_number: caller, called_number: called, agent_uuid: agentUuid, run_id: runId, call_id: callId, session, call_sid: callSid };
  return JSON.stringify({ event, [event]: numbers, direction, provider, ...facts });
}

/** What went wrong, in words that hold nothing of an address or an answer. */
class Unanswered extends Error {}

async function readBody(response: Response): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    sizeBytes += chunk.length;
    if (sizeBytes > MAX_ANSWER_BYTES) throw new Unanswered(`the answer is larger than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** What is asked with. */
export interface PreCallPorts {
  readonly clock: Clock;
  readonly fetch: typeof fetch;
  /** The call's. */
  readonly signal: AbortSignal;
  /** A stored credential, opened now; null: there is none. */
  readonly credentialOf: (uuid: string) => Promise<RequestCredential | null>;
}

/** The credential is sent to the address of the document alone: a redirect is not followed. */
async function credentialFor({ credentialUuid }: PreCallFetch, { credentialOf }: PreCallPorts) {
  if (credentialUuid === null) return credentialHeaders(null);
  const opened = await credentialOf(credentialUuid);
  if (opened === null) throw new Unanswered('its credential does not exist');
  return credentialHeaders(opened);
}

/** Without what an address or an answer may hold. */
function failureOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'the call ended, or there was no answer in time';
  if (error instanceof AgentStreamError) return error.code;
  return error instanceof Unanswered ? error.message : 'there was no connection';
}

/** Asks the document's server about a call. Never rejects: a call goes on without what it would have told. */
export async function fetchBeforeCall(
  plan: PreCallFetch,
  facts: PreCallFacts,
  ports: PreCallPorts,
): Promise<PreCallResult> {
  const { clock } = ports;
  const startedAtMs = clock.nowMs();
  const deadline = deadlineSignal(clock, PRE_CALL_FETCH_LIMIT_MS, ports.signal, () => new Error('No answer in time'));
  const took = () => ({ tookMs: Math.round(clock.nowMs() - startedAtMs) });
  const aborted = new Promise<never>((_resolve, reject) => deadline.signal.addEventListener('abort', () => reject(deadline.signal.reason as Error), { once: true }));
  aborted.catch(() => undefined);
  const ask = async (): Promise<PreCallAnswer> => {
    const credential = await credentialFor(plan, ports);
    const headers = { 'content-type': 'application/json', accept: 'application/json', ...credential.headers };
    const response = await ports.fetch(plan.url, { method: 'POST', headers, body: bodyOf(facts), redirect: 'manual', signal: deadline.signal });
    const body = await readBody(response);
    if (!response.ok) throw new Unanswered(`the answer has the status ${response.status}`);
    const answer = parseJsonRecord(withoutSecrets(body.toString('utf8'), credential.secrets));
    if (answer === null) throw new Unanswered('the answer is no JSON object');
    return readPreCallAnswer(answer);
  };
  try {
    deadline.signal.throwIfAborted();
    const asked = ask();
    asked.catch(() => undefined);
    return { ...took(), answer: await Promise.race([asked, aborted]) };
  } catch (error) {
    return { ...took(), failure: failureOf(error, deadline.signal) };
  } finally {
    deadline.dispose();
  }
}
