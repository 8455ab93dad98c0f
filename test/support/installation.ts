import { randomUUID } from 'node:crypto';
import { sleep, systemClock } from '../../src/base/clock.js';
import { parseCallerScript } from '../../src/simulator/caller-script.js';
import type { FakeCloudonix } from '../../src/simulator/fake-cloudonix.js';
import { placeCall, SIMULATOR_BEARER_TOKEN, SIMULATOR_DOMAIN, type PlaceCallOptions, type PlacedCall } from '../../src/simulator/place-call.js';
import { createSimulatedSpeech } from '../../src/simulator/simulated-speech.js';
import type { CarrierEvent } from '../../src/simulator/carrier.js';
import { demoDocument } from '../../src/workflow/demo-document.js';
import { API_KEY } from './server-process.js';
import { waitFor } from './wait-for.js';

/** An answer of the API. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Readonly<Record<string, unknown>> & { readonly items?: readonly Readonly<Record<string, unknown>>[] };
}

/** What tests read of a run. */
export interface RunJson {
  readonly id: string;
  readonly state: 'initialized' | 'running' | 'completed' | 'failed';
  readonly end_reason: string | null;
  readonly close_code: number | null;
  readonly ended_at: string | null;
  readonly duration_ms: number | null;
}

/** A line of a transcript. */
export interface LineJson {
  readonly role: 'caller' | 'agent';
  readonly text: string;
  readonly turn_id: number;
}

/** An event of a run. */
export interface EventJson {
  readonly seq: number;
  readonly at_ms: number;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Every leg builtin, a brisk voice, nothing on disk. */
const quietSettings = {
  models: { stt: { vendor: 'builtin' }, llm: { vendor: 'builtin' }, tts: { vendor: 'builtin', words_per_minute: 220 } },
  recording: { enabled: false },
};

/** Sends one request to a server. `key` null: none. */
export async function send(
  url: string,
  method: string,
  path: string,
  { body, key = API_KEY, headers = {} }: { body?: unknown; key?: string | null; headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = /json/.test(response.headers.get('content-type') ?? '') && text !== '';
  return { status: response.status, headers: response.headers, text, json: isJson ? (JSON.parse(text) as Answer['json']) : {} };
}

/** Sends a request that must succeed. Tests that poll are held to the API's rate, as anybody is. */
async function sendWell(...args: Parameters<typeof send>): Promise<Answer['json']> {
  let answer = await send(...args);
  for (let tries = 1; answer.status === 429 && tries < 60; tries += 1) {
    await sleep(systemClock, 1_000);
    answer = await send(...args);
  }
  if (answer.status >= 300) throw new Error(`${args[1]} ${args[2]}: ${answer.status} ${answer.text.slice(0, 500)}`);
  return answer.json;
}

/** Stores the simulator's Cloudonix domain, where another node on the same database has not. */
export async function createSimulatorConfig(url: string): Promise<void> {
  const credentials = { domain_id: SIMULATOR_DOMAIN, bearer_token: SIMULATOR_BEARER_TOKEN };
  const { status, text } = await send(url, 'POST', '/api/v1/telephony-configs', { body: { name: 'Simulator', provider: 'cloudonix', credentials } });
  if (status !== 201 && status !== 409) throw new Error(`The telephony configuration was refused: ${status} ${text}`);
}

/** Creates an agent with the demo's document, and returns its UUID. */
export async function createAgent(
  url: string,
  settings: Readonly<Record<string, unknown>> = {},
  workflow: unknown = demoDocument,
  key = API_KEY,
): Promise<string> {
  const body = { name: 'Front desk', workflow_definition: workflow, settings: { ...quietSettings, ...settings } };
  return String((await sendWell(url, 'POST', '/api/v1/agents', { body, key }))['uuid']);
}

/** Sets how many calls the organization may hold. */
export async function setConcurrencyLimit(url: string, calls: number): Promise<void> {
  await sendWell(url, 'PUT', '/api/v1/organization/limits', { body: { concurrent_calls: calls } });
}

/** Runs of an agent, newest first. */
export async function runsOf(url: string, agentUuid: string, key = API_KEY): Promise<readonly RunJson[]> {
  const { items } = await sendWell(url, 'GET', `/api/v1/runs?limit=200&agent_uuid=${agentUuid}`, { key });
  return (items ?? []) as unknown as readonly RunJson[];
}

/** True for a run that has reached its end. */
export const hasEnded = ({ state }: RunJson): boolean => state === 'completed' || state === 'failed';

/** The agent's newest run once `isReached` holds. */
export function waitForRun(url: string, agentUuid: string, isReached: (run: RunJson) => boolean, key = API_KEY): Promise<RunJson> {
  return waitFor('the run', async () => (await runsOf(url, agentUuid, key)).slice(0, 1).find(isReached), 60_000);
}

/** What was said in a run. */
export async function transcriptOf(url: string, runId: string, key = API_KEY): Promise<readonly LineJson[]> {
  return ((await sendWell(url, 'GET', `/api/v1/runs/${runId}/transcript`, { key })).items ?? []) as unknown as readonly LineJson[];
}

/** All events of a run. */
export async function eventsOf(url: string, runId: string): Promise<readonly EventJson[]> {
  const events: EventJson[] = [];
  for (;;) {
    const after = events.at(-1)?.seq ?? -1;
    const { items = [] } = await sendWell(url, 'GET', `/api/v1/runs/${runId}/events?limit=200&after=${after}`);
    if (items.length === 0) return events;
    events.push(...(items as unknown as readonly EventJson[]));
  }
}

/** Calls that the organization holds, by its own account. */
export async function liveCalls(url: string): Promise<number> {
  return Number((await sendWell(url, 'GET', '/api/v1/usage'))['live_calls']);
}

/** The agent's stream URL on a server. */
export const streamUrl = (url: string, agentUuid: string): string => `${url.replace(/^http/, 'ws')}/api/v1/agent-stream/cloudonix/${agentUuid}`;

/** A call under way. */
export interface OngoingCall {
  readonly session: string;
  readonly events: readonly CarrierEvent[];
  readonly ended: Promise<PlacedCall>;
  hangUp(): void;
}

const speech = createSimulatedSpeech(systemClock);

/** Places a call that follows a caller's script (src/simulator/caller-script.ts). */
export function startCall(
  url: string,
  agentUuid: string,
  script: string,
  options: { cloudonix: FakeCloudonix; lingerMs?: number } & Partial<Pick<PlaceCallOptions, 'from' | 'to' | 'session' | 'domain' | 'url'>>,
): OngoingCall {
  const aborting = new AbortController();
  const events: CarrierEvent[] = [];
  const session = options.session ?? randomUUID();
  const ended = placeCall({
    url: streamUrl(url, agentUuid),
    domain: SIMULATOR_DOMAIN,
    steps: parseCallerScript(script),
    speech,
    clock: systemClock,
    signal: aborting.signal,
    onEvent: (event) => void events.push(event),
    ...options,
    session,
  });
  return { session, events, ended, hangUp: () => aborting.abort() };
}
