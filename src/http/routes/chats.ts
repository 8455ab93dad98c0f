import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { chatOf, type Chat, type ChatTurn } from '../../call/chat-record.js';
import type { ChatEvent, ChatInput } from '../../call/text-chat.js';
import { snakeCaseKeys } from '../../call/record-json.js';
import { AgentStreamError } from '../../base/errors.js';
import { principalOf } from '../auth.js';
import { agentParams, found, listJson, noContent, objectSchema, pageSchema, timeSchema } from '../schemas.js';
import type { AppServices } from '../services.js';

const tags = ['Chats'];
const wordsSchema = z.string().trim().min(1).max(4000);

const inputShape = {
  say: wordsSchema.optional().describe('Words of the caller'),
  press: z.string().regex(/^[0-9*#]{1,32}$/).optional().describe('Keys, one after the other'),
  silence: z.literal(true).optional().describe('Nothing is said for the idle time-out'),
  transfer_fails: wordsSchema.max(200).optional().describe('The transfer under way fails, for this reason'),
};
const inputBody = z
  .strictObject(inputShape)
  .refine((input) => Object.values(input).filter((value) => value !== undefined).length === 1, 'takes exactly one of say, press, silence, transfer_fails')
  .describe('Exactly one of the fields');

const createBody = z.strictObject({
  version: z
    .union([z.enum(['draft', 'published']), z.number().int().min(1).max(2_147_483_647)])
    .optional()
    .describe('Default: the published version, else the draft'),
  variables: objectSchema.default({}).describe('Laid over the agent’s variables'),
  dry_tools: z.boolean().default(false).describe('No tool asks a server; see `tool_stubs`'),
  tool_stubs: z
    .record(z.string().max(128), z.string().max(4000))
    .refine((stubs) => Object.keys(stubs).length <= 50, 'takes 50 functions at most')
    .default({})
    .describe('With `dry_tools`: what functions give, by name'),
});

const eventSchema = z
  .looseObject({ type: z.string() })
  .describe('agent-said, node-entered, tool-called, tool-finished, functions-listed, tool-server-failed, embedding-failed, knowledge-retrieved, tones-played, variables-extracted, extraction-failed, model-failed, transfer-requested, ended');
const turnSchema = z
  .object({
    number: z.number().int().describe('0 is the agent’s opening'),
    input: z.object(inputShape).nullable(),
    events: z.array(eventSchema),
    duration_ms: z.number().int(),
  })
  .meta({ id: 'ChatTurn' });
const summaryShape = {
  id: z.string(),
  agent_uuid: z.string(),
  version: z.number().int(),
  dry_tools: z.boolean(),
  node: z.object({ id: z.string(), name: z.string() }).nullable().describe('Where the conversation is'),
  variables: objectSchema,
  nodes_visited: z.array(z.string()),
  is_transferring: z.boolean(),
  end_reason: z.string().nullable().describe('Null while the conversation goes on'),
  call_disposition: z.string().nullable().describe('What was found of the call; of an ended one at least how it ended'),
  turn_count: z.number().int(),
  created_at: timeSchema,
  expires_at: timeSchema,
};
const summarySchema = z.object(summaryShape).meta({ id: 'ChatSummary' });
const chatSchema = z.object({ ...summaryShape, turns: z.array(turnSchema) }).meta({ id: 'Chat' });
const takenSchema = z.object({ ...summaryShape, turn: turnSchema }).meta({ id: 'ChatAfterTurn' });

function inputOf({ say, press, transfer_fails: reason }: z.output<typeof inputBody>): ChatInput {
  if (say !== undefined) return { type: 'say', text: say };
  if (press !== undefined) return { type: 'press', digits: press };
  return reason === undefined ? { type: 'stay-silent' } : { type: 'fail-transfer', reason };
}

function inputJson(input: ChatInput): z.output<typeof inputBody> {
  switch (input.type) {
    case 'say':
      return { say: input.text };
    case 'press':
      return { press: input.digits };
    case 'stay-silent':
      return { silence: true };
    case 'fail-transfer':
      return { transfer_fails: input.reason };
  }
}

function eventJson(event: ChatEvent): z.output<typeof eventSchema> {
  if (event.type === 'tool-called') return { type: event.type, name: event.name, arguments: event.argumentsJson };
  if (event.type === 'knowledge-retrieved') return { type: event.type, ranking: event.ranking, citations: event.citations.map(snakeCaseKeys) };
  return { ...snakeCaseKeys(event), type: event.type };
}

const turnJson = ({ input, events, durationMs }: ChatTurn, number: number): z.output<typeof turnSchema> => ({
  number,
  input: input === null ? null : inputJson(input),
  events: events.map(eventJson),
  duration_ms: durationMs,
});

function summaryJson({ standing, toolStubs, turns, ...chat }: Chat): z.output<typeof summarySchema> {
  const found = standing?.variables['call_disposition'];
  return {
    id: chat.id,
    agent_uuid: chat.agentUuid,
    version: chat.version,
    dry_tools: toolStubs !== null,
    node: standing === null ? null : { id: standing.nodeId, name: standing.nodeName },
    variables: standing?.variables ?? chat.variables,
    nodes_visited: [...(standing?.nodesVisited ?? [])],
    is_transferring: standing?.isTransferring ?? false,
    end_reason: standing?.endReason ?? null,
    call_disposition: typeof found === 'string' && found !== '' ? found : (standing?.endReason ?? null),
    turn_count: turns.length,
    created_at: chat.createdAt.toISOString(),
    expires_at: chat.expiresAt.toISOString(),
  };
}

const chatJson = (chat: Chat): z.output<typeof chatSchema> => ({ ...summaryJson(chat), turns: chat.turns.map(turnJson) });

function takenJson(chat: Chat): z.output<typeof takenSchema> {
  const last = chat.turns.at(-1);
  if (last === undefined) throw new AgentStreamError('internal-error');
  return { ...summaryJson(chat), turn: turnJson(last, chat.turns.length - 1) };
}

const chatParams = agentParams.extend({ id: z.guid() });
const turnParams = chatParams.extend({ number: z.coerce.number().int().min(1).max(10_000) });
const replayQuery = z.strictObject({ replay: z.enum(['true', 'false']).default('false').describe('Play the later turns again, instead of dropping them') });

/** Conversations with an agent in writing: the engine of a call, without audio. */
export function chatRoutes({ store, chats }: Pick<AppServices, 'store' | 'chats'>): FastifyPluginAsyncZod {
  return async (app) => {
    const at = (organizationId: string, { uuid, id }: z.output<typeof chatParams>) => ({ organizationId, agentUuid: uuid, id });

    const opening = { params: agentParams, body: createBody, response: { 201: chatSchema } };
    app.post('/agents/:uuid/chats', { schema: { tags, summary: 'Begin a conversation in writing', ...opening } }, async (request, reply) => {
      const { version, variables, dry_tools: isDry, tool_stubs: stubs } = request.body;
      const owner = { organizationId: principalOf(request).organizationId, agentUuid: request.params.uuid };
      const chat = found(await chats.open(owner, { version, variables, toolStubs: isDry ? stubs : null }));
      return reply.code(201).header('location', `/api/v1/agents/${chat.agentUuid}/chats/${chat.id}`).send(chatJson(chat));
    });

    const listing = { params: agentParams, response: { 200: pageSchema(summarySchema) } };
    app.get('/agents/:uuid/chats', { schema: { tags, summary: 'List conversations in writing, newest first', ...listing } }, async (request) => {
      const { organizationId } = principalOf(request);
      found(await store.agents.get(organizationId, request.params.uuid));
      return listJson(await store.chats.list(organizationId, request.params.uuid), (chat) => summaryJson(chatOf(chat)));
    });

    const reading = { params: chatParams, response: { 200: chatSchema } };
    app.get('/agents/:uuid/chats/:id', { schema: { tags, summary: 'Read a conversation in writing', ...reading } }, async (request) =>
      chatJson(chatOf(found(await store.chats.get(at(principalOf(request).organizationId, request.params))))),
    );

    const deleting = { params: chatParams, response: { 204: noContent } };
    app.delete('/agents/:uuid/chats/:id', { schema: { tags, summary: 'Delete a conversation in writing', ...deleting } }, async (request, reply) => {
      found((await store.chats.delete(at(principalOf(request).organizationId, request.params))) || null);
      return reply.code(204).send();
    });

    const taking = { params: chatParams, body: inputBody, response: { 200: takenSchema } };
    app.post('/agents/:uuid/chats/:id/turns', { schema: { tags, summary: 'Say or do something, and hear what the agent makes of it', ...taking } }, async (request) =>
      takenJson(found(await chats.take(at(principalOf(request).organizationId, request.params), inputOf(request.body)))),
    );

    const editing = { params: turnParams, querystring: replayQuery, body: inputBody, response: { 200: chatSchema } };
    app.put('/agents/:uuid/chats/:id/turns/:number', { schema: { tags, summary: 'Edit a turn and go on from there', ...editing } }, async (request) => {
      const place = at(principalOf(request).organizationId, request.params);
      return chatJson(found(await chats.edit(place, request.params.number, inputOf(request.body), request.query.replay === 'true')));
    });
  };
}
