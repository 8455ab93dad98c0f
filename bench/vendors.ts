// A process of its own: the vendors and Cloudonix, as fakes on loopback that time every hop. Started by run-processes.ts.
import { systemClock, type Clock } from '../src/base/clock.js';
import { startFakeCloudonix } from '../src/simulator/fake-cloudonix.js';
import { startFakeCartesia } from '../test/support/fakes/cartesia.js';
import { startFakeDeepgram } from '../test/support/fakes/deepgram.js';
import { startFakeOpenai } from '../test/support/fakes/openai.js';
import { babble } from '../test/support/fakes/speech-audio.js';
import { benchBearerToken, benchDomain, benchDomains, benchSession } from './bench-call.js';
import { createDelay } from './delays.js';
import { CALLS_LIMIT } from './load-generator.js';
import type { TurnTimes, VendorDelays, VendorMessage, VendorRequest } from './messages.js';
import { sharedNowMs } from './shared-clock.js';
import { findTurnId, writeTurnId } from './turn-id.js';

/** Turns kept between two requests for them. */
const TURNS_LIMIT = 200_000;

/** One for each call, and one for the call before all others. */
const SESSIONS = CALLS_LIMIT + 1;

/** Of an answer's audio; together with the reply's length it makes answers of 3 to 4 seconds. */
const MS_PER_CHARACTER = 40;

const source = babble(20_000);
const clock: Clock = { ...systemClock, nowMs: sharedNowMs };
let turns = new Map<string, TurnTimes>();

function timesOf(text: string): TurnTimes | null {
  const id = findTurnId(text);
  if (id === null || turns.size >= TURNS_LIMIT) return null;
  const times = turns.get(id) ?? {};
  turns.set(id, times);
  return times;
}

function note(text: string, stage: Exclude<keyof TurnTimes, 'modelRequests'>, atMs: number): void {
  const times = timesOf(text);
  if (times !== null) times[stage] ??= atMs;
}

function noteModelRequest(text: string, atMs: number): void {
  const times = timesOf(text);
  if (times !== null) times.modelRequests = (times.modelRequests ?? 0) + 1;
  note(text, 'modelRequestMs', atMs);
}

/** An answer's audio: the first frame of a text with an id carries it. */
function render(text: string): Buffer {
  const audio = Buffer.from(source.subarray(0, Math.min(source.length, text.length * MS_PER_CHARACTER * 8)));
  const id = findTurnId(text);
  if (id !== null) writeTurnId(id).copy(audio);
  return audio;
}

async function main(): Promise<void> {
  const delays = JSON.parse(process.argv[2] ?? '{}') as VendorDelays;
  const deepgram = await startFakeDeepgram({
    clock,
    resultDelayMs: createDelay(delays.sttMs, 1),
    script: (segment) => `question u${segment + 1} please.`,
    onResult: (text, atMs) => note(text, 'sttFinalMs', atMs),
  });
  const openai = await startFakeOpenai({
    clock,
    firstTokenMs: createDelay(delays.modelMs, 2),
    onRequest: noteModelRequest,
    onFirstToken: (text, atMs) => note(text, 'modelFirstTokenMs', atMs),
  });
  const cartesia = await startFakeCartesia({
    clock,
    firstByteMs: createDelay(delays.voiceMs, 3),
    render,
    onText: (text, atMs) => note(text, 'voiceRequestMs', atMs),
    onFirstChunk: (text, atMs) => note(text, 'voiceFirstByteMs', atMs),
  });
  const cloudonix = await startFakeCloudonix({
    domains: Object.fromEntries(benchDomains(SESSIONS).map((domain) => [domain, { bearerToken: benchBearerToken }])),
  });
  for (let id = 0; id < SESSIONS; id += 1) cloudonix.addSession(benchDomain(id), benchSession(id), { status: 'answer' });

  const tell = (message: VendorMessage) => process.send?.(message);
  process.on('message', (message: VendorRequest) => {
    if (message.type !== 'take-turns') return;
    tell({ type: 'turns', turns: Object.fromEntries(turns) });
    turns = new Map();
  });
  process.on('disconnect', () => process.exit(0));
  tell({ type: 'ready', deepgramUrl: deepgram.wsUrl, openaiUrl: openai.httpUrl, cartesiaUrl: cartesia.wsUrl, cloudonixUrl: cloudonix.baseUrl });
}

await main();
