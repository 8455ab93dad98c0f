import { expect } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import type { RunEvent } from '../../src/runs/events.js';
import { parseCallerScript } from '../../src/simulator/caller-script.js';
import { placeCall, type PlacedCall } from '../../src/simulator/place-call.js';
import { createSimulatedSpeech } from '../../src/simulator/simulated-speech.js';
import type { Run } from '../../src/store/store.js';
import type { CallServer } from './call-server.js';
import { edge, node } from './workflow-call.js';

/** What the agent of the scene says first. */
export const GREETING = 'Welcome to the restaurant.';
/** An answer that is long enough to be interrupted. */
export const BOOKED = 'Your table is booked for tomorrow evening at seven, and we will gladly hold it for you for half an hour.';

/** A restaurant that takes bookings. */
const workflow = {
  nodes: [
    node('start', 'startCall', { greeting: GREETING, prompt: 'Find out what the caller wants.' }),
    node('booking', 'agentNode', { prompt: 'Book a table.' }),
    node('end', 'endCall', { prompt: 'Say goodbye.' }),
  ],
  edges: [edge('start', 'booking'), edge('booking', 'end')],
};

/** What a vendor's model answers. */
interface Answer {
  readonly text?: string;
  readonly calls?: readonly { readonly name: string }[];
}

/** A caller who books a table and cuts in, and what the model answers. */
export const booking: { readonly script: string; readonly answers: readonly Answer[] } = {
  script: 'caller: I would like to book a table.\ninterrupt 2000: Wait, make it eight please.\nlisten\ncaller: That is all.\nlisten',
  answers: [{ calls: [{ name: 'go_to_booking' }] }, { text: BOOKED }, { text: 'At eight then.' }, { calls: [{ name: 'go_to_end' }] }, { text: 'Goodbye and see you tomorrow.' }],
};

/** A call that was held, and what its run keeps. */
export interface HeldCall {
  readonly call: PlacedCall;
  readonly run: Run;
  readonly events: readonly RunEvent[];
  /** `who: words` of the run's transcript. */
  readonly transcript: readonly string[];
}

/** Holds one call with an agent of the restaurant that has these models. */
export async function holdCall(server: CallServer, script: string, models: Readonly<Record<string, unknown>>): Promise<HeldCall> {
  const tenant = await server.createTenant();
  const agent = await server.createAgent({ tenant, workflow, settings: { models: { llm: { vendor: 'builtin' }, ...models } } });
  const call = await placeCall({
    url: server.streamUrl(agent.uuid),
    domain: tenant.domain,
    cloudonix: server.cloudonix,
    steps: parseCallerScript(script),
    speech: createSimulatedSpeech(systemClock),
    clock: systemClock,
  });
  const run = await server.endedRun(agent);
  const events = await server.eventsOf(run);
  const transcript = events.flatMap(({ type, data }) =>
    type === 'caller-said' || type === 'agent-said' ? [`${type === 'caller-said' ? 'caller' : 'agent'}: ${String(data['text'])}`] : [],
  );
  return { call, run, events, transcript };
}

/** The caller of {@link booking} was served: every edge taken, the interruption heard, the goodbye said before the call ended. */
export function expectBooking({ call, run, events, transcript }: HeldCall): void {
  expect(transcript).toEqual([
    `agent: ${GREETING}`,
    'caller: I would like to book a table.',
    expect.stringMatching(/^agent: Your table is booked/),
    'caller: Wait, make it eight please.',
    'agent: At eight then.',
    'caller: That is all.',
    'agent: Goodbye and see you tomorrow.',
  ]);
  expect(call.problems).toEqual([]);
  expect(run).toMatchObject({ state: 'completed', endReason: 'agent_hangup' });
  expect(events.filter(({ type }) => type === 'node-entered').map(({ data }) => data['node_id'])).toEqual(['start', 'booking', 'end']);
}

/** Gives one answer after the other, then always "I see.". */
export function createAnswers<Script extends Answer>(): { set(answers: readonly Script[]): void; next(): Script | { readonly text: string } } {
  let left: readonly Script[] = [];
  return {
    set(answers) {
      left = answers;
    },
    next() {
      const [next, ...rest] = left;
      left = rest;
      return next ?? { text: 'I see.' };
    },
  };
}
