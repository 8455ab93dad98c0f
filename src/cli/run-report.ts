import type { RunAnswer, RunEventAnswer, TranscriptLineAnswer } from './api-shapes.js';
import { formatCallTime, formatDuration, formatTime, formatValue } from './format.js';
import { printable } from './output.js';

/** Longest rendering of an event's data on its line. */
const maxDataLength = 160;

/** The head of `runs show`: who called, how it ended, what it knew. */
export function describeRun(run: RunAnswer): string[] {
  const ended = run.end_reason === null ? run.state : `${run.state} (${run.end_reason})`;
  const close = run.close_code === null ? '-' : `${run.close_code} ${run.close_reason ?? ''}`;
  const rows: readonly (readonly [string, string])[] = [
    ['id', run.id],
    ['agent', `${run.agent_uuid} v${run.agent_version}`],
    ['provider', run.mode],
    ['caller', formatValue(run.initial_context.caller_number)],
    ['called', formatValue(run.initial_context.called_number)],
    ['state', ended],
    ['socket closed', close.trim()],
    ['created', `${formatTime(run.created_at)} UTC`],
    ['duration', formatDuration(run.duration_ms)],
    ['recording', formatValue(run.recording_url)],
    ...costRows(run.cost),
    ...Object.entries(run.gathered_context).map(([name, value]) => [`gathered ${name}`, formatValue(value)] as const),
  ];
  return [run.name, ...rows.map(([name, value]) => `  ${printable(name).padEnd(24)} ${printable(value)}`)];
}

/** The total, and what it does not hold. */
function costRows(cost: RunAnswer['cost']): readonly (readonly [string, string])[] {
  if (cost?.total === undefined) return [];
  const { total, currency = '', parts = [], unknown = [] } = cost;
  const of = ({ leg, vendor, model, quantity, unit }: { leg: string; vendor: string; model: string; quantity: number; unit: string }) =>
    [`${quantity} ${unit}${quantity === 1 ? '' : 's'}`, [vendor, model].filter((name) => name !== '').join(' '), `(${leg})`].join(' ');
  return [
    ['cost', `${total} ${currency}`.trim()],
    ...parts.map((part) => ['', `${part.amount}  ${of(part)}`] as const),
    ...unknown.map((part) => ['', `unknown   ${of(part)}`] as const),
  ];
}

/** One line: which run it is, how it stands, and where the rest is. */
export function describeRunInBrief(run: RunAnswer): string {
  const standing = run.end_reason === null ? run.state : `${run.state}, ${run.end_reason}`;
  return `Run ${run.name}: ${standing} (agent-stream runs show ${run.id})`;
}

/** The conversation with its times on the call clock, and the latency of each turn below the reply. */
export function describeTurns(lines: readonly TranscriptLineAnswer[], latency: RunAnswer['latency']): string[] {
  if (lines.length === 0) return ['Nothing was said.'];
  const turns = latencyByTurn(latency);
  return lines.flatMap((line) => {
    const interrupted = line.interrupted === true ? ' — interrupted' : '';
    const spoken = `${formatCallTime(line.start_ms).padStart(8)}  ${line.role.padEnd(6)}  ${printable(line.text)}${interrupted}`;
    const parts = line.role === 'agent' ? turns.get(line.turn_id) : undefined;
    turns.delete(line.role === 'agent' ? line.turn_id : Number.NaN);
    return parts === undefined ? [spoken] : [spoken, `${' '.repeat(18)}${parts}`];
  });
}

/** Parts of a turn's latency in the order they happen, after what the caller noticed of them. */
const latencyParts = ['heard_gap_ms', 'endpointing_ms', 'transcript_ms', 'head_start_ms', 'model_first_token_ms', 'first_clause_ms', 'voice_first_byte_ms', 'first_frame_ms'];

/** `latency.turns`: one object per turn with `turn_id` and values in ms. */
function latencyByTurn(latency: RunAnswer['latency']): Map<number, string> {
  const turns: unknown = latency?.turns;
  const described = new Map<number, string>();
  for (const turn of Array.isArray(turns) ? (turns as readonly unknown[]) : []) {
    if (typeof turn !== 'object' || turn === null || !('turn_id' in turn) || typeof turn.turn_id !== 'number') continue;
    const parts = Object.entries(turn)
      .filter(([name, value]) => name.endsWith('_ms') && typeof value === 'number')
      .sort(([left], [right]) => placeOf(left) - placeOf(right))
      .map(([name, value]) => `${name.slice(0, -'_ms'.length).replaceAll('_', ' ')} ${Math.round(value as number)} ms`);
    if (parts.length > 0) described.set(turn.turn_id, parts.join(', '));
  }
  return described;
}

/** Place of a part; what is not known comes last. */
function placeOf(part: string): number {
  const place = latencyParts.indexOf(part);
  return place < 0 ? latencyParts.length : place;
}

/** One event as one line. */
export function describeEvent(event: RunEventAnswer): string {
  const data = Object.entries(event.data)
    .map(([name, value]) => `${name}=${formatValue(value)}`)
    .join(' ');
  const shown = data.length > maxDataLength ? `${data.slice(0, maxDataLength)}…` : data;
  return `${formatCallTime(event.at_ms).padStart(8)}  ${printable(event.type).padEnd(22)}  ${printable(shown)}`.trimEnd();
}
