import { readStealMs, readUsage, type Usage } from './cpu-usage.js';
import { runLoad, standardPlan, type LoadOptions, type LoadReport } from './load-generator.js';
import type { ProbeReport, TurnTimes } from './messages.js';
import type { ProbeProcess, ServerProcess, VendorsProcess } from './run-processes.js';
import { createSamples, type Summary } from './samples.js';

/** A window in which the machine itself was later than this proves nothing about the server. */
export const validity = {
  /** Of the control probe. */
  probeP99Ms: 5,
  /** Of the generator's own frames. */
  tickP99Ms: 4,
  tickP999Ms: 25,
} as const;

/** The server's own share of a turn, timed by the vendors from outside, ms. */
export interface Hops {
  /** Final transcript sent → model request received. */
  readonly transcriptToModel: Summary;
  /** First tokens sent → voice request received. */
  readonly clauseToVoice: Summary;
  /** First audio sent → first media frame received by the carrier. */
  readonly audioToFrame: Summary;
  /** Their sum, turn by turn. */
  readonly sum: Summary;
}

/** One measured window: one subject, one number of calls. */
export interface Cell {
  readonly subject: string;
  readonly calls: number;
  readonly windowMs: number;
  readonly cpuMsPerCallSecond: number;
  /** Of the embedded database, which runs on the other core. */
  readonly childrenCpuMsPerCallSecond: number;
  readonly cpuShare: number;
  readonly rssMiB: number;
  readonly childrenRssMiB: number;
  readonly load: Omit<LoadReport, 'firstFrameAt'>;
  readonly hops: Hops;
  /** Requests to the model, those included that came to nothing. */
  readonly modelRequests: number;
  readonly probe: ProbeReport;
  readonly stealMs: number;
  /** Why the window is void; empty: it counts. */
  readonly voidBecause: readonly string[];
}

/** What a window is measured with. */
export interface CellOptions {
  readonly subject: string;
  readonly server: ServerProcess;
  readonly vendors: VendorsProcess;
  readonly probe: ProbeProcess;
  readonly calls: number;
  readonly windowMs: number;
  readonly plan?: LoadOptions['plan'];
  readonly arrivalsPerSecond?: number;
}

function summariseHops(turns: Readonly<Record<string, TurnTimes>>, firstFrameAt: ReadonlyMap<string, number>): Hops {
  const transcriptToModel = createSamples();
  const clauseToVoice = createSamples();
  const audioToFrame = createSamples();
  const sum = createSamples();
  for (const [id, times] of Object.entries(turns)) {
    const frameMs = firstFrameAt.get(id);
    const { sttFinalMs, modelRequestMs, modelFirstTokenMs, voiceRequestMs, voiceFirstByteMs } = times;
    const parts = [
      [transcriptToModel, sttFinalMs, modelRequestMs],
      [clauseToVoice, modelFirstTokenMs, voiceRequestMs],
      [audioToFrame, voiceFirstByteMs, frameMs],
    ] as const;
    let total: number | null = 0;
    for (const [samples, from, to] of parts) {
      if (from === undefined || to === undefined) total = null;
      else {
        samples.add(to - from);
        if (total !== null) total += to - from;
      }
    }
    if (total !== null) sum.add(total);
  }
  return {
    transcriptToModel: transcriptToModel.summarise(),
    clauseToVoice: clauseToVoice.summarise(),
    audioToFrame: audioToFrame.summarise(),
    sum: sum.summarise(),
  };
}

function reasonsToVoid(load: LoadReport, probe: ProbeReport): readonly string[] {
  const reasons: string[] = [];
  const { p99, p999 } = load.tickLateness;
  if (probe.p99Ms > validity.probeP99Ms) reasons.push(`control probe p99 ${probe.p99Ms.toFixed(1)} ms`);
  if ((p99 ?? 0) > validity.tickP99Ms) reasons.push(`generator p99 ${(p99 ?? 0).toFixed(1)} ms`);
  if ((p999 ?? 0) > validity.tickP999Ms) reasons.push(`generator p99.9 ${(p999 ?? 0).toFixed(1)} ms`);
  return reasons;
}

/** Holds calls for one window and reports what it cost and how it sounded. */
export async function measureCell(options: CellOptions): Promise<Cell> {
  const { server, vendors, probe, calls } = options;
  let before: Usage = readUsage(server.pid);
  let stealBeforeMs = 0;
  const pending: Promise<unknown>[] = [];
  let after: Usage = before;
  let stealMs = 0;
  const load = await runLoad({
    url: server.streamUrl,
    calls,
    arrivalsPerSecond: options.arrivalsPerSecond ?? 20,
    warmUpMs: 6_000,
    windowMs: options.windowMs,
    plan: options.plan ?? standardPlan,
    onWindow() {
      before = readUsage(server.pid);
      stealBeforeMs = readStealMs();
      pending.push(vendors.takeTurns(), probe.take());
    },
    onWindowEnd() {
      after = readUsage(server.pid);
      stealMs = readStealMs() - stealBeforeMs;
    },
  });
  await Promise.all(pending);
  const probeReport = await probe.take();
  const { firstFrameAt, ...rest } = load;
  const turns = await vendors.takeTurns();
  const callSeconds = (calls * load.windowMs) / 1000;
  return {
    subject: options.subject,
    calls,
    windowMs: load.windowMs,
    cpuMsPerCallSecond: (after.processMs - before.processMs) / callSeconds,
    childrenCpuMsPerCallSecond: (after.childrenMs - before.childrenMs) / callSeconds,
    cpuShare: (after.processMs - before.processMs) / load.windowMs,
    rssMiB: after.rssMiB,
    childrenRssMiB: after.childrenRssMiB,
    load: rest,
    hops: summariseHops(turns, firstFrameAt),
    modelRequests: Object.values(turns).reduce((sum, { modelRequests = 0 }) => sum + modelRequests, 0),
    probe: probeReport,
    stealMs,
    voidBecause: reasonsToVoid(load, probeReport),
  };
}
