import { z } from 'zod';
import type { ApiClient } from './api-client.js';
import { readAnswer } from './api-shapes.js';
import { CliError } from './cli-error.js';
import { exitCodes } from './exit-codes.js';
import { printable, type Output } from './output.js';

/** Above what the server takes for a turn (docs/chats.md). */
const TURN_TIMEOUT_MS = 130_000;

const eventShape = z.looseObject({ type: z.string() });
const turnShape = z.looseObject({ events: z.array(eventShape) });
const standingShape = { turn_count: z.number(), end_reason: z.string().nullable() };
const chatShape = z.looseObject({ id: z.string(), ...standingShape, turns: z.array(turnShape) });
const takenShape = z.looseObject({ ...standingShape, turn: turnShape });

/** What a line asks for. */
type Line =
  | { readonly type: 'input'; readonly body: Readonly<Record<string, unknown>> }
  | { readonly type: 'undo' | 'quit' | 'nothing' }
  | { readonly type: 'mistake'; readonly message: string };

const commandsNote = 'Commands: /press KEYS, /silence, /fail REASON (of a transfer), /undo, /quit';

function parseLine(line: string): Line {
  const text = line.trim();
  if (text === '') return { type: 'nothing' };
  if (!text.startsWith('/')) return { type: 'input', body: { say: text } };
  const [command = '', ...rest] = text.split(/\s+/);
  const operand = rest.join(' ');
  switch (command) {
    case '/press':
      return /^[0-9*#]{1,32}$/.test(operand) ? { type: 'input', body: { press: operand } } : { type: 'mistake', message: '/press takes keys: 0–9, * and #' };
    case '/silence':
      return { type: 'input', body: { silence: true } };
    case '/fail':
      return { type: 'input', body: { transfer_fails: operand === '' ? 'nobody answered' : operand } };
    case '/undo':
      return { type: 'undo' };
    case '/quit':
      return { type: 'quit' };
    default:
      return { type: 'mistake', message: `unknown command ${printable(command)}. ${commandsNote}` };
  }
}

/** An event as a line; null where it shows nothing. */
function describe(event: z.output<typeof eventShape>): string | null {
  const field = (name: string) => {
    const value = event[name];
    return printable(typeof value === 'string' ? value : JSON.stringify(value ?? ''));
  };
  switch (event.type) {
    case 'agent-said':
      return `agent: ${field('text')}`;
    case 'node-entered':
      return `  → ${field('name')}`;
    case 'tool-called':
      return `  ${field('name')} ${field('arguments')}`;
    case 'tool-finished':
      return `  ${field('name')} gave ${field('result')} (${field('duration_ms')} ms)`;
    case 'functions-listed':
      return `  an MCP server lists ${field('count')} functions`;
    case 'tool-server-failed':
      return `  an MCP server failed: ${field('code')} ${field('message')}`;
    case 'tones-played':
      return `  plays the keys ${field('digits')}`;
    case 'variables-extracted':
      return `  learnt ${field('values')}`;
    case 'model-failed':
    case 'extraction-failed':
      return `  ${event.type}: ${field('code')} ${field('message')}`;
    case 'transfer-requested':
      return `  transfers to ${field('destination')} (${field('mode')}); /fail REASON brings the caller back`;
    case 'ended':
      return `  the agent hangs up: ${field('reason')}; /undo takes the last turn back`;
    default:
      return null;
  }
}

/**
 * Holds a conversation in writing with an agent of the server, one line a turn, until the lines end or say so; the chat is then deleted.
 * A turn that the server refuses is told, and the conversation goes on.
 * @throws CliError where the chat cannot begin or the server is gone
 */
export async function talk(lines: AsyncIterable<string>, asked: { readonly agentUuid: string; readonly body: unknown }, { client, output }: { client: ApiClient; output: Output }): Promise<void> {
  const chats = `/agents/${encodeURIComponent(asked.agentUuid)}/chats`;
  const show = (turn: z.output<typeof turnShape>) => {
    for (const text of turn.events.flatMap((event) => describe(event) ?? [])) output.line(text);
  };
  const opened = readAnswer(chatShape, await client.request('POST', chats, { body: asked.body, timeoutMs: TURN_TIMEOUT_MS }), 'begin chat');
  const path = `${chats}/${opened.id}`;
  output.note(commandsNote);
  for (const turn of opened.turns) show(turn);

  let turnCount = opened.turn_count;
  /** Turns of the caller that are kept; fewer than there are once some were taken back. */
  let keptTurns = turnCount;

  const take = async (body: unknown): Promise<void> => {
    if (keptTurns === turnCount) {
      const taken = readAnswer(takenShape, await client.request('POST', `${path}/turns`, { body, timeoutMs: TURN_TIMEOUT_MS }), 'take turn');
      turnCount = taken.turn_count;
      show(taken.turn);
    } else {
      const edited = readAnswer(chatShape, await client.request('PUT', `${path}/turns/${keptTurns}`, { body, timeoutMs: TURN_TIMEOUT_MS }), 'edit turn');
      turnCount = edited.turn_count;
      const last = edited.turns.at(-1);
      if (last !== undefined) show(last);
    }
    keptTurns = turnCount;
  };

  try {
    for await (const text of lines) {
      const line = parseLine(text);
      if (line.type === 'quit') break;
      if (line.type === 'mistake') output.note(line.message);
      if (line.type === 'undo') {
        if (keptTurns > 1) keptTurns -= 1;
        output.note(keptTurns > 1 ? `Taken back: the next line is turn ${keptTurns}.` : 'Taken back: the next line is the first turn.');
      }
      if (line.type === 'input') await take(line.body).catch((error: unknown) => noteRefusal(error, output));
    }
  } finally {
    await client.request('DELETE', path).catch((error: unknown) => noteRefusal(error, output));
  }
}

/** What the server refused is said; what else went wrong ends the conversation. */
function noteRefusal(error: unknown, output: Output): void {
  if (!(error instanceof CliError) || error.exitCode !== exitCodes.refused) throw error;
  output.note(error.message);
}
