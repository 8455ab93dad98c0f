import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Prometheus metrics of this process. Labels are names out of fixed lists, never an identifier of a call, agent or client. */
export interface Metrics {
  readonly registry: Registry;
  /** A call ended: `outcome` is its end reason. */
  callEnded(provider: string, outcome: string): void;
  /** From the end of the caller's speech to the first agent audio. */
  turnGapHeard(gapMs: number): void;
  /** How late a call's outbound audio was fed, against its due time; a sample. */
  frameSent(latenessMs: number): void;
  /** `leg`: stt, llm or tts; `kind`: the error code. */
  vendorFailed(leg: string, vendor: string, kind: string): void;
  /** A call went on with another vendor; `kind`: the error code. */
  vendorFellOver(fallover: { leg: string; from: string; to: string; kind: string }): void;
  /** A request to a model was sent twice; `winner`: first, second or none. */
  modelHedged(hedge: { from: string; to: string; winner: string }): void;
  /** A stream was refused or its handshake failed; `reason`: the error code. */
  handshakeRejected(reason: string): void;
  /** An attempt at a webhook delivery was made. */
  webhookAttempted(outcome: string): void;
}

/** What the gauges read when they are scraped. */
export interface MetricsSource {
  activeCalls(): number;
  maxCalls(): number;
}

/** Creates the registry with the process's own metrics (event-loop lag, memory, CPU) and the calls' (docs/metrics.md). */
export function createMetrics(source: MetricsSource): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const callsTotal = new Counter({
    name: 'agent_stream_calls_total',
    help: 'Calls that ended, by provider and end reason',
    labelNames: ['provider', 'outcome'],
    registers,
  });
  const turnGap = new Histogram({
    name: 'agent_stream_turn_gap_seconds',
    help: 'End of the caller’s speech to the first agent audio',
    buckets: [0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10],
    registers,
  });
  const pacing = new Histogram({
    name: 'agent_stream_media_pacing_seconds',
    help: 'Lateness of outbound frames against their due time, one of 50',
    buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5],
    registers,
  });
  const vendorErrors = new Counter({
    name: 'agent_stream_vendor_errors_total',
    help: 'Failures of speech and language vendors',
    labelNames: ['leg', 'vendor', 'kind'],
    registers,
  });
  const fallbacks = new Counter({
    name: 'agent_stream_vendor_fallbacks_total',
    help: 'Calls that went on with another vendor',
    labelNames: ['leg', 'from', 'to', 'kind'],
    registers,
  });
  const hedges = new Counter({
    name: 'agent_stream_model_hedges_total',
    help: 'Requests to language models that were sent twice, by whose answer was taken',
    labelNames: ['from', 'to', 'winner'],
    registers,
  });
  const rejections = new Counter({
    name: 'agent_stream_handshake_rejections_total',
    help: 'Streams refused, by error code',
    labelNames: ['reason'],
    registers,
  });
  const webhookAttempts = new Counter({
    name: 'agent_stream_webhook_attempts_total',
    help: 'Attempts at webhook deliveries, by outcome',
    labelNames: ['outcome'],
    registers,
  });
  new Gauge({
    name: 'agent_stream_calls_active',
    help: 'Calls this node holds now',
    registers,
    collect() {
      this.set(source.activeCalls());
    },
  });
  new Gauge({
    name: 'agent_stream_calls_limit',
    help: 'Calls this node takes (AGENT_STREAM_MAX_CALLS)',
    registers,
    collect() {
      this.set(source.maxCalls());
    },
  });
  return {
    registry,
    callEnded: (provider, outcome) => callsTotal.inc({ provider, outcome }),
    turnGapHeard: (gapMs) => turnGap.observe(gapMs / 1000),
    frameSent: (latenessMs) => pacing.observe(latenessMs / 1000),
    vendorFailed: (leg, vendor, kind) => vendorErrors.inc({ leg, vendor, kind }),
    vendorFellOver: (fallover) => fallbacks.inc(fallover),
    modelHedged: (hedge) => hedges.inc(hedge),
    handshakeRejected: (reason) => rejections.inc({ reason }),
    webhookAttempted: (outcome) => webhookAttempts.inc({ outcome }),
  };
}
