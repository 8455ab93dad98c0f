import { createUtterance } from './caller-audio.js';
import { openLoadCall, type CallPlan, type LoadCall, type LoadTotals } from './load-call.js';
import { createSamples, type Summary } from './samples.js';
import { sharedNowMs } from './shared-clock.js';

/** Calls one run may hold: this is a benchmark of one process, not a stress test of the machine. */
export const CALLS_LIMIT = 500;

/** Longest measured window. */
export const WINDOW_LIMIT_MS = 10 * 60_000;

/** How often due frames are looked for. */
const TICK_MS = 1;

/** What a run of the generator does. */
export interface LoadOptions {
  readonly url: string;
  readonly calls: number;
  /** Open-loop: calls arrive at this rate whatever the server does. */
  readonly arrivalsPerSecond: number;
  /** From the last arrival to the measured window. */
  readonly warmUpMs: number;
  readonly windowMs: number;
  readonly plan: Omit<CallPlan, 'question' | 'interruption'>;
  /** Called when the measured window begins. */
  readonly onWindow?: () => void;
  /** Called when it ends, while the calls are still up. */
  readonly onWindowEnd?: () => void;
}

/** What a run measured. Times in ms. */
export interface LoadReport {
  readonly calls: number;
  readonly windowMs: number;
  readonly response: Summary;
  readonly greeting: Summary;
  /** Of a call before all others: the server's first, with no greeting rendered yet. Null where it got none. */
  readonly coldGreetingMs: number | null;
  readonly bargeIn: Summary;
  readonly lateness: Summary;
  readonly tickLateness: Summary;
  readonly firstFrameAt: ReadonlyMap<string, number>;
  readonly counts: Readonly<Record<string, number>>;
  readonly closeCodes: Readonly<Record<string, number>>;
}

/** The plan of the base table: 1.6 s questions every 7 s, every third answer interrupted 0.8 s in. */
export const standardPlan: LoadOptions['plan'] = { firstTurnMs: 2500, turnPeriodMs: 7000, interruptEvery: 3, interruptAfterMs: 800 };

/** How long the call before all others lasts: long enough for its greeting to be rendered. */
const COLD_CALL_MS = 2000;

const QUESTION_MS = 1600;
const INTERRUPTION_MS = 1000;

function createTotals(): LoadTotals {
  return {
    response: createSamples(),
    greeting: createSamples(),
    bargeIn: createSamples(),
    lateness: createSamples(),
    tickLateness: createSamples(),
    firstFrameAt: new Map(),
    messages: 0,
    underruns: 0,
    heardUnderruns: 0,
    questions: 0,
    unanswered: 0,
    interruptions: 0,
    uncleared: 0,
    framesSent: 0,
    dropped: 0,
    closeCodes: {},
  };
}

/** What was counted before the window does not belong to it; drops and greetings count from the start. */
function beginWindow(totals: LoadTotals): void {
  for (const samples of [totals.response, totals.bargeIn, totals.lateness, totals.tickLateness]) samples.clear();
  totals.firstFrameAt.clear();
  totals.messages = 0;
  totals.underruns = 0;
  totals.heardUnderruns = 0;
  totals.questions = 0;
  totals.unanswered = 0;
  totals.interruptions = 0;
  totals.uncleared = 0;
  totals.framesSent = 0;
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Holds calls against a server for a while and measures from outside. */
export async function runLoad(options: LoadOptions): Promise<LoadReport> {
  if (options.calls > CALLS_LIMIT || options.windowMs > WINDOW_LIMIT_MS) throw new RangeError('more calls or time than one run may take');
  const totals = createTotals();
  const plan: CallPlan = { ...options.plan, question: createUtterance(QUESTION_MS), interruption: createUtterance(INTERRUPTION_MS) };
  const calls: LoadCall[] = [];
  let isRunning = true;

  const tick = () => {
    const nowMs = sharedNowMs();
    for (const call of calls) if (call.dueMs <= nowMs) call.tick(nowMs);
    if (isRunning) setTimeout(tick, TICK_MS);
  };
  tick();

  const coldTotals = createTotals();
  const cold = openLoadCall(options.url, options.calls, plan, coldTotals);
  calls.push(cold);
  await pause(COLD_CALL_MS);
  cold.hangUp();
  calls.length = 0;

  const startMs = sharedNowMs();
  for (let id = 0; id < options.calls; id += 1) {
    const dueMs = startMs + (id * 1000) / options.arrivalsPerSecond;
    if (dueMs > sharedNowMs()) await pause(dueMs - sharedNowMs());
    calls.push(openLoadCall(options.url, id, plan, totals));
  }
  await pause(options.warmUpMs);
  beginWindow(totals);
  options.onWindow?.();
  const windowStartMs = sharedNowMs();
  await pause(options.windowMs);
  const windowMs = sharedNowMs() - windowStartMs;
  options.onWindowEnd?.();
  const report = { ...reportOf(totals, options.calls, windowMs), coldGreetingMs: coldTotals.greeting.summarise().p50 };
  for (const call of calls) call.hangUp();
  await pause(1000);
  isRunning = false;
  return report;
}

function reportOf(totals: LoadTotals, calls: number, windowMs: number): Omit<LoadReport, 'coldGreetingMs'> {
  return {
    calls,
    windowMs,
    response: totals.response.summarise(),
    greeting: totals.greeting.summarise(),
    bargeIn: totals.bargeIn.summarise(),
    lateness: totals.lateness.summarise(),
    tickLateness: totals.tickLateness.summarise(),
    firstFrameAt: new Map(totals.firstFrameAt),
    counts: {
      messages: totals.messages,
      framesSent: totals.framesSent,
      questions: totals.questions,
      unanswered: totals.unanswered,
      interruptions: totals.interruptions,
      uncleared: totals.uncleared,
      underruns: totals.underruns,
      heardUnderruns: totals.heardUnderruns,
      dropped: totals.dropped,
    },
    closeCodes: { ...totals.closeCodes },
  };
}
