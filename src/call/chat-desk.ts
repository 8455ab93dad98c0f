import { createHash } from 'node:crypto';
import { deadlineSignal, type Clock } from '../base/clock.js';
import { AgentStreamError } from '../base/errors.js';
import type { AgentVersion, ChatBounds, ChatPlace, ClaimedChat, Store } from '../store/store.js';
import { attachClips } from '../workflow/attach-clips.js';
import type { ServerFunctions } from '../workflow/remote-functions.js';
import { mergeVariables } from '../workflow/variables.js';
import { chatOf, standingOf, type Chat, type ChatRecord, type ChatTurn } from './chat-record.js';
import { createDryTools } from './dry-tools.js';
import { openJudgeModel } from './judge-models.js';
import type { KnowledgeResolver } from './knowledge-resolver.js';
import { compileVersion, type ModelResolver } from './resolvers.js';
import { openCallFunctions } from './mcp/call-functions.js';
import type { ServerNews } from './mcp/tool-servers.js';
import { continueChat, rebuildChat, startChat, type ChatEvent, type ChatInput, type ChatPorts, type ChatSnapshot, type ChatStep } from './text-chat.js';
import type { ToolRunner } from './tools/run-tool.js';

/** Turns of one chat, its opening among them. */
const MAX_CHAT_TURNS = 200;
/** Longest record of a chat, characters of JSON. */
const MAX_RECORD_CHARS = 1_000_000;
/** How long one request may work on a chat, replayed turns included. */
const REQUEST_LIMIT_MS = 120_000;
/** 200 chats of an organization, eight at a turn at once, each kept for a day after its last turn. */
const bounds: ChatBounds = { maxChats: 200, maxClaimed: 8, claimMs: REQUEST_LIMIT_MS + 30_000, lifetimeMs: 86_400_000 };
/** What a chat's variables may not overwrite; the numbers of caller and called they may. */
const reservedNames = ['provider', 'direction', 'agent_uuid'];

/** How a chat begins. */
export interface ChatOpening {
  /** Default: the published version, else the draft. */
  readonly version?: 'draft' | 'published' | number | undefined;
  /** Laid over the agent's. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Null: tools run for real. */
  readonly toolStubs: Readonly<Record<string, string>> | null;
}

/** Written chats that live in the database: any node goes on with them. */
export interface ChatDesk {
  /**
   * Begins a chat; null where the organization has no such agent or version.
   * @throws AgentStreamError `workflow-invalid`, `vendor-unauthorized`, `conflict`, `concurrency-limit`
   */
  open(owner: Omit<ChatPlace, 'id'>, opening: ChatOpening): Promise<Chat | null>;
  /**
   * Goes on with a chat by one turn; null where there is none.
   * @throws AgentStreamError as {@link open}; `conflict` where it has ended, is full, or its draft has changed
   */
  take(place: ChatPlace, input: ChatInput): Promise<Chat | null>;
  /**
   * Puts another input in the place of turn `index` (from 1) and goes on from there. What came after it is dropped; `isReplayed`: its inputs
   * are played again, as far as the conversation goes. Null where there is no such chat or turn.
   * @throws AgentStreamError as {@link take}; the chat is then as it was
   */
  edit(place: ChatPlace, index: number, input: ChatInput, isReplayed: boolean): Promise<Chat | null>;
}

/** What chats run with. */
export interface ChatDeskPorts {
  readonly store: Pick<Store, 'agents' | 'tools' | 'chats' | 'audioClips'>;
  readonly models: ModelResolver;
  readonly documents: KnowledgeResolver;
  readonly toolsOf: (organizationId: string) => ToolRunner;
  readonly clock: Clock;
}

/** What one request works on a chat with. */
interface OpenPorts extends ChatPorts {
  readonly listed: readonly ServerFunctions[];
  /** Of MCP servers, where this request opened them. */
  readonly news: readonly ChatEvent[];
}

const newsEvent = (news: ServerNews): ChatEvent =>
  news.type === 'listed'
    ? { type: 'functions-listed', toolUuid: news.toolUuid, count: news.functions.length }
    : { type: 'tool-server-failed', toolUuid: news.toolUuid, code: news.error.code, message: news.error.message };

const tagOf = ({ workflow, settings }: AgentVersion): string => createHash('sha256').update(JSON.stringify([workflow, settings])).digest('base64url');
const refused = (message: string) => new AgentStreamError('conflict', { message });

/** Makes a chat ready to be worked on; what it opens ends with the signal. */
async function openPorts(ports: ChatDeskPorts, chat: Chat, version: AgentVersion, signal: AbortSignal): Promise<OpenPorts> {
  const { store, clock } = ports;
  const { organizationId, toolStubs, functions: known } = chat;
  const compiled = compileVersion({ version, tools: await store.tools.list(organizationId) });
  const failures: AgentStreamError[] = [];
  const plainGraph = attachClips(compiled.graph, await store.audioClips.find(organizationId, compiled.graph.recordingIds));
  const graph = await ports.documents.attach(organizationId, plainGraph, (error) => void failures.push(error));
  if (failures[0] !== undefined) throw failures[0];
  const { model } = await openJudgeModel(ports.models, { organizationId, settings: version.settings, model: null });
  const runner = ports.toolsOf(organizationId);
  const news: ChatEvent[] = [];
  const functions = openCallFunctions({
    graph,
    runner: toolStubs === null ? runner : createDryTools(runner, toolStubs),
    signal,
    onNews: (told) => news.push(newsEvent(told)),
    known: known ?? undefined,
  });
  // Nobody is on the line: a chat has its functions from its first turn on.
  await functions.ready;
  return { graph: functions.graph, model, clock, signal, tools: functions.runner, listed: functions.listed, news };
}

/** Creates the desk of this node. */
export function createChatDesk(ports: ChatDeskPorts): ChatDesk {
  const { store, clock } = ports;

  async function versionOf({ organizationId, agentUuid }: Omit<ChatPlace, 'id'>, wanted: ChatOpening['version']): Promise<AgentVersion | null> {
    const versions = (await store.agents.listVersions(organizationId, agentUuid)) ?? [];
    const byStatus = (status: string) => versions.find((version) => version.status === status) ?? null;
    if (wanted === undefined) return byStatus('published') ?? byStatus('draft');
    return typeof wanted === 'number' ? (versions.find(({ number }) => number === wanted) ?? null) : byStatus(wanted);
  }

  /** Works on a claimed chat and saves it; a failure leaves it as it was. */
  async function work(claimed: ClaimedChat, version: AgentVersion, play: (chat: OpenPorts, record: ChatRecord) => Promise<Played>): Promise<Chat> {
    const request = new AbortController();
    const late = () => new AgentStreamError('vendor-unreachable', { message: `The turn was not done after ${REQUEST_LIMIT_MS / 1000} s. The chat is as it was.` });
    const deadline = deadlineSignal(clock, REQUEST_LIMIT_MS, request.signal, late);
    try {
      const record = chatOf(claimed);
      const chat = await openPorts(ports, record, version, deadline.signal);
      const { turns, snapshot } = await play(chat, record);
      const next: ChatRecord = {
        version: record.version,
        contentTag: record.contentTag,
        variables: record.variables,
        toolStubs: record.toolStubs,
        functions: chat.listed,
        turns,
        standing: standingOf(snapshot, chat.graph),
      };
      if (turns.length > MAX_CHAT_TURNS || JSON.stringify(next).length > MAX_RECORD_CHARS) throw refused('The chat is full. Begin another one.');
      const saved = await store.chats.save(claimed, next, bounds);
      if (saved === null) throw refused('The chat was deleted, or taken over by another request.');
      return chatOf(saved);
    } catch (error) {
      await store.chats.release(claimed);
      throw error;
    } finally {
      // Sessions with MCP servers end with the request.
      request.abort();
      deadline.dispose();
    }
  }

  async function workOn(place: ChatPlace, isThere: (record: ChatRecord) => boolean, play: (chat: ChatPorts, record: ChatRecord) => Promise<Played>): Promise<Chat | null> {
    const claimed = await store.chats.claim(place, bounds);
    if (claimed === null) return null;
    const record = chatOf(claimed);
    const version = isThere(record) ? await versionOf(place, record.version) : null;
    if (version !== null && tagOf(version) === record.contentTag) return work(claimed, version, play);
    await store.chats.release(claimed);
    if (version === null) return null;
    throw refused('The draft has changed since the chat began. Begin another chat.');
  }

  return {
    async open(owner, { version: wanted, variables: given, toolStubs }) {
      const version = await versionOf(owner, wanted);
      if (version === null) return null;
      const builtIn = { provider: 'chat', direction: 'inbound', caller_number: null, called_number: null, agent_uuid: owner.agentUuid };
      const variables = mergeVariables({ ...version.variables, ...builtIn }, given, reservedNames);
      const record: ChatRecord = { version: version.number, contentTag: tagOf(version), variables, toolStubs, functions: null, turns: [], standing: null };
      const claimed = await store.chats.create(owner, record, bounds);
      try {
        return await work(claimed, version, async (chat) => {
          const { turn, snapshot } = await timed(clock, null, () => startChat(variables, chat));
          return { turns: [{ ...turn, events: [...chat.news, ...turn.events] }], snapshot };
        });
      } catch (error) {
        await store.chats.delete(claimed);
        throw error;
      }
    },

    take: (place, input) =>
      workOn(place, hasOpened, (chat, { turns, variables }) => playOn(chat, { turns, snapshot: rebuildChat(chat.graph, variables, turns) }, [input])),

    edit: (place, index, input, isReplayed) =>
      workOn(
        place,
        ({ turns }) => index >= 1 && index < turns.length,
        (chat, { turns, variables }) => {
          const kept = turns.slice(0, index);
          const later = isReplayed ? turns.slice(index + 1).flatMap((turn) => turn.input ?? []) : [];
          return playOn(chat, { turns: kept, snapshot: rebuildChat(chat.graph, variables, kept) }, [input, ...later]);
        },
      ),
  };
}

/** A chat as far as it was played. */
interface Played {
  readonly turns: readonly ChatTurn[];
  readonly snapshot: ChatSnapshot;
}

const hasOpened = ({ turns }: ChatRecord): boolean => turns.length > 0;

/** Plays inputs one after the other: the first must fit, the others are played as far as the conversation goes. */
async function playOn(chat: ChatPorts, from: Played, inputs: readonly ChatInput[]): Promise<Played> {
  let played = from;
  for (const [index, input] of inputs.entries()) {
    const misfit = misfitOf(played.snapshot, input);
    if (misfit !== null && index === 0) throw refused(misfit);
    if (misfit !== null) break;
    const { snapshot: before } = played;
    const { turn, snapshot } = await timed(chat.clock, input, () => continueChat(before, input, chat));
    played = { turns: [...played.turns, turn], snapshot };
  }
  return played;
}

/** Why an input means nothing now; null where it does. */
function misfitOf({ workflow: { phase } }: ChatSnapshot, { type }: ChatInput): string | null {
  if (phase.name === 'ended') return `The conversation has ended (${phase.reason}). Edit a turn, or begin another chat.`;
  // What the version's tools and documents are now does not lead where it led.
  if (phase.name === 'replying' || phase.name === 'not-started') return 'The agent’s tools or documents have changed since the chat began. Begin another chat.';
  return type === 'fail-transfer' && phase.name !== 'transferring' ? 'No transfer is under way that could fail.' : null;
}

async function timed(clock: Clock, input: ChatInput | null, advance: () => Promise<ChatStep>): Promise<{ turn: ChatTurn; snapshot: ChatSnapshot }> {
  const startMs = clock.nowMs();
  const { snapshot, events, steps } = await advance();
  return { turn: { input, events, steps, durationMs: Math.round(clock.nowMs() - startMs) }, snapshot };
}
