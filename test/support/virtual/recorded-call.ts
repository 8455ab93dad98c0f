import { readFileSync, writeFileSync } from 'node:fs';
import type { MarkEcho } from './virtual-carrier.js';
import { answerVirtualCall, type VirtualCall } from './virtual-call.js';
import type { PassScript } from './scripted-model.js';

/** Pauses in the agent's audio shorter than this do not divide it. */
const RUN_GAP_MS = 60;

/** What the vendors of a recorded call do. */
interface RecordedSetup {
  readonly passes?: readonly PassScript[];
  readonly settings?: Readonly<Record<string, unknown>>;
  readonly marks?: MarkEcho;
  readonly nodes?: readonly unknown[];
  readonly edges?: readonly unknown[];
}

/** What came from the carrier: a message of the wire, or a stretch of media. */
interface RecordedInput {
  readonly at_ms: number;
  readonly in?: { readonly event: string };
  /** The caller's media from there: words, or a sound without any. Everything else is silence. */
  readonly says?: string;
  readonly coughs_ms?: number;
  /** The provider's post about the destination of a warm transfer. */
  readonly post?: { readonly type: 'answered' } | { readonly type: 'failed'; readonly reason: string };
}

/** What came of it, in time. */
export interface RecordedOutput {
  readonly at_ms: number;
  /** Sent to the carrier: a stretch of audible media, as it was heard, or a message. */
  readonly out?: 'media' | 'clear' | 'close';
  readonly until_ms?: number;
  readonly code?: number;
  /** Asked of the provider's API. */
  readonly rest?: string;
  /** Appended to the run's events. */
  readonly event?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** A call on record: what came in, and what must come of it. */
export interface RecordedCall {
  readonly setup: RecordedSetup;
  readonly inputs: readonly RecordedInput[];
  readonly outputs: readonly RecordedOutput[];
}

type Line = { readonly setup?: RecordedSetup } & Partial<RecordedInput> & Partial<RecordedOutput>;

const isInput = (line: Line): line is Line & RecordedInput =>
  line.in !== undefined || line.says !== undefined || line.coughs_ms !== undefined || line.post !== undefined;

/** Reads a recording: JSON lines, the set-up first, then inputs and outputs in any order. */
export function readRecording(path: string): RecordedCall {
  const lines = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as Line);
  return {
    setup: lines[0]?.setup ?? {},
    inputs: lines.slice(1).filter(isInput),
    outputs: lines.slice(1).filter((line) => !isInput(line)) as RecordedOutput[],
  };
}

/** Writes a recording with the outputs of a replay, everything in the order of time. */
export function writeRecording(path: string, { setup, inputs }: RecordedCall, outputs: readonly RecordedOutput[]): void {
  const lines = [...inputs, ...outputs].sort((a, b) => a.at_ms - b.at_ms);
  writeFileSync(path, `${[{ setup }, ...lines].map((line) => JSON.stringify(line)).join('\n')}\n`);
}

function play(call: VirtualCall, input: RecordedInput): void {
  const { carrier, desk, callbackUrls } = call;
  if (input.says !== undefined) carrier.says(input.says);
  if (input.coughs_ms !== undefined) carrier.coughs(input.coughs_ms);
  if (input.in?.event === 'stop') carrier.stops({ message: JSON.stringify(input.in) });
  else if (input.in !== undefined) carrier.socket.deliver(JSON.stringify(input.in));
  if (input.post !== undefined) {
    const [transferId = '', secret = ''] = (callbackUrls.at(-1) ?? '').split('/').slice(-2);
    desk.deliver(transferId, secret, input.post);
  }
}

const isHandshake = (input: RecordedInput) => input.in?.event === 'connected' || input.in?.event === 'start';

/** Replays what came in, until the call has ended. */
export async function replay({ setup, inputs }: RecordedCall): Promise<VirtualCall> {
  const handshake = inputs.filter(isHandshake).map((input) => JSON.stringify(input.in));
  const call = await answerVirtualCall({ ...setup, handshake });
  for (const input of inputs) if (!isHandshake(input)) call.clock.setTimer(input.at_ms, () => play(call, input));
  await call.until(() => call.outcome !== null, 120_000);
  return call;
}

/** Data of events that a recording holds: what was said and decided, not what was measured. */
const recordedKeys = ['text', 'interrupted', 'node_id', 'name', 'digit', 'count', 'reason', 'code', 'mode', 'turn_id', 'reply_id'];

/** What a replayed call came to, in the order of time. */
export function outputsOf(call: VirtualCall): RecordedOutput[] {
  const outputs: RecordedOutput[] = [];
  for (const { playAtMs } of call.carrier.heard) {
    const last = outputs.at(-1);
    if (last?.until_ms !== undefined && playAtMs - last.until_ms <= RUN_GAP_MS) outputs[outputs.length - 1] = { ...last, until_ms: playAtMs + 20 };
    else outputs.push({ at_ms: playAtMs, out: 'media', until_ms: playAtMs + 20 });
  }
  for (const { atMs, type, code } of call.carrier.controls)
    if (type === 'clear' || type === 'close') outputs.push({ at_ms: atMs, out: type, ...(type === 'close' ? { code } : {}) });
  for (const { atMs, type } of call.control.requests) outputs.push({ at_ms: atMs, rest: type });
  for (const { atMs, type, data } of call.events) {
    const kept = Object.fromEntries(Object.entries(data).filter(([key]) => recordedKeys.includes(key)));
    outputs.push({ at_ms: atMs, event: type, ...(Object.keys(kept).length === 0 ? {} : { data: kept }) });
  }
  return outputs.map((output) => ({ ...output, at_ms: Math.round(output.at_ms) })).sort((a, b) => a.at_ms - b.at_ms);
}
