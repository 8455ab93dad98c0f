import type { IncomingMessage, ServerResponse } from 'node:http';
import type { WebSocket } from 'ws';
import { createDecoder, createEncoder } from '../../../src/audio/convert.js';
import { systemClock, type Timer } from '../../../src/base/clock.js';
import { asRecord, parseJsonRecord, type JsonRecord } from '../../../src/base/json.js';
import { createRecogniser } from './segment-recogniser.js';
import { decodeCodedWords } from './speech-audio.js';
import { createSpeechQueue, type VoicePace } from './speech-queue.js';
import { breakSocket, createFaultPlan, startVendorServer, type SocketFault, type UpgradeFault, type VendorServer } from './vendor-server.js';

const L16 = { encoding: 'l16-le', sampleRateHz: 8000 } as const;
/** Silence that ends a turn where the call names none. */
const TURN_END_MS = 384;

/** Audio before the speech that was found that belongs to it. */
const PADDING_MS = 300;

/** What an answer says and does. */
export interface UltravoxScript {
  readonly text?: string;
  readonly calls?: readonly { readonly name: string; readonly argumentsJson?: string }[];
  /** The call breaks off instead: the protocol has no other way to fail. */
  readonly error?: string;
}

/** What may go wrong with a call. */
export type UltravoxFault =
  /** With the request that creates it. */
  | { readonly upgrade: UpgradeFault }
  | { readonly socket: SocketFault; readonly afterAudioMs: number }
  | { readonly messages: 'garbage' }
  | { readonly session: 'silent' };

/** Something that the vendor remembers. */
export interface UltravoxMemory {
  readonly who: 'caller-heard' | 'agent-spoke' | 'told' | 'result';
  text: string;
  audioMs: number;
}

/** How the fake behaves. */
export interface FakeUltravoxOptions extends VoicePace {
  readonly apiKey?: string;
  /** Hears the words in mu-law audio. Default: coded words. */
  readonly transcribe?: (audio: Buffer) => string;
  /** What the model answers. Default: "I see." */
  readonly respond?: (request: { readonly index: number; readonly stage: JsonRecord }) => UltravoxScript;
  /** By call created, 0 is the first. */
  readonly fault?: (call: number) => UltravoxFault | undefined;
}

/** One call that was joined. */
export interface UltravoxConnection {
  readonly body: JsonRecord;
  readonly messages: JsonRecord[];
  /** Mu-law, both ways. */
  readonly audio: Buffer[];
  readonly spoken: Buffer[];
  readonly remembered: UltravoxMemory[];
  readonly stages: JsonRecord[];
  readonly problems: string[];
}

/** A server that speaks Ultravox's API: calls over REST, joined over a WebSocket. */
export interface FakeUltravox extends VendorServer {
  readonly connections: readonly UltravoxConnection[];
}

interface Port {
  readonly connection: UltravoxConnection;
  readonly send: (message: JsonRecord | Buffer) => void;
  readonly breakOff: () => void;
  /** Answers asked of the model so far, on all connections. */
  readonly nextIndex: () => number;
}

const toolNames = (stage: JsonRecord): readonly unknown[] =>
  (stage['selectedTools'] as readonly JsonRecord[]).map((tool) => asRecord(tool['temporaryTool'])['modelToolName']);

/** The agent of one call: what it says, what it calls, and the conversation that it remembers. */
function createAgent({ connection, send, breakOff, nextIndex }: Port, options: FakeUltravoxOptions) {
  const { clock = systemClock, firstByteMs = 30 } = options;
  const { remembered, problems } = connection;
  const toPcm = createEncoder(L16);
  const open = new Set<string>();
  let stage = connection.body;
  let timer: Timer | null = null;
  let utterance: { readonly memory: UltravoxMemory; startMs: number } | null = null;
  let ordinal = 0;
  let ids = 0;
  let shouldSpeak = false;

  const queue = createSpeechQueue({ ...options, firstByteMs: 0 }, undefined, ({ text, audio, offsetMs, totalMs }) => {
    if (utterance === null) return;
    if (offsetMs === 0) {
      send({ type: 'state', state: 'speaking' });
      utterance.startMs = clock.nowMs();
    }
    const at = (ms: number) => Math.round((text.length * ms) / totalMs);
    const endMs = offsetMs + audio.length / 8;
    utterance.memory.audioMs = endMs;
    connection.spoken.push(Buffer.from(audio));
    send({ type: 'transcript', role: 'agent', medium: 'voice', delta: text.slice(at(offsetMs), at(endMs)), final: false, ordinal });
    send(Buffer.from(toPcm(audio)));
  });
  const wait = (delayMs: number, act: () => void) => {
    timer?.cancel();
    timer = clock.setTimer(delayMs, () => {
      timer = null;
      act();
    });
  };

  function speak(text: string, then: () => void): void {
    const memory: UltravoxMemory = { who: 'agent-spoke', text, audioMs: 0 };
    remembered.push(memory);
    ordinal += 1;
    utterance = { memory, startMs: clock.nowMs() };
    queue.say(text);
    queue.mark(() => {
      if (utterance === null) return;
      send({ type: 'transcript', role: 'agent', medium: 'voice', text, final: true, ordinal });
      // What was sent ahead is taken to be played in real time.
      wait(utterance.startMs + memory.audioMs - clock.nowMs(), () => {
        utterance = null;
        then();
      });
    });
  }

  const listen = () => send({ type: 'state', state: 'listening' });

  function invoke(name: string, parameters: unknown): void {
    const id = `invocation-${(ids += 1)}`;
    open.add(id);
    send({ type: 'client_tool_invocation', toolName: name, invocationId: id, parameters });
  }

  function act({ text = '', calls = [], error }: UltravoxScript): void {
    if (error !== undefined) return breakOff();
    const callAll = () => {
      if (calls.length === 0) return listen();
      send({ type: 'state', state: 'thinking' });
      for (const { name, argumentsJson = '{}' } of calls) {
        if (!toolNames(stage).includes(name)) problems.push(`no function ${name}`);
        invoke(name, JSON.parse(argumentsJson));
      }
    };
    if (text === '') callAll();
    else speak(text, callAll);
  }

  function generate(): void {
    send({ type: 'state', state: 'thinking' });
    wait(firstByteMs, () => act(options.respond?.({ index: nextIndex(), stage }) ?? { text: 'I see.' }));
  }

  /** Stops speaking; what was not played is forgotten. */
  function interrupt(): void {
    timer?.cancel();
    timer = null;
    queue.clear();
    if (utterance === null) return;
    const { memory, startMs } = utterance;
    memory.audioMs = Math.min(memory.audioMs, Math.round(clock.nowMs() - startMs));
    utterance = null;
    send({ type: 'playback_clear_buffer' });
  }

  return {
    hearTurn(text: string): void {
      remembered.push({ who: 'caller-heard', text, audioMs: 0 });
      ordinal += 1;
      send({ type: 'transcript', role: 'user', medium: 'voice', text, final: true, ordinal });
      if (open.size === 0) generate();
    },
    hearSpeech(): void {
      if (utterance === null && timer === null) return;
      interrupt();
      listen();
    },
    take(message: JsonRecord): void {
      const { type, text, content, toolCalls, invocationId, result, responseType, agentReaction } = message;
      if (type === 'user_text_message') {
        if (message['urgency'] !== 'later') problems.push('a text that interrupts');
        remembered.push({ who: 'told', text: String(text), audioMs: 0 });
      } else if (type === 'forced_agent_message') {
        interrupt();
        if (open.size > 0) problems.push('forced while a function runs');
        const [call] = (toolCalls ?? []) as readonly { readonly name: string; readonly arguments: unknown }[];
        if (call === undefined) speak(String(content), listen);
        else invoke(call.name, call.arguments);
      } else if (type === 'client_tool_result') {
        if (!open.delete(String(invocationId))) return void problems.push('a result that nobody waits for');
        let words = String(result);
        if (responseType === 'new-stage') {
          stage = { ...stage, ...asRecord(JSON.parse(words)) };
          connection.stages.push(stage);
          words = String(stage['toolResultText']);
        }
        if (words !== 'Go on.') remembered.push({ who: 'result', text: words, audioMs: 0 });
        shouldSpeak ||= agentReaction === 'speaks';
        if (open.size > 0) return;
        if (shouldSpeak) generate();
        else listen();
        shouldSpeak = false;
      } else if (type !== 'hang_up') problems.push(`unknown message ${String(type)}`);
    },
    stop(): void {
      timer?.cancel();
      queue.clear();
    },
  };
}

function answerJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' }).end(JSON.stringify(body));
}

async function readBody(request: IncomingMessage): Promise<JsonRecord> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return parseJsonRecord(Buffer.concat(chunks)) ?? {};
}

/** Starts the fake. */
export async function startFakeUltravox(options: FakeUltravoxOptions = {}): Promise<FakeUltravox> {
  const connections: UltravoxConnection[] = [];
  const faults = createFaultPlan(options.fault);
  const calls = new Map<string, { readonly body: JsonRecord; readonly fault: UltravoxFault | undefined }>();
  let index = 0;

  async function create(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const dealt = faults.deal(request);
    if (dealt?.kind === 'reset') return request.socket.resetAndDestroy(), undefined;
    if (dealt?.kind === 'hang') return;
    if (dealt !== null) return answerJson(response, dealt.status, {});
    if (request.method !== 'POST' || request.url !== '/api/calls') return answerJson(response, 404, {});
    if (options.apiKey !== undefined && request.headers['x-api-key'] !== options.apiKey) return answerJson(response, 403, { detail: 'Invalid key' });
    const body = await readBody(request);
    const medium = asRecord(asRecord(body['medium'])['serverWebSocket']);
    if (medium['inputSampleRate'] !== 8000 || medium['outputSampleRate'] !== 8000) return answerJson(response, 400, {});
    const id = `call-${calls.size}`;
    calls.set(id, { body, fault: faults.of(request) });
    answerJson(response, 201, { callId: id, joinUrl: `${server.wsUrl}/calls/${id}/server_web_socket` });
  }

  function serve(socket: WebSocket, request: IncomingMessage): void {
    const { body, fault } = calls.get(request.url?.split('/')[2] ?? '') ?? { body: {}, fault: undefined };
    const connection: UltravoxConnection = { body, messages: [], audio: [], spoken: [], remembered: [], stages: [], problems: [] };
    connections.push(connection);
    const send = (message: JsonRecord | Buffer) => {
      if (fault !== undefined && 'messages' in fault) socket.send('}{ garbage');
      else socket.send(Buffer.isBuffer(message) ? message : JSON.stringify(message));
    };
    const agent = createAgent({ connection, send, breakOff: () => socket.close(1011), nextIndex: () => (index += 1) - 1 }, options);
    const delay = parseFloat(String(asRecord(body['vadSettings'])['turnEndpointDelay'])) * 1000;
    const recogniser = createRecogniser({
      endpointingMs: Number.isNaN(delay) ? TURN_END_MS : delay,
      collectAudio: false,
      transcribe: () => 'speech',
      nextSegment: () => 0,
      interimMs: 100,
      report({ text, isFinal, speechStartMs, endMs }) {
        if (text === '') return;
        const audio = Buffer.concat(connection.audio).subarray(Math.max(0, speechStartMs - PADDING_MS) * 8, endMs * 8);
        if (isFinal) agent.hearTurn((options.transcribe ?? decodeCodedWords)(audio));
        else agent.hearSpeech();
      },
    });
    const toMulaw = createDecoder(L16);
    let audioMs = 0;
    if (fault === undefined || !('session' in fault)) {
      send({ type: 'call_started', callId: 'call' });
      send({ type: 'state', state: 'listening' });
    }
    socket.on('message', (data: Buffer, isBinary) => {
      if (!isBinary) {
        const message = parseJsonRecord(data) ?? {};
        connection.messages.push(message);
        return agent.take(message);
      }
      const audio = Buffer.from(toMulaw(data));
      const beforeMs = audioMs;
      audioMs += audio.length / 8;
      connection.audio.push(audio);
      recogniser.push(audio);
      if (fault !== undefined && 'socket' in fault && beforeMs < fault.afterAudioMs && audioMs >= fault.afterAudioMs) breakSocket(socket, request, fault.socket);
    });
    socket.on('close', () => agent.stop());
  }

  const server: VendorServer = await startVendorServer({
    onRequest: (request, response) => void create(request, response).catch(() => response.destroy()),
    onUpgrade: (request) => (calls.has(request.url?.split('/')[2] ?? '') ? null : { kind: 'http', status: 404 }),
    onSocket: serve,
  });
  return { ...server, connections };
}
